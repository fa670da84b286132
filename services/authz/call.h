/* One call, from the gateway's OPEN to its answer.
 *
 *     open ─▶ read (certificate, request) ─▶ first job ─▶ proceed ─▶ answer
 *                                            admission,    │  ▲
 *                                            decision or   ▼  │
 *                                            effect      forward.h: capsule, orchestrator, way back
 *
 * The first job runs on the store's thread: the caller is admitted (known, role, signature), then
 * the operation runs. A mutation that ends here is exactly once: the row of its request id, its
 * effect and its audit entry are one transaction. Every call ends in call.c and is logged there
 * once; a step that is under way when the outer side cancels is waited for.
 */
#ifndef KW_SERVICES_AUTHZ_CALL_H
#define KW_SERVICES_AUTHZ_CALL_H

#include "common/feed_service/second_copy.h"
#include "common/rpc/messages.h"
#include "common/rpc/resource.h"
#include "services/authz/inner.h"

struct kw_authz_call;

/* What a method does. */
struct kw_authz_operation {
    enum kw_method_id method;
    bool writes; /* the first job is a write job */
    bool vital;  /* … that may use the last of the disk: it takes away */
    /* In the first job, after admission. A method that ends here makes call->response. NULL:
     * nothing to look up. */
    struct kw_result (*run)(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err);
    /* Loop thread, when that has succeeded. NULL: the answer is made. */
    void (*proceed)(struct kw_authz_call *call);
    /* The way back of a call that went inward and succeeded: what changes here, in a write job.
     * May be repeated by a repeated call. NULL: nothing. */
    struct kw_result (*effect)(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err);
    /* Is it still allowed? In a read job after admission, when something was disabled meanwhile.
     * NULL: as long as the caller is admitted. */
    struct kw_result (*recheck)(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err);
};

struct kw_authz_call {
    struct kw_authz *authz;
    struct kw_hop_call *hop; /* NULL once cancelled */
    struct kw_arena *arena;
    const struct kw_method *method;
    const struct kw_authz_operation *operation;
    struct kw_caller caller;
    struct kw_bytes body; /* the request as sent */
    uint8_t body_hash[KW_SHA256_LEN];
    const ProtobufCMessage *request;
    struct kw_id request_id; /* mutations */
    bool validate_only;
    struct kw_bytes trace;
    uint64_t deadline_ns;
    uint64_t started_ns;
    uint64_t now_ms;         /* wall time of arrival: all of a call's decisions are of one time */
    bool ended;              /* the caller sends no more: came with OPEN */
    const char *field;       /* what ARGUMENT_INVALID is about; "" */
    uint32_t retry_after_ms; /* of a failure that passes with time; 0: unknown */

    struct kw_store_job job;
    struct kw_result (*step_run)(struct kw_authz_call *call, struct kw_tx *tx,
                                 struct kw_error *err);
    void (*step_done)(struct kw_authz_call *call);

    struct kw_second_copy copy; /* of what the last write job said */
    uint64_t epoch;             /* the process's when this was decided */
    uint64_t decided_ns;        /* monotonic: when that was */
    bool returned;              /* the layers inside have done it */
    bool disabled; /* a write job disabled something: the epoch moves before any answer */
    struct kw_bytes response; /* in the arena */
    bool replayed;
    const char *subject; /* resource name for the audit entry; "" */
    struct kw_inner inner;
    void (*next)(struct kw_authz_call *call);    /* the end of the way back (forward.h) */
    void *state;                                 /* the operation's own, in the arena */
    void (*release)(struct kw_authz_call *call); /* what `state` holds beside memory; may be NULL */
};

/* A new call of the gateway's. Loop thread. */
void kw_authz_call_open(struct kw_hop_call *hop, const struct kw_hop_open *open,
                        struct kw_authz *authz);

/* The next step on the store's thread; `done` runs on the loop thread if `run` succeeded, else the
 * call fails. */
void kw_authz_call_step(struct kw_authz_call *call, bool write,
                        struct kw_result (*run)(struct kw_authz_call *call, struct kw_tx *tx,
                                                struct kw_error *err),
                        void (*done)(struct kw_authz_call *call));

/* What its write job changes rows with, at the time of its arrival. */
struct kw_feed_tx kw_authz_call_feed(struct kw_authz_call *call, struct kw_tx *tx);

/* After a write job: the epoch moves if it disabled something. */
void kw_authz_call_disabled(struct kw_authz_call *call);

/* Admission alone: known, role, signature. Store's thread. Fails: IDENTITY_INVALID,
 * PERMISSION_DENIED, SIGNATURE_INVALID, and as the tables. */
struct kw_result kw_authz_call_admit(struct kw_authz_call *call, struct kw_tx *tx,
                                     struct kw_error *err);

/* The end, one of these. The call is gone afterwards. */
void kw_authz_call_answer(struct kw_authz_call *call); /* with call->response */
void kw_authz_call_fail(struct kw_authz_call *call, const struct kw_error *error);
void kw_authz_call_fail_inner(struct kw_authz_call *call); /* as call->inner ended */
void kw_authz_call_end_stream(struct kw_authz_call *call); /* success, messages were sent before */

/* Writes the audit entry of a change, about call->subject, in its transaction. What ends here has
 * one anyway. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_authz_call_audit(struct kw_authz_call *call, struct kw_tx *tx,
                                     struct kw_error *err);

/* Records a denial that does not end the call: an item of a batch. */
void kw_authz_call_denied(struct kw_authz_call *call, const struct kw_error *error);

/* Packs `message` as the answer. Fails: MEMORY. */
struct kw_result kw_authz_call_respond(struct kw_authz_call *call, const ProtobufCMessage *message,
                                       struct kw_error *err);

/* --- reading requests --- */

/* Refuses a field: `field` is its path in the request. */
#define KW_FIELD_ENSURE(call, cond, name, err, ...)                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            (call)->field = (name);                                                                \
            KW_FAIL(err, ARGUMENT_INVALID, __VA_ARGS__);                                           \
        }                                                                                          \
    } while (0)

/* The request's text field with this name; "" when it has none. For fields that several requests
 * have alike. */
const char *kw_authz_call_text(const struct kw_authz_call *call, const char *field);

/* Reads a resource name in field `field`. Fails: ARGUMENT_INVALID. */
struct kw_result kw_authz_call_name(struct kw_authz_call *call, enum kw_resource kind,
                                    const char *field, const char *name,
                                    struct kw_resource_ids *ret_ids, struct kw_error *err);

#endif
