/* The queue keeps its memory while it is short, and forgets what was popped when it is empty. */
#include "services/gateway/queue.h"

#include "common/base/codec.h"

#define PREFIX_LEN sizeof(uint32_t)

/* Moves what waits to the front once half of the memory is what was popped. */
static void compact(struct kw_queue *queue)
{
    size_t left = queue->buf.len - queue->taken;

    if (queue->taken > 0 && queue->taken >= left) {
        memmove(queue->buf.data, queue->buf.data + queue->taken, left);
        queue->buf.len = left;
        queue->taken = 0;
    }
}

struct kw_result kw_queue_push(struct kw_queue *queue, struct kw_bytes message, size_t len_max,
                               struct kw_error *err)
{
    uint8_t prefix[PREFIX_LEN];

    size_t waiting = queue->buf.len - queue->taken;

    KW_ENSURE(waiting + PREFIX_LEN + message.len <= len_max, err, LIMIT_REACHED,
              "%zu bytes wait for room", waiting);
    compact(queue);
    KW_TRY(kw_buf_reserve(&queue->buf, PREFIX_LEN + message.len, err));
    kw_be32_store(prefix, (uint32_t)message.len);
    KW_TRY(kw_buf_append(&queue->buf, KW_BYTES_OF(prefix), err));
    return kw_buf_append(&queue->buf, message, err);
}

bool kw_queue_front(const struct kw_queue *queue, struct kw_bytes *ret_message)
{
    const uint8_t *at;

    if (kw_queue_is_empty(queue)) {
        return false;
    }
    at = queue->buf.data + queue->taken;
    *ret_message = KW_BYTES(at + PREFIX_LEN, kw_be32_load(at));
    return true;
}

void kw_queue_pop(struct kw_queue *queue)
{
    struct kw_bytes message;

    if (!kw_queue_front(queue, &message)) {
        return;
    }
    queue->taken += PREFIX_LEN + message.len;
    if (kw_queue_is_empty(queue)) {
        kw_buf_clear(&queue->buf);
        queue->taken = 0;
    }
}

void kw_queue_done(struct kw_queue *queue)
{
    kw_buf_done(&queue->buf);
    queue->taken = 0;
}
