/* A queue of messages that wait for room, in one piece of memory. */
#ifndef KW_SERVICES_GATEWAY_QUEUE_H
#define KW_SERVICES_GATEWAY_QUEUE_H

#include "common/base/bytes.h"

/* Zero-initialise; release with kw_queue_done. */
struct kw_queue {
    struct kw_buf buf; /* each message behind its length, u32 */
    size_t taken;      /* bytes of `buf` that were popped */
};

/* Appends a copy. Fails: LIMIT_REACHED (more than `len_max` bytes would wait), MEMORY. */
struct kw_result kw_queue_push(struct kw_queue *queue, struct kw_bytes message, size_t len_max,
                               struct kw_error *err);

/* The oldest message, valid until the next push or pop. False: there is none. */
bool kw_queue_front(const struct kw_queue *queue, struct kw_bytes *ret_message);
void kw_queue_pop(struct kw_queue *queue);

static inline bool kw_queue_is_empty(const struct kw_queue *queue)
{
    return queue->taken == queue->buf.len;
}

void kw_queue_done(struct kw_queue *queue);

#endif
