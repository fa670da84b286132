/* What is refused before anything unpacks it: raw protobuf of every request message, and tokens of list pages. The
 * tests take each message that a caller can send, so that a new one is covered by being there. */
#include "common/base/limits.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "common/rpc/page_token.h"
#include "common/rpc/protocheck.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <google/protobuf/descriptor.pb-c.h>
#include <stdlib.h>

TestSuite(rpc_parse);

#define UNKNOWN_FIELD 536870911U /* the highest number there is: no message of ours has it */

static void put_varint(struct kw_buf *out, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

        cr_assert(kw_ok(kw_buf_append(out, KW_BYTES(&byte, 1), NULL)));
        value >>= 7;
    } while (value > 0);
}

static void put_bytes(struct kw_buf *out, uint32_t field, struct kw_bytes bytes)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, bytes.len);
    cr_assert(kw_ok(kw_buf_append(out, bytes, NULL)));
}

static enum kw_reason check(const ProtobufCMessageDescriptor *type, const struct kw_buf *body)
{
    struct kw_error err = {0};
    struct kw_result result = kw_proto_check(type, kw_buf_bytes(body), &err);

    cr_assert(kw_ok(result) || (err.reason == result.reason && err.message[0] != '\0'));
    return result.reason;
}

/* Calls `each` with every field of this kind in every request message; how many there were. */
static unsigned with_each_field(ProtobufCType kind,
                                void (*each)(const ProtobufCMessageDescriptor *type,
                                             const ProtobufCFieldDescriptor *field))
{
    size_t count;
    const ProtobufCServiceDescriptor *const *services = kw_method_services(&count);
    unsigned found = 0;

    for (size_t s = 0; s < count; s++) {
        for (unsigned m = 0; m < services[s]->n_methods; m++) {
            const ProtobufCMessageDescriptor *type = services[s]->methods[m].input;

            for (unsigned f = 0; f < type->n_fields; f++) {
                if (type->fields[f].type == kind) {
                    each(type, &type->fields[f]);
                    found++;
                }
            }
        }
    }
    return found;
}

static void refuse_texts(const ProtobufCMessageDescriptor *type,
                         const ProtobufCFieldDescriptor *field)
{
    static const struct {
        const char *bytes;
        size_t len;
    } wrong[] = {
        {"a\0b", 3},             /* NUL */
        {"\xff", 1},             /* no UTF-8 */
        {"\xc0\x80", 2},         /* overlong NUL */
        {"\xe0\x80\xaf", 3},     /* overlong */
        {"\xed\xa0\x80", 3},     /* a surrogate */
        {"\xf4\x90\x80\x80", 4}, /* above U+10FFFF */
        {"\xe2\x82", 2},         /* cut */
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf body = {0};

        put_bytes(&body, field->id, KW_BYTES(wrong[i].bytes, wrong[i].len));
        cr_assert(eq(int, check(type, &body), KW_E_ENCODING_INVALID), "%s.%s, text %zu", type->name,
                  field->name, i);
    }
}

Test(rpc_parse, a_text_with_nul_or_bad_utf8_is_refused_in_every_field)
{
    cr_assert(lt(uint, 40U, with_each_field(PROTOBUF_C_TYPE_STRING, refuse_texts)));
    cr_assert(eq(int, kw_reason_row(KW_E_ENCODING_INVALID)->grpc_code, KW_GRPC_INVALID_ARGUMENT));
}

/* A length of 0, and every one that there are not as many bytes for. */
static void refuse_lengths(const ProtobufCMessageDescriptor *type,
                           const ProtobufCFieldDescriptor *field)
{
    static const uint64_t wrong[] = {4,          5,          0x7f,       0x80,      0x7fffffff,
                                     0x80000000, 0xffffffff, 1ULL << 32, INT64_MAX, UINT64_MAX};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf body = {0};

        put_varint(&body, (uint64_t)field->id << 3 | 2);
        put_varint(&body, wrong[i]);
        cr_assert(kw_ok(kw_buf_append(&body, kw_bytes_str("abc"), NULL)));
        cr_assert(eq(int, check(type, &body), KW_E_ENCODING_INVALID), "%s.%s, length %zu",
                  type->name, field->name, i);
    }
}

