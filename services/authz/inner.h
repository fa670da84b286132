/* One call to the orchestrator: capsule, hop, answer.
 *
 *     kw_inner_start ─▶ sealed with the turn's others ─▶ hop ─▶ messages … status ─▶ done
 *                        ▲                                              │
 *                        └────────── once more, with a new capsule ◀────┘  (nothing was done yet)
 *
 * It is tried once more when the orchestrator says that nothing was done (draining, receipt lag
 * that the answer itself cured) or when the stream is lost and the method is idempotent.
 */
#ifndef KW_SERVICES_AUTHZ_INNER_H
#define KW_SERVICES_AUTHZ_INNER_H

#include "services/authz/authz.h"

#define KW_INNER_MESSAGES_MAX 8
#define KW_INNER_TEXT_SIZE    128

/* What the answer says beside its messages. Bytes are in the arena. */
struct kw_inner_outcome {
    struct kw_bytes receipt_id;
    bool has_receipt; /* its id and the head after it are both there */
    bool replayed;
    bool local_only;
    struct kw_bytes *disabled; /* KWF1 each */
    size_t disabled_count;
};

/* Zero-initialise, fill the first part, start; release with kw_inner_done. Loop thread. */
struct kw_inner {
    struct kw_authz *authz;
    struct kw_arena *arena; /* for the answer; outlives it */
    const struct kw_method *method;
    struct kw_bytes body;
    struct kw_bytes trace;
    uint64_t deadline_ns;
    struct kw_capsule_slot slot;        /* the capsule's first part, from the decision */
    struct kw_bytes caller_certificate; /* these two only where the caller signs */
    struct kw_bytes caller_signature;
    struct kw_bytes invitation; /* KWI1, for Enroll */
    bool receipt_optional;      /* whoever starts it asks for the receipt when there must be one */
    /* Messages as they come, NULL: collected. The callee returns credit by kw_hop_consume on
     * `hop`. */
    void (*message)(struct kw_inner *inner, struct kw_bytes data);
    void (*done)(struct kw_inner *inner); /* once, never within kw_inner_start */
    void *user;

    struct kw_hop_call *hop;
    bool cancelled;
    bool retried;
    size_t received; /* messages so far */

    struct kw_bytes messages[KW_INNER_MESSAGES_MAX];
    size_t message_count;
    struct kw_inner_outcome outcome;
    enum kw_reason reason; /* how it ended */
    char field[KW_INNER_TEXT_SIZE];
    char description[KW_INNER_TEXT_SIZE]; /* for the caller, from inside */
    char detail[KW_INNER_TEXT_SIZE];      /* for the log: what went wrong here */
    uint32_t retry_after_ms;
};

/* Without `receipt_optional` a success of a method that uses keys must bring its receipt, or it
 * ends with INTERNAL and nothing of the answer is to be used: a core's use that the orchestrator
 * keeps to itself is of no use to anybody. */
void kw_inner_start(struct kw_inner *inner);

/* The same, for an answer of which only now is known that a key was used. Fails: INTERNAL. */
struct kw_result kw_inner_receipt_require(const struct kw_inner *inner, struct kw_error *err);

/* Gives it up; `done` comes with CANCELLED at the end of this turn. Harmless when it is over
 * already. */
void kw_inner_cancel(struct kw_inner *inner);

/* Ready to be filled and started again. */
void kw_inner_reset(struct kw_inner *inner);

void kw_inner_done(struct kw_inner *inner);

#endif
