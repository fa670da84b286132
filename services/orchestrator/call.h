/* A call: one request on its way through the orchestrator, and the one path that all of them take.
 *
 *     open ─ admit ─┬─ read ──┬─ core ── write ─┬─ answer ─ end
 *                   │ (reader)│        (writer) │
 *                   └ refused └ answered        └ refused
 *
 *     admit    capsule, raw bytes, unpacking, the fields all requests share (admit.c)
 *     read     one read transaction: was it done before? the handler's checks, material for the core
 *     core     for methods that end there, and whose `read` asked for it
 *     write    one write transaction: receipt, was it done meanwhile?, effect, the requests row
 *     protect  only of keys that were made and that others are to have first (protection.h); then read again
 *     answer   only now: what leaves here is durable
 *
 * At any time one step is under way, so the call dies in one place, call_end, also when nobody
 * waits for the answer any more: a receipt or an effect is never given up half-way. Steps named
 * read and write run on the store's threads and have the call to themselves; everything else runs
 * on the loop thread.
 */
#ifndef KW_SERVICES_ORCHESTRATOR_CALL_H
#define KW_SERVICES_ORCHESTRATOR_CALL_H

#include "common/audit/capsule.h"
#include "common/feed_service/second_copy.h"
#include "common/rpc/methods.h"
#include "services/orchestrator/core_link.h"
#include "services/orchestrator/request_table.h"
#include "services/orchestrator/service.h"
#include "services/orchestrator/view.h"

#include <keyward/internal/v1/context.pb-c.h>

#define KW_CALL_MESSAGES_MAX 3 /* batch, chunk, totals */

struct kw_call;

/* A step in a transaction. A failure refuses the call. A write step checks before it writes: after
 * its first statement that changes something only the store may fail. Rows that other cells have,
 * too, are changed by `feed_tx`. */
typedef struct kw_result kw_call_step(struct kw_call *call, struct kw_tx *tx, struct kw_error *err);

/* One method: what is its own on the common path. */
struct kw_handler {
    enum kw_method_id method;
    uint32_t operations; /* KW_OPERATION_BITs its capsules may be about, beyond the method's own */
    kw_call_step *read;  /* may be NULL */
    kw_call_step *write; /* may be NULL: nothing to do but to store the receipt */
    /* What the request id stands for, and under which key it is kept; NULL: the whole body, by its
     * id. */
    struct kw_result (*content)(const struct kw_call *call, struct kw_request_key *key,
                                uint8_t ret_content[KW_SHA256_LEN], struct kw_error *err);
    bool holds;        /* another content is ENROLLMENT_HELD, not REQUEST_ID_REUSED */
    bool keeps_itself; /* has its own way to be repeated: no requests row */
    /* Instead of write, for an answer of the core's that is no CoreReply, or for none. Loop thread.
     */
    struct kw_result (*relay)(struct kw_call *call, struct kw_error *err);
};

struct kw_call {
    struct kw_orch *orch;
    const struct kw_method *method;
    const struct kw_handler *handler;
    struct kw_hop_call *outer; /* NULL: nobody waits any more */
    struct kw_arena *arena;
    struct kw_view view; /* makes messages in the arena */
    uint64_t deadline_ns;
    struct kw_bytes trace;

    /* what is asked; all of it checked by admit */
    struct kw_bytes body;
    struct kw_bytes context; /* Authorization, as it goes on to the core */
    Keyward__Internal__V1__Authorization *authorization;
    struct kw_capsule capsule;
    struct kw_spiffe caller;
    char caller_id[KW_SPIFFE_TEXT_SIZE];
    enum kw_actor actor;
    const ProtobufCMessage *request; /* cast by the handler */
    struct kw_id request_id;         /* of a mutation */
    bool validate_only;
    const char *field; /* to blame for ARGUMENT_INVALID */

    /* on the way */
    struct kw_store_job job;
    uint64_t started_ns;
    uint64_t now_ms;           /* wall time of the effect */
    struct kw_feed_tx feed_tx; /* what a write step changes rows with */
    struct kw_second_copy copy;
    uint64_t
        owed;  /* keys that a write step made, and that are not delivered before others have them */
    bool made; /* … and that are answered by `read`, when that is over */
    bool ask_core; /* the handler's read filled `question` */
    Keyward__Internal__V1__CoreRequest question;
    struct kw_core_call core;
    bool has_receipt;              /* core.receipt is in turn */
    int tries;                     /* how often its place in the chain was not free yet */
    const char *invitation_parent; /* whom an invited caller's invitation is for, where known */
    void *state;                   /* the handler's, in the arena */

    /* the answer */
    struct kw_result result;
    struct kw_error error;
    struct kw_bytes messages[KW_CALL_MESSAGES_MAX];
    size_t message_count;
    size_t sent_count;
    bool answered;         /* by kw_call_answer, or by a handler whose answer has no message */
    bool sending;          /* no step is under way but the outer side's taking */
    bool more;             /* a streaming read: run `read` again when these are sent */
    struct kw_arena *page; /* of a streaming read: lives as long as the messages of one turn */
    bool replayed;         /* set by a handler that keeps itself */
    struct kw_bytes stored_outcome; /* of an earlier call with this request id */
    struct kw_bytes disabled;       /* the disabling fact made (KWF1), if any */
};

/* The handler for every new call from authz (kw_hop_handler.open). */
void kw_call_open(struct kw_hop_call *outer, const struct kw_hop_peer *peer,
                  const struct kw_hop_open *open, void *context);

/* --- for handlers --- */

/* Adds a message to the answer. Fails: MEMORY, INTERNAL (more than KW_CALL_MESSAGES_MAX). */
struct kw_result kw_call_answer(struct kw_call *call, const ProtobufCMessage *message,
                                struct kw_error *err);

/* Refuses a request because of this field. */
#define KW_ENSURE_FIELD(cond, call, name, err, ...)                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            (call)->field = (name);                                                                \
            KW_FAIL(err, ARGUMENT_INVALID, __VA_ARGS__);                                           \
        }                                                                                          \
    } while (0)

/* A resource name in a field. Fails: ARGUMENT_INVALID, blaming the field. */
struct kw_result kw_call_name(struct kw_call *call, const char *field, enum kw_resource kind,
                              const char *name, struct kw_resource_ids *ret_ids,
                              struct kw_error *err);

/* The reply's only item, successful. Fails: the item's reason; INTERNAL (not one item). */
struct kw_result kw_call_only_item(const struct kw_call *call,
                                   const Keyward__Internal__V1__CoreItem **ret_item,
                                   struct kw_error *err);

/* An item's reason as a result. Fails: the reason; INTERNAL when there is no such reason. */
struct kw_result kw_core_item_result(const Keyward__Internal__V1__CoreItem *item,
                                     struct kw_error *err);

#endif
