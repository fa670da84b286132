/* A message is a list of fields, so it is mutated as one: a field the descriptor knows is made up and put in, one is
 * taken out, doubled or moved, or the bytes of one are given to libFuzzer's own mutator. */
#include "tests/fuzz/proto_mutate.h"

#include "tests/fuzz/fuzz.h"

#define DEPTH_MAX    4U
#define TEXT_LEN_MAX 24U
#define FIELDS_MAX   64U

/* A small generator of our own: the seed that libFuzzer gives is all the chance there is. */
struct dice {
    uint32_t state;
};

static uint32_t roll(struct dice *dice, uint32_t sides)
{
    dice->state = dice->state * 1664525U + 1013904223U;
    return sides == 0 ? 0 : (dice->state >> 8) % sides;
}

/* --- making a field up --- */

static void put_varint(struct kw_buf *out, uint64_t value)
{
    uint8_t byte;

    do {
        byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        KW_IGNORE(kw_buf_append(out, KW_BYTES(&byte, 1), NULL));
        value >>= 7;
    } while (value > 0);
}

static uint64_t make_number(struct dice *dice)
{
    static const uint64_t often[] = {0,    1,         2,          0x7f,      0x80,
                                     0xff, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};

    return roll(dice, 2) == 0 ? often[roll(dice, sizeof(often) / sizeof(often[0]))]
                              : roll(dice, 0x10000);
}

static void put_text(struct kw_buf *out, struct dice *dice)
{
    uint8_t text[TEXT_LEN_MAX];
    size_t len = roll(dice, TEXT_LEN_MAX);

    for (size_t i = 0; i < len; i++) {
        text[i] = (uint8_t)('a' + roll(dice, 26));
    }
    put_varint(out, len);
    KW_IGNORE(kw_buf_append(out, KW_BYTES(text, len), NULL));
}

static void put_field(struct kw_buf *out, const ProtobufCMessageDescriptor *type, unsigned depth,
                      struct dice *dice);

static void put_message(struct kw_buf *out, const ProtobufCMessageDescriptor *type, unsigned depth,
                        struct dice *dice)
{
    KW_SCOPED(kw_buf_done) struct kw_buf inner = {0};

    for (uint32_t count = depth < DEPTH_MAX ? roll(dice, 3) : 0; count > 0; count--) {
        put_field(&inner, type, depth + 1, dice);
    }
    put_varint(out, inner.len);
    KW_IGNORE(kw_buf_append(out, kw_buf_bytes(&inner), NULL));
}

/* The wire types of protobuf: varint 0, 64 bit 1, bytes 2, 32 bit 5. */
static void put_value(struct kw_buf *out, const ProtobufCFieldDescriptor *field, unsigned depth,
                      struct dice *dice)
{
    static const uint8_t zeros[8];
    uint64_t tag = (uint64_t)field->id << 3;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        put_varint(out, tag | 2);
        put_text(out, dice);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        put_varint(out, tag | 2);
        put_message(out, field->descriptor, depth, dice);
        break;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        put_varint(out, tag | 1);
        KW_IGNORE(kw_buf_append(out, KW_BYTES(zeros, 8), NULL));
        break;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        put_varint(out, tag | 5);
        KW_IGNORE(kw_buf_append(out, KW_BYTES(zeros, 4), NULL));
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        put_varint(out, tag);
        put_varint(out, make_number(dice));
        break;
    }
}

static void put_field(struct kw_buf *out, const ProtobufCMessageDescriptor *type, unsigned depth,
                      struct dice *dice)
{
    if (type->n_fields > 0) {
        put_value(out, &type->fields[roll(dice, type->n_fields)], depth, dice);
    }
}

/* --- the fields that are there --- */

struct field_list {
    struct kw_bytes at[FIELDS_MAX];
    size_t count;
};