Test(rpc_parse, a_length_that_is_not_there_is_refused_in_every_field)
{
    cr_assert(lt(uint, 40U, with_each_field(PROTOBUF_C_TYPE_STRING, refuse_lengths)));
    cr_assert(lt(uint, 5U, with_each_field(PROTOBUF_C_TYPE_BYTES, refuse_lengths)));
    cr_assert(lt(uint, 5U, with_each_field(PROTOBUF_C_TYPE_MESSAGE, refuse_lengths)));
}

/* Said many times, the last one counts, and the memory of one request bounds it. */
static void repeat_text(const ProtobufCMessageDescriptor *type,
                        const ProtobufCFieldDescriptor *field)
{
    KW_SCOPED(kw_buf_done) struct kw_buf body = {0};
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    ProtobufCMessage *message;

    if (field->label == PROTOBUF_C_LABEL_REPEATED || field->quantifier_offset != 0) {
        kw_arena_free(arena);
        return;
    }
    for (int i = 0; i < 100; i++) {
        put_bytes(&body, field->id, i < 99 ? kw_bytes_str("first") : kw_bytes_str("last"));
    }
    cr_assert(kw_ok(kw_message_unpack(type, kw_buf_bytes(&body), arena, &message, NULL)));
    cr_assert(eq(str, *(char **)((uint8_t *)message + field->offset), "last"), "%s.%s", type->name,
              field->name);
    cr_assert(le(sz, kw_arena_used(arena), KW_REQUEST_ARENA_MAX));
    kw_arena_free(arena);
}

Test(rpc_parse, a_field_said_many_times_is_what_it_was_said_last)
{
    cr_assert(lt(uint, 40U, with_each_field(PROTOBUF_C_TYPE_STRING, repeat_text)));
}

static void fill_with_unknown(struct kw_buf *body, size_t count)
{
    KW_SCOPED(kw_buf_done) struct kw_buf one = {0};

    put_bytes(&one, UNKNOWN_FIELD, KW_BYTES_NONE);
    cr_assert(kw_ok(kw_buf_reserve(body, count * one.len, NULL)));
    for (size_t i = 0; i < count; i++) {
        kw_copy(body->data + body->len, one.data, one.len);
        body->len += one.len;
    }
}

Test(rpc_parse, unknown_fields_are_counted_and_a_flood_of_them_is_refused)
{
    size_t count;
    const ProtobufCMessageDescriptor *type = kw_method_services(&count)[0]->methods[0].input;
    KW_SCOPED(kw_buf_done) struct kw_buf body = {0};

    for (unsigned i = 0; i < KW_PROTO_UNKNOWN_MAX; i++) {
        put_bytes(&body, UNKNOWN_FIELD, KW_BYTES_NONE);
    }
    cr_assert(eq(int, check(type, &body), KW_E_NONE));
    put_bytes(&body, UNKNOWN_FIELD, KW_BYTES_NONE);
    cr_assert(eq(int, check(type, &body), KW_E_ENCODING_INVALID));
    fill_with_unknown(&body, 2000000);
    cr_assert(eq(int, check(type, &body), KW_E_BODY_TOO_LARGE));
}

/* `depth` messages one inside the other. */
static void nest(struct kw_buf *out, unsigned depth)
{
    const uint32_t nested_type = 3; /* of google.protobuf.DescriptorProto, which contains itself */

    for (unsigned i = 0; i < depth; i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf outer = {0};

        put_bytes(&outer, nested_type, kw_buf_bytes(out));
        kw_buf_move(out, &outer);
    }
}

