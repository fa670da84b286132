/* Inside common/rpc: the calls in flight on one stream: a table of slots and a heap of deadlines.
 * Pure. */
#ifndef KW_COMMON_RPC_HOP_CALLS_H
#define KW_COMMON_RPC_HOP_CALLS_H

#include "common/base/limits.h"
#include "common/rpc/hop.h"

struct kw_hop_stream;

struct kw_hop_call {
    struct kw_hop_stream *stream;
    uint64_t id; /* slot in the low 16 bits, a count above: found without searching */
    uint64_t deadline_ns;
    size_t heap_index;
    struct kw_hop_events events;
    void *user;
    size_t window;         /* bytes on their way before the receiver says more: its method's */
    int64_t credit;        /* of it, what the peer still takes; one item may overdraw it */
    size_t unconsumed;     /* data received and not yet returned as credit */
    size_t overhead;       /* of received items beside their data; consume returns it too */
    size_t credit_owed;    /* consumed, not yet told to the peer */
    enum kw_reason expiry; /* why it ends when its deadline has passed */
    bool blocked;          /* kw_hop_send said no: `writable` is due */
    bool ended;            /* the outer side has sent END */
};

struct kw_hop_calls {
    struct kw_hop_call *slots[KW_HOP_CALLS_MAX];
    struct kw_hop_call *heap[KW_HOP_CALLS_MAX]; /* earliest deadline first */
    size_t count;
    size_t next_slot; /* where the outer side looks for a free one */
    uint64_t made;
};

/* A new call with an id of our choosing (outer side), or NULL: table full or out of memory. */
struct kw_hop_call *kw_hop_calls_make(struct kw_hop_calls *calls, uint32_t method,
                                      uint64_t deadline_ns);

/* A new call with the peer's id (inner side). NULL: the slot does not exist or is taken, or out of
 * memory. */
struct kw_hop_call *kw_hop_calls_accept(struct kw_hop_calls *calls, uint64_t id, uint32_t method,
                                        uint64_t deadline_ns);

/* The call with this id, or NULL: over already, or never was. */
struct kw_hop_call *kw_hop_calls_find(const struct kw_hop_calls *calls, uint64_t id);

/* Takes it out of table and heap and frees it. */
void kw_hop_calls_remove(struct kw_hop_calls *calls, struct kw_hop_call *call);

/* Makes its deadline past, so that it ends for `reason` when deadlines are looked at next. */
void kw_hop_calls_expire(struct kw_hop_calls *calls, struct kw_hop_call *call,
                         enum kw_reason reason);

/* The call with the earliest deadline, or NULL. */
struct kw_hop_call *kw_hop_calls_first(const struct kw_hop_calls *calls);

#endif
