/* One call of the crypto core, from the hop's OPEN to its answer.
 *
 *     begin ─▶ admit ─▶ prepare ─▶ HSM ─▶ complete ─┬─▶ finish (receipt, answer)
 *                │           ▲                      │
 *                │           └────── again ◀────────┘   (enrolment takes two rounds)
 *                ▼
 *              refused: capsule, lag or signature; no receipt, no use
 *
 * Once a capsule is admitted the call ends with a receipt, whatever happens: what failed is its
 * outcome. A call that is cancelled meanwhile still runs to its receipt, which then goes out on the
 * standing call.
 */
#ifndef KW_SERVICES_CRYPTOCORE_CALL_H
#define KW_SERVICES_CRYPTOCORE_CALL_H

#include "common/rpc/messages.h"
#include "keyward/internal/v1/context.pb-c.h"
#include "keyward/internal/v1/core.pb-c.h"
#include "services/cryptocore/core.h"

struct kw_core_call;

/* One item of the answer and of the receipt. */
struct kw_core_item {
    struct kw_id key;
    struct kw_id device;
    enum kw_reason reason; /* KW_E_NONE: success */
    struct kw_hash result; /* of what is delivered; zero: nothing */
    Keyward__Internal__V1__CoreItem answer;
};

/* What a method does, as two steps around the HSM. */
struct kw_core_operation {
    enum kw_method_id method;
    uint32_t operations; /* KW_OPERATION_BIT of each the capsule may name */
    /* Reads body and material, makes `items` and `requests`. Fails: then every item has that
     * outcome. */
    struct kw_result (*prepare)(struct kw_core_call *call, struct kw_error *err);
    /* Takes the answers (one for each request). May make new `requests` for another round. */
    struct kw_result (*complete)(struct kw_core_call *call, const struct kw_hsm_answer *answers,
                                 size_t count, struct kw_error *err);
};

struct kw_core_call {
    struct kw_core *core;
    struct kw_hop_call *hop; /* NULL once cancelled */
    struct kw_arena *arena;
    const struct kw_method *method;
    const struct kw_core_operation *operation;
    struct kw_id stream;
    struct kw_arrival arrival;
    uint64_t deadline_ns;
    const Keyward__Internal__V1__CoreRequest *request;
    const Keyward__Internal__V1__Authorization *authorization;
    const ProtobufCMessage *body; /* the caller's request, unpacked */
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_capsule capsule;
    enum kw_actor actor;
    bool admitted; /* to its chain, which it leaves at its end */
    struct kw_id receipt_id;
    uint64_t now_ms;

    struct kw_core_item *items; /* in the arena */
    size_t item_count;
    struct kw_hsm_call hsm;
    struct kw_hsm_request *requests; /* in the arena */
    size_t *request_items;           /* which item a request is for */
    size_t request_count;
    unsigned step; /* rounds done: for operations that take more than one */
    Keyward__Internal__V1__CoreReply reply;
};

/* Takes a new call of the orchestrator's. Loop thread. */
void kw_core_call_open(struct kw_hop_call *hop, const struct kw_hop_peer *peer,
                       const struct kw_hop_open *open, struct kw_core *core);

/* Room for `count` items, all failed with INTERNAL until said otherwise, and for one request more
 * than items. Fails: ARGUMENT_INVALID (none, or over KW_CHUNK_ITEMS_MAX), MEMORY. */
struct kw_result kw_core_items_make(struct kw_core_call *call, size_t count, struct kw_error *err);

/* Adds a request for item `item`, within that room. */
struct kw_hsm_request *kw_core_request_add(struct kw_core_call *call, size_t item,
                                           enum kw_hsm_op op);

/* An answer's failure as this call's: for operations that fail as a whole. */
struct kw_result kw_core_answer_failure(const struct kw_hsm_answer *answer, struct kw_error *err);

/* Copies into the call's arena, as a protobuf field. Fails: MEMORY. */
struct kw_result kw_core_field(struct kw_core_call *call, struct kw_bytes bytes,
                               ProtobufCBinaryData *ret_field, struct kw_error *err);

#endif
