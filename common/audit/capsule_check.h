/* Does a capsule allow this request, here and now? Pure checks, and the gate that runs all of them
 * in order.
 */
#ifndef KW_COMMON_AUDIT_CAPSULE_CHECK_H
#define KW_COMMON_AUDIT_CAPSULE_CHECK_H

#include "common/audit/capsule.h"
#include "common/audit/replay.h"
#include "common/audit/seal.h"

/* When a request came in, on both clocks. Time since then is counted on the monotonic one, so that
 * neither waiting in a queue nor a step of the wall clock lengthens a capsule's life. */
struct kw_arrival {
    uint64_t wall_ms;
    uint64_t mono_ns;
};

/* Both clocks now (common/base/clock.h). */
struct kw_arrival kw_arrival_now(void);

/* Wall time at monotonic time `mono_ns`, counted from the arrival. */
uint64_t kw_arrival_wall_ms(const struct kw_arrival *arrival, uint64_t mono_ns);

#define KW_OPERATION_BIT(operation) (UINT32_C(1) << (operation))

/* What a capsule must fit. Everything is borrowed for the call. */
struct kw_capsule_expected {
    struct kw_bytes region; /* the verifier's own */
    struct kw_bytes cell;
    uint16_t method;
    uint32_t operations;      /* KW_OPERATION_BIT of each that the method may be about */
    const uint8_t *body_hash; /* KW_SHA256_LEN: of the request message as it came */
    struct kw_arrival arrival;
    uint64_t mono_ns; /* now */
};

/* Fails: CAPSULE_INVALID (another region or cell, method, operation or body, or a lifetime over
 * KW_CAPSULE_LIFETIME_MS), CAPSULE_EXPIRED (older than not-after, or issued in the future, by more
 * than KW_CAPSULE_CLOCK_SKEW_MS). */
struct kw_result kw_capsule_check(const struct kw_capsule *capsule,
                                  const struct kw_capsule_expected *expected, struct kw_error *err);

/* What a process that accepts capsules holds. Borrowed. */
struct kw_capsule_gate {
    struct kw_seal_verifier *seals;
    struct kw_replay *replay;
};

/* The whole way in: seal, record, kw_capsule_check, replay; an id is spent only by a capsule that
 * fits in all else. `ret_capsule` borrows from `sealed`. Fails: CAPSULE_INVALID, CAPSULE_EXPIRED,
 * CAPSULE_REPLAYED, LIMIT_REACHED, MEMORY, CRYPTO. */
struct kw_result kw_capsule_admit(const struct kw_capsule_gate *gate, struct kw_bytes sealed,
                                  struct kw_bytes signer_certificate,
                                  const struct kw_capsule_expected *expected,
                                  struct kw_capsule *ret_capsule, struct kw_error *err);

#endif