Test(rpc_parse, a_message_nested_too_deep_is_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf deepest = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf deeper = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf bomb = {0};

    nest(&deepest, KW_PROTO_DEPTH_MAX);
    cr_assert(eq(int, check(&google__protobuf__descriptor_proto__descriptor, &deepest), KW_E_NONE));
    nest(&deeper, KW_PROTO_DEPTH_MAX + 1);
    cr_assert(eq(int, check(&google__protobuf__descriptor_proto__descriptor, &deeper),
                 KW_E_ENCODING_INVALID));
    nest(&bomb, 1000);
    cr_assert(eq(int, check(&google__protobuf__descriptor_proto__descriptor, &bomb),
                 KW_E_ENCODING_INVALID));
}

Test(rpc_parse, more_values_than_a_message_may_hold_are_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf body = {0};

    for (unsigned i = 0; i < KW_PROTO_ELEMENTS_MAX; i++) {
        put_bytes(&body, 3, KW_BYTES_NONE);
    }
    cr_assert(eq(int, check(&google__protobuf__descriptor_proto__descriptor, &body), KW_E_NONE));
    put_bytes(&body, 3, KW_BYTES_NONE);
    cr_assert(eq(int, check(&google__protobuf__descriptor_proto__descriptor, &body),
                 KW_E_ENCODING_INVALID));
}

Test(rpc_parse, unpacking_stops_at_the_arenas_budget)
{
    KW_SCOPED(kw_buf_done) struct kw_buf body = {0};
    struct kw_arena *arena = kw_arena_new(65536);
    ProtobufCMessage *message;

    for (unsigned i = 0; i < KW_PROTO_ELEMENTS_MAX; i++) {
        put_bytes(&body, 3, KW_BYTES_NONE);
    }
    cr_assert(not(kw_ok(kw_message_unpack(&google__protobuf__descriptor_proto__descriptor,
                                          kw_buf_bytes(&body), arena, &message, NULL))));
    cr_assert(le(sz, kw_arena_used(arena), (size_t)65536));
    kw_arena_free(arena);
}

Test(rpc_parse, a_page_token_has_one_spelling)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    struct kw_page_list list = {.key = &key, .method = 7, .now_ms = 1767225600000};
    struct kw_page_place place = {.time_ms = 0xabcdef, .id = {{0xab}}};
    char token[KW_PAGE_TOKEN_SIZE];
    char *digit;

    cr_assert(kw_ok(kw_secret_init(&key, 32, NULL)));
    cr_assert(kw_ok(kw_page_token_make(&list, &place, token, NULL)));
    cr_assert(kw_ok(kw_page_token_read(&list, token, &place, NULL)));
    digit = strchr(token, 'a');
    cr_assert(digit != NULL);
    *digit = 'A';
    cr_assert(
        eq(int, kw_page_token_read(&list, token, &place, NULL).reason, KW_E_PAGE_TOKEN_INVALID));
}

/* Who sends a message that fits is not told that it is none, when it is we who have no room for it. */
Test(rpc_parse, a_message_that_finds_no_memory_is_not_called_malformed)
{
    const uint8_t text[] = {0x0a, 0x03, 'a', 'b', 'c'}; /* field 1, a string */
    const ProtobufCMessageDescriptor *type = &google__protobuf__descriptor_proto__descriptor;
    struct kw_arena *little = kw_arena_new(8);
    struct kw_arena *enough = kw_arena_new(4096);
    ProtobufCMessage *message;

    cr_assert(eq(int, kw_arena_unpack(little, type, KW_BYTES_OF(text), &message, NULL).reason,
                 KW_E_MEMORY));
    cr_assert(eq(int, kw_arena_unpack(enough, type, KW_BYTES(text, 4), &message, NULL).reason,
                 KW_E_ENCODING_INVALID));
    kw_arena_free(little);
    kw_arena_free(enough);
}
