/* How metadata values travel: base64 for names that end in "-bin", percent-encoding for
 * grpc-message. */
#ifndef KW_SERVICES_GATEWAY_EDGE_METADATA_H
#define KW_SERVICES_GATEWAY_EDGE_METADATA_H

#include "common/base/bytes.h"

/* Appends `value` in base64 (RFC 4648 section 4) without padding, as gRPC asks of senders. Fails:
 * MEMORY. */
struct kw_result kw_edge_base64_encode(struct kw_bytes value, struct kw_buf *out,
                                       struct kw_error *err);

/* Appends what `text` stands for, padded or not, strictly: alphabet, length, and zero spare bits,
 * so that a value has one spelling. Fails: METADATA_INVALID, MEMORY. On failure `out` may have
 * grown. */
struct kw_result kw_edge_base64_decode(struct kw_bytes text, struct kw_buf *out,
                                       struct kw_error *err);

/* Appends `text` with every byte outside the printable ASCII range, and '%', as %XX. Fails: MEMORY.
 */
struct kw_result kw_edge_percent_encode(struct kw_bytes text, struct kw_buf *out,
                                        struct kw_error *err);

/* Whether a metadata name says that its value is binary. */
bool kw_edge_name_is_binary(const char *name);

/* Whether `text` can be a request id that we repeat in answers and logs: 1 to
 * KW_EDGE_REQUEST_ID_LEN_MAX letters, digits, '-', '_', '.'. */
bool kw_edge_request_id_valid(struct kw_bytes text);

#endif
