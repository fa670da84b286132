/* The messages of each public method, found in the generated service descriptors. */
#ifndef KW_COMMON_RPC_MESSAGES_H
#define KW_COMMON_RPC_MESSAGES_H

#include "common/base/arena.h"
#include "common/rpc/methods.h"

#include <protobuf-c/protobuf-c.h>

/* Request and response descriptors; NULL for internal methods. */
const ProtobufCMethodDescriptor *kw_method_messages(const struct kw_method *method);

/* Every service descriptor, for reflection, health and the test that compares them with the method
 * table. */
const ProtobufCServiceDescriptor *const *kw_method_services(size_t *ret_count);

/* Checks the raw bytes (protocheck.h) and unpacks them into the arena; the result lives as long as
 * the arena. Fails: ENCODING_INVALID, BODY_TOO_LARGE, MEMORY (the arena's budget). */
struct kw_result kw_message_unpack(const ProtobufCMessageDescriptor *descriptor,
                                   struct kw_bytes bytes, struct kw_arena *arena,
                                   ProtobufCMessage **ret_message, struct kw_error *err);

/* The request's fields of these names, which every mutation has (proto/README.md); "" and false
 * where a message has none. The text is the message's. */
const char *kw_message_request_id(const ProtobufCMessage *message);
bool kw_message_validate_only(const ProtobufCMessage *message);

/* A bytes field that borrows, and back. protobuf-c's type is not const; nothing writes through it.
 */
static inline ProtobufCBinaryData kw_field_bytes(struct kw_bytes bytes)
{
    return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)(uintptr_t)bytes.data};
}

/* The same for a string field. */
static inline char *kw_field_text(const char *text)
{
    return (char *)(uintptr_t)text;
}

static inline struct kw_bytes kw_bytes_field(ProtobufCBinaryData field)
{
    return KW_BYTES(field.data, field.len);
}

#endif
