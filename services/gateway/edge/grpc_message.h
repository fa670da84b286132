/* gRPC's message framing: one flag byte, a 32-bit big-endian length, the message.
 *
 * An inbox takes the bytes of a stream as they come, cut anywhere, and gives whole messages.
 */
#ifndef KW_SERVICES_GATEWAY_EDGE_GRPC_MESSAGE_H
#define KW_SERVICES_GATEWAY_EDGE_GRPC_MESSAGE_H

#include "common/base/bytes.h"

#define KW_EDGE_PREFIX_LEN 5

/* Zero-initialise; release with kw_edge_inbox_done. */
struct kw_edge_inbox {
    struct kw_buf bytes;
    size_t taken; /* bytes at the front that were already given out */
};

void kw_edge_inbox_done(struct kw_edge_inbox *inbox);

/* Adds bytes as received. Messages given out before are invalid from here. Fails: MEMORY. */
struct kw_result kw_edge_inbox_put(struct kw_edge_inbox *inbox, struct kw_bytes bytes,
                                   struct kw_error *err);

/* Gives the next whole message, or *ret_whole = false when more bytes are needed. The message stays
 * valid until the next put. Fails, as soon as the prefix is there: COMPRESSION_UNSUPPORTED (flag),
 * BODY_TOO_LARGE. */
struct kw_result kw_edge_inbox_next(struct kw_edge_inbox *inbox, size_t len_max,
                                    struct kw_bytes *ret_message, bool *ret_whole,
                                    struct kw_error *err);

/* Bytes that wait for the rest of their message. */
size_t kw_edge_inbox_held(const struct kw_edge_inbox *inbox);

/* Appends prefix and message. Fails: MEMORY; then nothing was appended. */
struct kw_result kw_edge_message_put(struct kw_buf *out, struct kw_bytes message,
                                     struct kw_error *err);

#endif