static bool take_varint(struct kw_bytes *rest, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && rest->len > 0; shift += 7) {
        uint8_t byte = rest->data[0];

        *rest = KW_BYTES(rest->data + 1, rest->len - 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool take_field(struct kw_bytes *rest)
{
    uint64_t tag = 0;
    uint64_t len = 0;

    if (!take_varint(rest, &tag)) {
        return false;
    }
    switch (tag & 7) {
    case 0:
        return take_varint(rest, &len);
    case 1:
        len = 8;
        break;
    case 2:
        if (!take_varint(rest, &len)) {
            return false;
        }
        break;
    case 5:
        len = 4;
        break;
    default:
        return false;
    }
    if (len > rest->len) {
        return false;
    }
    *rest = KW_BYTES(rest->data + len, rest->len - (size_t)len);
    return true;
}

static struct field_list find_fields(struct kw_bytes message)
{
    struct field_list list = {.count = 0};

    while (message.len > 0 && list.count < FIELDS_MAX) {
        struct kw_bytes rest = message;

        if (!take_field(&rest)) {
            break;
        }
        list.at[list.count++] = KW_BYTES(message.data, message.len - rest.len);
        message = rest;
    }
    return list;
}

/* --- mutations --- */

static void append(struct kw_buf *out, struct kw_bytes bytes)
{
    KW_IGNORE(kw_buf_append(out, bytes, NULL));
}

/* One field is left out, said twice, or moved to the end. */
static void rearrange(struct kw_buf *out, const struct field_list *list, struct dice *dice)
{
    size_t chosen = roll(dice, (uint32_t)list->count);
    uint32_t how = roll(dice, 3);

    for (size_t i = 0; i < list->count; i++) {
        if (i != chosen || how == 1) {
            append(out, list->at[i]);
        }
    }
    if (how != 0) {
        append(out, list->at[chosen]);
    }
}

static void insert(struct kw_buf *out, const ProtobufCMessageDescriptor *type,
                   const struct field_list *list, struct dice *dice)
{
    size_t before = roll(dice, (uint32_t)list->count + 1);

    for (size_t i = 0; i <= list->count; i++) {
        if (i == before) {
            put_field(out, type, 0, dice);
        }
        if (i < list->count) {
            append(out, list->at[i]);
        }
    }
}

size_t kw_fuzz_proto_mutate(const ProtobufCMessageDescriptor *type, uint8_t *data, size_t size,
                            size_t size_max, unsigned seed)
{
    KW_SCOPED(kw_buf_done) struct kw_buf changed = {0};
    struct dice dice = {seed};
    struct field_list list = find_fields(KW_BYTES(data, size));
    uint32_t how = roll(&dice, 4);

    if (how == 0) {
        insert(&changed, type, &list, &dice);
    } else if (how == 1 && list.count > 0) {
        rearrange(&changed, &list, &dice);
    } else {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    if (changed.len > size_max) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    kw_copy(data, changed.data, changed.len);
    return changed.len;
}

size_t kw_fuzz_pieces_mutate(const ProtobufCMessageDescriptor *type, uint8_t *data, size_t size,
                             size_t size_max, unsigned seed)
{
    uint8_t message[UINT16_MAX];
    size_t at = 1;
    size_t len;
    size_t room;

    for (unsigned skip = seed / 16 % 4; skip > 0 && at + 2 < size; skip--) {
        at += 2 + (size_t)(data[at] << 8 | data[at + 1]);
    }
    if (seed % 16 == 0 || at + 2 > size) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    len = (size_t)(data[at] << 8 | data[at + 1]);
    len = len < size - at - 2 ? len : size - at - 2;
    room = size_max - (size - len);
    room = room < sizeof(message) ? room : sizeof(message);
    if (room < len + 1) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    kw_copy(message, data + at + 2, len);
    room = kw_fuzz_proto_mutate(type, message, len, room, seed / 64);
    memmove(data + at + 2 + room, data + at + 2 + len, size - at - 2 - len);
    kw_copy(data + at + 2, message, room);
    data[at] = (uint8_t)(room >> 8);
    data[at + 1] = (uint8_t)room;
    return size - len + room;
}
