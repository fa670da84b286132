/* Length-prefixed messages, both directions. */
#include "services/gateway/edge/grpc_message.h"

#include "common/base/codec.h"

void kw_edge_inbox_done(struct kw_edge_inbox *inbox)
{
    kw_buf_done(&inbox->bytes);
    inbox->taken = 0;
}

/* Moves what is left to the front, so that the buffer holds one unfinished message at most. */
static void compact(struct kw_edge_inbox *inbox)
{
    size_t left = inbox->bytes.len - inbox->taken;

    if (inbox->taken == 0) {
        return;
    }
    memmove(inbox->bytes.data, inbox->bytes.data + inbox->taken, left);
    kw_wipe(inbox->bytes.data + left, inbox->taken);
    inbox->bytes.len = left;
    inbox->taken = 0;
}

struct kw_result kw_edge_inbox_put(struct kw_edge_inbox *inbox, struct kw_bytes bytes,
                                   struct kw_error *err)
{
    compact(inbox);
    return kw_buf_append(&inbox->bytes, bytes, err);
}

size_t kw_edge_inbox_held(const struct kw_edge_inbox *inbox)
{
    return inbox->bytes.len - inbox->taken;
}

struct kw_result kw_edge_inbox_next(struct kw_edge_inbox *inbox, size_t len_max,
                                    struct kw_bytes *ret_message, bool *ret_whole,
                                    struct kw_error *err)
{
    const uint8_t *prefix;
    size_t held = kw_edge_inbox_held(inbox);
    size_t len;

    *ret_whole = false;
    if (held < KW_EDGE_PREFIX_LEN) {
        return KW_OK;
    }
    prefix = inbox->bytes.data + inbox->taken;
    KW_ENSURE(prefix[0] == 0, err, COMPRESSION_UNSUPPORTED, "message flag %u", prefix[0]);
    len = kw_be32_load(prefix + 1);
    KW_ENSURE(len <= len_max, err, BODY_TOO_LARGE, "message of %zu bytes, at most %zu", len,
              len_max);
    if (held - KW_EDGE_PREFIX_LEN >= len) {
        *ret_message = KW_BYTES(prefix + KW_EDGE_PREFIX_LEN, len);
        *ret_whole = true;
        inbox->taken += KW_EDGE_PREFIX_LEN + len;
    }
    return KW_OK;
}

struct kw_result kw_edge_message_put(struct kw_buf *out, struct kw_bytes message,
                                     struct kw_error *err)
{
    uint8_t prefix[KW_EDGE_PREFIX_LEN] = {0};

    KW_ENSURE(message.len <= UINT32_MAX, err, BODY_TOO_LARGE, "message of %zu bytes", message.len);
    kw_be32_store(prefix + 1, (uint32_t)message.len);
    KW_TRY(kw_buf_reserve(out, KW_EDGE_PREFIX_LEN + message.len, err));
    KW_TRY(kw_buf_append(out, KW_BYTES_OF(prefix), err));
    return kw_buf_append(out, message, err);
}
