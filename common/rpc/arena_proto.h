/* Unpacking protobuf messages into a request's arena: nothing to free, and the arena's budget is
 * the limit. */
#ifndef KW_COMMON_RPC_ARENA_PROTO_H
#define KW_COMMON_RPC_ARENA_PROTO_H

#include "common/base/arena.h"

#include <protobuf-c/protobuf-c.h>

/* An allocator over `arena`, by value: keep it as long as the unpack call runs. Its free does
 * nothing. */
ProtobufCAllocator kw_arena_allocator(struct kw_arena *arena);

/* Unpacks; the message lives and dies with the arena, never call its free_unpacked.
 * Fails: ENCODING_INVALID (malformed), MEMORY (the arena's budget is exhausted). */
struct kw_result kw_arena_unpack(struct kw_arena *arena, const ProtobufCMessageDescriptor *type,
                                 struct kw_bytes bytes, ProtobufCMessage **ret_message,
                                 struct kw_error *err);

/* Packs into the arena. Fails: MEMORY. */
struct kw_result kw_arena_pack(struct kw_arena *arena, const ProtobufCMessage *message,
                               struct kw_bytes *ret_bytes, struct kw_error *err);

#endif
