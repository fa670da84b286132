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

/* protobuf-c says alike of what is malformed and of what had no memory. Only the first is the sender's
 * fault. */
struct unpacking {
    struct kw_arena *arena;
    bool refused;
};

static void *unpacking_alloc(void *context, size_t size)
{
    struct unpacking *unpacking = context;
    void *memory = kw_arena_alloc(unpacking->arena, size);

    unpacking->refused |= memory == NULL;
    return memory;
}

struct kw_result kw_arena_unpack(struct kw_arena *arena, const ProtobufCMessageDescriptor *type,
                                 struct kw_bytes bytes, ProtobufCMessage **ret_message,
                                 struct kw_error *err)
{
    struct unpacking unpacking = {.arena = arena};
    ProtobufCAllocator allocator = {
        .alloc = unpacking_alloc, .free = arena_free, .allocator_data = &unpacking};
    static const uint8_t empty;
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.len,
                                                          bytes.data != NULL ? bytes.data : &empty);

    KW_ENSURE(message != NULL || !unpacking.refused, err, MEMORY, "request budget: a %s",
              type->name);
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
