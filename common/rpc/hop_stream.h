/* Inside common/rpc: one hop stream, either side: its gRPC call, what waits to be written, its
 * calls in flight.
 *
 *   new ──▶ dialling ──peer's hello──▶ ready ──drain──▶ draining
 *              └───────────────────────┴──────────────────┴──gRPC call over──▶ over ──▶ gone
 *
 * It dies when its gRPC call is over, the last tag is back and its timer is closed, and nowhere
 * else. */
#ifndef KW_COMMON_RPC_HOP_STREAM_H
#define KW_COMMON_RPC_HOP_STREAM_H

#include "common/rpc/hop_calls.h"
#include "common/rpc/hop_outbox.h"
#include "common/rpc/tag.h"

#define KW_HOP_PATH    "/keyward.internal.v1.Hop/Stream"
#define KW_HOP_VERSION 1U

/* What the two sides do differently. */
struct kw_hop_role {
    void (*ready)(struct kw_hop_stream *stream); /* the peer's hello is here */
    bool (*frame)(struct kw_hop_stream *stream,
                  const Keyward__Internal__V1__Frame *frame); /* false: a violation */
    void (*expired)(struct kw_hop_call *call);  /* its deadline has passed; must drop it */
    void (*lost)(struct kw_hop_call *call);     /* the stream is over; must drop it */
    void (*idle)(struct kw_hop_stream *stream); /* the last call was dropped */
    void (*over)(struct kw_hop_stream *stream); /* no calls left, nothing will be sent */
    void (*gone)(struct kw_hop_stream *stream); /* the memory is freed after this */
};

struct kw_hop_stream {
    struct kw_rpc *rpc;
    const struct kw_hop_role *role;
    void *owner;
    struct kw_hop_stats *stats;
    grpc_call *call;
    unsigned pending; /* tags given to gRPC and not yet back */
    struct kw_rpc_tag send_tag;
    struct kw_rpc_tag receive_tag;
    struct kw_rpc_tag over_tag;
    struct kw_rpc_tag metadata_tag;
    grpc_byte_buffer *sending; /* not NULL: a send is outstanding */
    grpc_byte_buffer *received;
    grpc_metadata_array metadata;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice status_text;
    int cancelled;
    struct kw_flush flush;
    struct kw_timer timer;
    uint64_t timer_ns; /* when it fires; 0: not armed */
    struct kw_hop_outbox outbox;
    struct kw_hop_calls calls;
    struct kw_id peer_boot_id;
    bool inner;
    bool metadata_sent;
    bool full;    /* the outbox was full: blocked calls are told when it no longer is */
    bool starved; /* not reading until the outbox is smaller */
    bool ready;
    bool draining;
    bool broken; /* cancelled by us */
    bool over;
};

/* Takes `call`. Fails: MEMORY (then `call` is still the caller's). */
struct kw_result kw_hop_stream_new(struct kw_rpc *rpc, grpc_call *call,
                                   const struct kw_hop_role *role, void *owner,
                                   struct kw_hop_stats *stats, struct kw_hop_stream **ret_stream,
                                   struct kw_error *err);

/* Starts the gRPC operations; the hello goes out with this turn's flush. */
void kw_hop_stream_begin(struct kw_hop_stream *stream, bool inner);

/* Queues a frame for this turn's flush. On a stream that is over it goes nowhere. */
void kw_hop_stream_put(struct kw_hop_stream *stream, Keyward__Internal__V1__Frame *frame);

/* Cancels the gRPC call; everything else follows from its end. Harmless when repeated. */
void kw_hop_stream_break(struct kw_hop_stream *stream);

/* Arms the timer for the earliest deadline. */
void kw_hop_stream_arm(struct kw_hop_stream *stream);

/* Takes a call off the stream and frees it. */
void kw_hop_stream_drop(struct kw_hop_call *call);

/* Ready and neither draining nor ending. */
bool kw_hop_stream_open_for_calls(const struct kw_hop_stream *stream);
bool kw_hop_stream_full(const struct kw_hop_stream *stream);

/* Reads a message: hello and frames, to the role. Fails: ENCODING_INVALID (any violation), MEMORY.
 */
struct kw_result kw_hop_stream_read(struct kw_hop_stream *stream, struct kw_bytes message,
                                    struct kw_error *err);

/* --- frames, shared by the roles (hop_frames.c) --- */

/* An item arrived on `call`: false when it is over a limit or the credit. Does not deliver it. */
bool kw_hop_charge(struct kw_hop_call *call, const Keyward__Internal__V1__Frame *frame);
void kw_hop_spend(struct kw_hop_call *call,
                  struct kw_hop_item item); /* takes the item off our credit */
void kw_hop_take_credit(struct kw_hop_call *call, uint64_t credit);
struct kw_hop_item kw_hop_frame_item(const Keyward__Internal__V1__Frame *frame);
Keyward__Internal__V1__Frame kw_hop_frame_make(const struct kw_hop_call *call, uint32_t flags);
void kw_hop_frame_set_item(Keyward__Internal__V1__Frame *frame, struct kw_hop_item item);
bool kw_hop_item_fits(struct kw_hop_item item);

#endif
