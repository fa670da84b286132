/* The checks of a capsule against a request, each a refusal of its own, and the order they run in.
 */
#include "common/audit/capsule_check.h"

#include "common/base/metrics.h"

#include "common/audit/record.h"
#include "common/base/clock.h"

struct kw_arrival kw_arrival_now(void)
{
    return (struct kw_arrival){.wall_ms = kw_clock_wall_ms(), .mono_ns = kw_clock_mono_ns()};
}

uint64_t kw_arrival_wall_ms(const struct kw_arrival *arrival, uint64_t mono_ns)
{
    return mono_ns <= arrival->mono_ns
               ? arrival->wall_ms
               : arrival->wall_ms + (mono_ns - arrival->mono_ns) / KW_NS_PER_MS;
}

static struct kw_result check_fit(const struct kw_capsule *capsule,
                                  const struct kw_capsule_expected *expected, struct kw_error *err)
{
    KW_ENSURE(kw_bytes_equal(capsule->region, expected->region) &&
                  kw_bytes_equal(capsule->cell, expected->cell),
              err, CAPSULE_INVALID, "made in another region or cell");
    KW_ENSURE(capsule->method == expected->method, err, CAPSULE_INVALID, "for method %u, not %u",
              capsule->method, expected->method);
    KW_ENSURE((unsigned)capsule->operation < KW_OPERATION_COUNT_ &&
                  (KW_OPERATION_BIT(capsule->operation) & expected->operations) != 0,
              err, CAPSULE_INVALID, "operation %s does not belong to the method",
              kw_operation_name(capsule->operation));
    KW_ENSURE(memcmp(capsule->body_hash, expected->body_hash, KW_SHA256_LEN) == 0, err,
              CAPSULE_INVALID, "for another request");
    return KW_OK;
}

static struct kw_result check_time(const struct kw_capsule *capsule, uint64_t now_ms,
                                   struct kw_error *err)
{
    KW_ENSURE(capsule->not_after_ms >= capsule->issued_ms &&
                  capsule->not_after_ms - capsule->issued_ms <= KW_CAPSULE_LIFETIME_MS,
              err, CAPSULE_INVALID, "lives longer than a capsule may");
    KW_ENSURE(capsule->issued_ms <= now_ms ||
                  capsule->issued_ms - now_ms <= KW_CAPSULE_CLOCK_SKEW_MS,
              err, CAPSULE_EXPIRED, "issued in the future");
    KW_ENSURE(now_ms <= capsule->not_after_ms ||
                  now_ms - capsule->not_after_ms <= KW_CAPSULE_CLOCK_SKEW_MS,
              err, CAPSULE_EXPIRED, "its time is over");
    return KW_OK;
}

struct kw_result kw_capsule_check(const struct kw_capsule *capsule,
                                  const struct kw_capsule_expected *expected, struct kw_error *err)
{
    KW_TRY(check_fit(capsule, expected, err));
    return check_time(capsule, kw_arrival_wall_ms(&expected->arrival, expected->mono_ns), err);
}

static struct kw_result admit(const struct kw_capsule_gate *gate, struct kw_bytes sealed,
                              struct kw_bytes signer_certificate,
                              const struct kw_capsule_expected *expected,
                              struct kw_capsule *ret_capsule, struct kw_error *err)
{
    uint64_t now_ms = kw_arrival_wall_ms(&expected->arrival, expected->mono_ns);
    struct kw_error inner = {0};
    struct kw_bytes record;
    struct kw_capsule capsule;

    KW_TRY(kw_seal_verify(gate->seals, sealed, signer_certificate, now_ms, &record, err));
    KW_TRY(kw_record_refuse_capsule(kw_capsule_decode(record, &capsule, &inner), &inner, err));
    KW_TRY(kw_capsule_check(&capsule, expected, err));
    KW_TRY(kw_replay_take(gate->replay, capsule.id, capsule.not_after_ms + KW_CAPSULE_CLOCK_SKEW_MS,
                          now_ms, err));
    *ret_capsule = capsule;
    return KW_OK;
}

struct kw_result kw_capsule_admit(const struct kw_capsule_gate *gate, struct kw_bytes sealed,
                                  struct kw_bytes signer_certificate,
                                  const struct kw_capsule_expected *expected,
                                  struct kw_capsule *ret_capsule, struct kw_error *err)
{
    struct kw_result result = admit(gate, sealed, signer_certificate, expected, ret_capsule, err);

    if (!kw_ok(result)) {
        kw_metric_add(KW_M_CAPSULES_REFUSED, kw_reason_row(result.reason)->label, 1);
    }
    return result;
}
