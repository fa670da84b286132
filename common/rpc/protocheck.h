/* Raw protobuf check: what must hold before anything unpacks a caller's bytes.
 *
 * protobuf-c accepts what the language forbids (any bytes in a string) and keeps unknown fields
 * without bound. So every message from outside is first walked once, field by field, against its
 * descriptor, without allocating: well-formed wire bytes, the wire type each known field declares,
 * valid UTF-8 without NUL in every string, bounded depth, bounded unknown fields and bounded
 * repeated elements.
 */
#ifndef KW_COMMON_RPC_PROTOCHECK_H
#define KW_COMMON_RPC_PROTOCHECK_H

#include "common/base/bytes.h"

#include <protobuf-c/protobuf-c.h>

/* Any thread. Fails: ENCODING_INVALID (the message names what and, for a known field, which),
 * BODY_TOO_LARGE (over KW_BODY_LEN_MAX). */
struct kw_result kw_proto_check(const ProtobufCMessageDescriptor *descriptor, struct kw_bytes bytes,
                                struct kw_error *err);

/* The same for a message that may be longer, or must be shorter: at most `len_max` bytes. */
struct kw_result kw_proto_check_within(const ProtobufCMessageDescriptor *descriptor,
                                       struct kw_bytes bytes, size_t len_max, struct kw_error *err);

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF; NUL is refused too. */
bool kw_utf8_is_text(struct kw_bytes bytes);

#endif
