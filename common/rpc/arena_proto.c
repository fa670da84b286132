/* protobuf-c over an arena. */
#include "common/rpc/arena_proto.h"

static void *arena_alloc(void *context, size_t size)
{
    return kw_arena_alloc(context, size);
}

static void arena_free(void *context, void *memory)
{
    (void)context; /* the arena frees everything at once */
    (void)memory;
}

ProtobufCAllocator kw_arena_allocator(struct kw_arena *arena)
{
    return (ProtobufCAllocator){.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};
}

struct kw_result kw_arena_unpack(struct kw_arena *arena, const ProtobufCMessageDescriptor *type,
                                 struct kw_bytes bytes, ProtobufCMessage **ret_message,
                                 struct kw_error *err)
{
    ProtobufCAllocator allocator = kw_arena_allocator(arena);
    static const uint8_t empty;
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.len,
                                                          bytes.data != NULL ? bytes.data : &empty);

    KW_ENSURE(message != NULL, err, ENCODING_INVALID, "not a %s of %zu bytes", type->name,
              bytes.len);
    *ret_message = message;
    return KW_OK;
}

struct kw_result kw_arena_pack(struct kw_arena *arena, const ProtobufCMessage *message,
                               struct kw_bytes *ret_bytes, struct kw_error *err)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = kw_arena_alloc(arena, len > 0 ? len : 1);

    KW_ENSURE(packed != NULL, err, MEMORY, "request budget: %zu bytes more", len);
    (void)protobuf_c_message_pack(message, packed);
    *ret_bytes = KW_BYTES(packed, len);
    return KW_OK;
}
