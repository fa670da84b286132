/* Capsules for what ends further in, and what is done with its answer. */
#include "services/authz/forward.h"

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/metrics.h"
#include "services/authz/disabled_table.h"
#include "services/authz/operations.h"

/* --- the way there --- */

struct kw_capsule kw_forward_capsule(const struct kw_authz_call *call)
{
    struct kw_capsule capsule = {
        .caller = kw_bytes_str(call->caller.spiffe_id),
        .method = (uint16_t)call->method->id,
        .operation = call->method->operation,
        .authz_epoch = call->epoch,
    };

    kw_copy(capsule.fingerprint, call->caller.fingerprint, sizeof(capsule.fingerprint));
    kw_copy(capsule.body_hash, call->body_hash, sizeof(capsule.body_hash));
    if (call->caller.role == KW_CALLER_PARTNER || call->caller.role == KW_CALLER_STATION) {
        capsule.owner = call->caller.id.id;
    }
    return capsule;
}

void kw_forward_prepare(struct kw_authz_call *call, struct kw_inner *inner)
{
    inner->authz = call->authz;
    inner->arena = call->arena;
    inner->method = call->method;
    inner->body = call->body;
    inner->trace = call->trace;
    inner->deadline_ns = call->deadline_ns;
    inner->receipt_optional = call->validate_only; /* no key is used */
    inner->user = call;
    if (kw_caller_must_sign(&call->caller, call->method)) {
        inner->caller_certificate = call->caller.certificate;
        inner->caller_signature = call->caller.signature;
    }
}

static void inner_done(struct kw_inner *inner)
{
    struct kw_authz_call *call = inner->user;

    if (inner->reason != KW_E_NONE) {
        kw_authz_call_fail_inner(call);
        return;
    }
    call->response = inner->message_count > 0 ? inner->messages[0] : KW_BYTES_NONE;
    kw_forward_returned(call, kw_authz_call_answer);
}

void kw_forward_start(struct kw_authz_call *call)
{
    kw_forward_prepare(call, &call->inner);
    call->inner.done = inner_done;
    kw_inner_start(&call->inner);
}

/* --- the way back --- */

/* Which device a key method is about: its facts are kept by device. */
static struct kw_result device_of(struct kw_authz_call *call, struct kw_id *ret_device,
                                  struct kw_error *err)
{
    struct kw_resource_ids ids;

    KW_TRY(kw_authz_call_name(call, KW_RESOURCE_KEY, "name", kw_authz_call_text(call, "name"), &ids,
                              err));
    *ret_device = ids.id[0];
    return KW_OK;
}

/* A fact that is none, or enables, is the inner layers' fault and not the caller's. */
static struct kw_result fact_keep(struct kw_authz_call *call, struct kw_tx *tx, struct kw_id device,
                                  struct kw_bytes record, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    struct kw_error inner = {0};
    struct kw_result result = kw_disabled_insert(&feed_tx, device, record, &inner);

    KW_ENSURE(result.reason != KW_E_ENCODING_INVALID && result.reason != KW_E_ARGUMENT_INVALID, err,
              INTERNAL, "a disabling fact from inside: %s", inner.message);
    KW_ENSURE(kw_ok(result), err, STORE_UNAVAILABLE, "%s", inner.message);
    return KW_OK;
}

static struct kw_result effect_run(struct kw_authz_call *call, struct kw_tx *tx,
                                   struct kw_error *err)
{
    const struct kw_inner_outcome *outcome = &call->inner.outcome;
    struct kw_id device;

    KW_FAILPOINT(KW_FP_AUTHZ_BEFORE_RETURN, err);
    if (outcome->disabled_count > 0) {
        KW_TRY(device_of(call, &device, err));
    }
    for (size_t i = 0; i < outcome->disabled_count; i++) {
        KW_TRY(fact_keep(call, tx, device, outcome->disabled[i], err));
        call->disabled = true;
    }
    if (call->operation->effect != NULL && !call->validate_only) {
        KW_TRY(call->operation->effect(call, tx, err));
    }
    KW_FAILPOINT(KW_FP_AUTHZ_AFTER_RETURN, err);
    return KW_OK;
}

static struct kw_result still_allowed(struct kw_authz_call *call, struct kw_tx *tx,
                                      struct kw_error *err)
{
    KW_TRY(kw_authz_call_admit(call, tx, err));
    return call->operation->recheck != NULL ? call->operation->recheck(call, tx, err) : KW_OK;
}

static struct kw_result recheck_run(struct kw_authz_call *call, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct kw_result result = still_allowed(call, tx, err);

    if (!kw_ok(result)) {
        kw_metric_add(KW_M_ANSWERS_DROPPED, NULL, 1);
    }
    return result;
}

bool kw_authz_decision_holds(uint64_t decided_ns)
{
    return kw_clock_mono_ns() < decided_ns + KW_DECISION_LIFE_MS * KW_NS_PER_MS;
}

static void go_on(struct kw_authz_call *call)
{
    if (call->epoch != call->authz->epoch || !kw_authz_decision_holds(call->decided_ns)) {
        call->epoch = call->authz->epoch;
        call->decided_ns = kw_clock_mono_ns();
        kw_authz_call_step(call, false, recheck_run, go_on);
        return;
    }
    call->next(call);
}

void kw_forward_go_on(struct kw_authz_call *call, void (*next)(struct kw_authz_call *call))
{
    call->next = next;
    go_on(call);
}

static void effect_done(struct kw_authz_call *call)
{
    kw_authz_call_disabled(call);
    go_on(call);
}

void kw_forward_returned(struct kw_authz_call *call, void (*next)(struct kw_authz_call *call))
{
    bool effect = call->operation->effect != NULL && !call->validate_only;

    call->next = next;
    call->returned = true;
    if (effect || call->inner.outcome.disabled_count > 0) {
        kw_authz_call_step(call, true, effect_run, effect_done);
    } else {
        go_on(call);
    }
}

/* --- methods that need nothing but a capsule --- */

struct kw_result kw_authz_read(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err)
{
    (void)tx;
    (void)err;
    call->inner.slot.capsule = kw_forward_capsule(call);
    return KW_OK;
}

/* One key, named in the request: the capsule is about its device and says what we know of it. */
struct kw_result kw_authz_key_change(struct kw_authz_call *call, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct kw_capsule_slot *slot = &call->inner.slot;
    struct kw_id device;

    KW_TRY(device_of(call, &device, err));
    slot->capsule = kw_forward_capsule(call);
    slot->capsule.scope = KW_SCOPE_BODY;
    return kw_disabled_collect(tx, device, &slot->capsule, &slot->disabled, err);
}
