/* A wire: one link as it is spoken over one standing call. It knows what a frame is, and that the peer is
 * where its certificate says; what frames mean is the mind's (core/replicator.h).
 *
 *     mind ──frame──▶ [urgent][batch][ack] ──pieces──▶ call     what the call does not take waits
 *     mind ◀──frame── [ piece piece … ]    ◀──pieces── call     until it is whole
 *
 * What waits is bounded twice: from KW_LINK_QUEUE_LEN_SOFT on kw_wire_room says no, and no more batches
 * are read for it; at KW_LINK_QUEUE_LEN_MAX the wire breaks. What is urgent goes ahead of frames that wait,
 * but not of the greeting.
 *
 * A wire that is broken does nothing any more, says so once by `broken`, and is to be freed; not from
 * inside a callback of its own. Loop thread.
 */
#ifndef KW_SERVICES_REPLICATOR_WIRE_H
#define KW_SERVICES_REPLICATOR_WIRE_H

#include "common/rpc/hop.h"
#include "services/replicator/frame_codec.h"
#include "services/replicator/pieces.h"

struct kw_wire_events {
    /* A frame has come. What it borrows is gone when this returns. */
    void (*frame)(void *context, const struct kw_frame *frame);
    void (*room)(void *context);   /* kw_wire_room says yes again */
    void (*broken)(void *context); /* for `wire->why` */
    void *context;
};

struct kw_wire_options {
    const struct kw_link_hello *hello; /* ours; borrowed */
    const struct kw_place *peer;       /* where its certificate says it is; borrowed */
    const size_t *held; /* bytes of its records that our owners have not judged yet; borrowed */
    struct kw_wire_events events;
};

struct kw_wire_frame {
    struct kw_wire_frame *next;
    struct kw_buf items; /* pieces.h */
    size_t at;           /* what of them is sent */
    bool urgent;
};

struct kw_wire_queue {
    struct kw_wire_frame *first;
    struct kw_wire_frame **last;
};

struct kw_wire {
    struct kw_wire_options options;
    struct kw_hop_call *call; /* NULL: it is over, or not begun */
    bool inner;               /* whose inner side we are */
    struct kw_pieces coming;
    struct kw_wire_queue waiting;
    struct kw_wire_queue urgent;
    struct kw_wire_frame *going; /* of which a part is sent, or NULL */
    size_t queued;               /* bytes that wait */
    size_t urgents;              /* of them, of urgent changes */
    size_t unconsumed;           /* bytes that came and are not yet returned as credit */
    uint32_t version;            /* that both speak; 0: it has not said hello */
    unsigned sent;               /* frames, up to the greeting's */
    bool wanted;                 /* kw_wire_room said no */
    const char *why;             /* it is broken, for this; a constant */
};

/* Without a call yet. Fails: MEMORY. */
struct kw_result kw_wire_new(const struct kw_wire_options *options, struct kw_wire **ret_wire,
                             struct kw_error *err);

/* Calls the peer. Fails: as kw_hop_open. */
struct kw_result kw_wire_call(struct kw_wire *wire, struct kw_hop_client *client,
                              struct kw_error *err);

/* Takes the peer's call. */
void kw_wire_serve(struct kw_wire *wire, struct kw_hop_call *call);

/* Ends the call, saying why to a peer that made it. Accepts NULL. */
void kw_wire_free(struct kw_wire *wire);

/* Sends a frame, or has it wait. What can't be sent breaks the wire. */
void kw_wire_send(struct kw_wire *wire, const struct kw_frame *frame);

/* Is there room for another batch? If not, `room` comes. */
bool kw_wire_room(struct kw_wire *wire);

/* Is there room for another urgent change? */
bool kw_wire_urgent_room(const struct kw_wire *wire);

/* Our owners have judged something: `held` is less. */
void kw_wire_judged(struct kw_wire *wire);

/* `why` is a constant. */
void kw_wire_break(struct kw_wire *wire, const char *why);

#endif
