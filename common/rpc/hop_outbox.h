/* Inside common/rpc: what waits to be written on one stream, already packed. Pure. */
#ifndef KW_COMMON_RPC_HOP_OUTBOX_H
#define KW_COMMON_RPC_HOP_OUTBOX_H

#include "common/base/bytes.h"
#include "keyward/internal/v1/hop.pb-c.h"

#define KW_HOP_FLAG(name) ((uint32_t)KEYWARD__INTERNAL__V1__FRAME_FLAG__FRAME_FLAG_##name)

/* One hop message being filled. */
struct kw_hop_parcel {
    struct kw_hop_parcel *next;
    size_t frames;
    struct kw_buf packed;
};

struct kw_hop_outbox {
    struct kw_hop_parcel *head;
    struct kw_hop_parcel *last; /* the one that is filled */
    size_t bytes;               /* of all parcels here */
};

/* Appends to the last parcel, or begins one when it holds KW_HOP_FRAMES_MAX frames or would pass
 * KW_HOP_MESSAGE_LEN_MAX. Fails: MEMORY. */
struct kw_result kw_hop_outbox_hello(struct kw_hop_outbox *outbox,
                                     Keyward__Internal__V1__Hello *hello, struct kw_error *err);
struct kw_result kw_hop_outbox_frame(struct kw_hop_outbox *outbox,
                                     Keyward__Internal__V1__Frame *frame, struct kw_error *err);

/* The oldest parcel, now the caller's; NULL when empty. */
struct kw_hop_parcel *kw_hop_outbox_take(struct kw_hop_outbox *outbox);
void kw_hop_parcel_free(struct kw_hop_parcel *parcel);

void kw_hop_outbox_done(struct kw_hop_outbox *outbox);

#endif
