/* Raw protobuf: every message that crosses a border of ours. What the check lets pass unpacks within the arena's
 * budget; packed again it passes the check again and says the same.
 *
 * The first byte chooses the message, of fuzz_types below.
 */
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "common/rpc/protocheck.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "keyward/internal/v1/context.pb-c.h"
#include "keyward/internal/v1/core.pb-c.h"
#include "keyward/internal/v1/feed.pb-c.h"
#include "keyward/internal/v1/hop.pb-c.h"
#include "keyward/internal/v1/replication.pb-c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/proto_mutate.h"

#define TYPES_MAX 256U

static const ProtobufCMessageDescriptor *const other_types[] = {
    &keyward__internal__v1__authorization__descriptor,
    &keyward__internal__v1__caller__descriptor,
    &keyward__internal__v1__checkpoint_notice__descriptor,
    &keyward__internal__v1__core_reply__descriptor,
    &keyward__internal__v1__core_request__descriptor,
    &keyward__internal__v1__hop_message__descriptor,
    &keyward__internal__v1__outcome__descriptor,
    &keyward__internal__v1__receipt_ack__descriptor,
    &keyward__internal__v1__renew_service_request__descriptor,
    &keyward__internal__v1__renew_service_response__descriptor,
    &grpc__health__v1__health_check_request__descriptor,
    &grpc__reflection__v1__server_reflection_request__descriptor,
    &google__rpc__status__descriptor,
    &google__rpc__error_info__descriptor,
    &google__rpc__bad_request__descriptor,
    &google__rpc__retry_info__descriptor,
    &google__rpc__request_info__descriptor,
};

/* Between cells; at the end, so that the others keep their numbers. */
static const ProtobufCMessageDescriptor *const late_types[] = {
    &keyward__internal__v1__link_frame__descriptor,
    &keyward__internal__v1__feed_subscribe_response__descriptor,
    &keyward__internal__v1__feed_read_request__descriptor,
    &keyward__internal__v1__feed_read_response__descriptor,
    &keyward__internal__v1__feed_apply_request__descriptor,
    &keyward__internal__v1__feed_apply_response__descriptor,
    &keyward__internal__v1__feed_ack_request__descriptor,
};

static const ProtobufCMessageDescriptor *types[TYPES_MAX];
static size_t type_count;

static void add_type(const ProtobufCMessageDescriptor *type)
{
    KW_FUZZ_CHECK(type_count < TYPES_MAX);
    types[type_count++] = type;
}

static void set_up(void)
{
    size_t count;
    const ProtobufCServiceDescriptor *const *services = kw_method_services(&count);

    for (size_t i = 0; i < sizeof(other_types) / sizeof(other_types[0]); i++) {
        add_type(other_types[i]);
    }
    for (size_t s = 0; s < count; s++) {
        for (unsigned m = 0; m < services[s]->n_methods; m++) {
            add_type(services[s]->methods[m].input);
            add_type(services[s]->methods[m].output);
        }
    }
    for (size_t i = 0; i < sizeof(late_types) / sizeof(late_types[0]); i++) {
        add_type(late_types[i]);
    }
}

static const ProtobufCMessageDescriptor *type_of(uint8_t number)
{
    if (type_count == 0) {
        set_up();
    }
    return types[number % type_count];
}

/* Unpacks what was accepted. NULL: the arena's budget does not hold it, or a singular message was said twice with a
 * oneof in it that is not set, which protobuf-c cannot merge. */
static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, struct kw_bytes bytes,
                                struct kw_arena *arena)
{
    ProtobufCMessage *message = NULL;
    struct kw_error err = {0};
    bool unpacked = kw_fuzz_accepted(kw_message_unpack(type, bytes, arena, &message, &err), &err);

    KW_FUZZ_CHECK(kw_arena_used(arena) <= KW_REQUEST_ARENA_MAX);
    return unpacked ? message : NULL;
}

static void pack_again(const ProtobufCMessage *message, struct kw_arena *arena)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    ProtobufCMessage *second;
    struct kw_bytes first_bytes;
    struct kw_bytes second_bytes;
    struct kw_error err = {0};

    if (!kw_ok(kw_arena_pack(arena, message, &first_bytes, NULL))) {
        return; /* the budget holds it once, not twice */
    }
    KW_FUZZ_CHECK(kw_fuzz_accepted(kw_proto_check(type, first_bytes, &err), &err) ||
                  first_bytes.len > KW_BODY_LEN_MAX);
    if (kw_ok(kw_arena_unpack(arena, type, first_bytes, &second, NULL)) &&
        kw_ok(kw_arena_pack(arena, second, &second_bytes, NULL))) {
        KW_FUZZ_CHECK(kw_bytes_equal(first_bytes, second_bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    const ProtobufCMessageDescriptor *type = type_of(kw_fuzz_u8(&input));
    struct kw_error err = {0};
    struct kw_arena *arena;
    ProtobufCMessage *message;

    if (!kw_fuzz_accepted(kw_proto_check(type, input.rest, &err), &err)) {
        return 0;
    }
    arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    KW_FUZZ_CHECK(arena != NULL);
    message = unpack(type, input.rest, arena);
    if (message != NULL) {
        (void)kw_message_request_id(message);
        (void)kw_message_validate_only(message);
        pack_again(message, arena);
    }
    kw_arena_free(arena);
    return 0;
}

#ifdef KW_FUZZ_ENGINE
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    if (size == 0 || seed % 16 == 0) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    return 1 + kw_fuzz_proto_mutate(type_of(data[0]), data + 1, size - 1, size_max - 1, seed / 16);
}
#endif
