/* One walk over raw protobuf bytes, recursing into messages by descriptor. */
#include "common/rpc/protocheck.h"

#include "common/base/limits.h"

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5
};

struct walk {
    unsigned unknown;  /* unknown fields seen in the whole message */
    unsigned elements; /* values seen in the whole message: bounds what unpacking may allocate */
    struct kw_error *err;
};

static bool varint_take(struct kw_bytes *rest, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70 && rest->len > 0; shift += 7) {
        uint8_t byte = rest->data[0];

        *rest = KW_BYTES(rest->data + 1, rest->len - 1);
        if (shift == 63 && byte > 1) {
            return false; /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7f) << (shift < 64 ? shift : 0);
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool bytes_take(struct kw_bytes *rest, uint64_t len, struct kw_bytes *ret_value)
{
    if (len > rest->len) {
        return false;
    }
    *ret_value = KW_BYTES(rest->data, (size_t)len);
    *rest = KW_BYTES(rest->data + len, rest->len - (size_t)len);
    return true;
}

/* Takes one field's value; for varints `ret_value` is empty. */
static bool value_take(struct kw_bytes *rest, unsigned wire, struct kw_bytes *ret_value)
{
    uint64_t number = 0;

    *ret_value = KW_BYTES_NONE;
    switch (wire) {
    case WIRE_VARINT:
        return varint_take(rest, &number);
    case WIRE_FIXED64:
        return bytes_take(rest, 8, ret_value);
    case WIRE_FIXED32:
        return bytes_take(rest, 4, ret_value);
    case WIRE_BYTES:
        return varint_take(rest, &number) && bytes_take(rest, number, ret_value);
    default: /* groups are not part of proto3 */
        return false;
    }
}

static unsigned wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        return WIRE_VARINT;
    }
    return WIRE_VARINT;
}

bool kw_utf8_is_text(struct kw_bytes bytes)
{
    size_t i = 0;

    while (i < bytes.len) {
        uint8_t first = bytes.data[i++];
        unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        uint32_t point = more == 0 ? first : first & (0x3fU >> more);

        if (first == 0 || (first >= 0x80 && first < 0xc2) || first > 0xf4 || bytes.len - i < more) {
            return false;
        }
        for (unsigned n = 0; n < more; n++, i++) {
            if ((bytes.data[i] & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (bytes.data[i] & 0x3f);
        }
        if ((more == 2 && point < 0x800) || (more == 3 && point < 0x10000) || point > 0x10ffff ||
            (point >= 0xd800 && point <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

static struct kw_result message_walk(struct walk *walk,
                                     const ProtobufCMessageDescriptor *descriptor,
                                     struct kw_bytes rest, unsigned depth);

/* A packed list of scalars: whole elements only. */
static struct kw_result packed_walk(struct walk *walk, const ProtobufCFieldDescriptor *field,
                                    struct kw_bytes rest)
{
    while (rest.len > 0) {
        struct kw_bytes ignored;

        KW_ENSURE(value_take(&rest, wire_of(field->type), &ignored), walk->err, ENCODING_INVALID,
                  "field %s: broken packed list", field->name);
        KW_ENSURE(++walk->elements <= KW_PROTO_ELEMENTS_MAX, walk->err, ENCODING_INVALID,
                  "more than %d values", KW_PROTO_ELEMENTS_MAX);
    }
    return KW_OK;
}

static struct kw_result known_walk(struct walk *walk, const ProtobufCFieldDescriptor *field,
                                   unsigned wire, struct kw_bytes value, unsigned depth)
{
    bool packed = wire == WIRE_BYTES && wire_of(field->type) != WIRE_BYTES &&
                  field->label == PROTOBUF_C_LABEL_REPEATED;

    if (packed) {
        return packed_walk(walk, field, value);
    }
    KW_ENSURE(wire == wire_of(field->type), walk->err, ENCODING_INVALID, "field %s: wire type %u",
              field->name, wire);
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        KW_ENSURE(kw_utf8_is_text(value), walk->err, ENCODING_INVALID, "field %s: not UTF-8 text",
                  field->name);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return message_walk(walk, field->descriptor, value, depth + 1);
    }
    return KW_OK;
}

static struct kw_result message_walk(struct walk *walk,
                                     const ProtobufCMessageDescriptor *descriptor,
                                     struct kw_bytes rest, unsigned depth)
{
    KW_ENSURE(depth <= KW_PROTO_DEPTH_MAX, walk->err, ENCODING_INVALID, "nested deeper than %d",
              KW_PROTO_DEPTH_MAX);
    while (rest.len > 0) {
        uint64_t key = 0;
        struct kw_bytes value;
        const ProtobufCFieldDescriptor *field;

        KW_ENSURE(varint_take(&rest, &key) && key >> 3 != 0 && key >> 3 <= 0x1fffffff, walk->err,
                  ENCODING_INVALID, "%s: broken field key", descriptor->name);
        KW_ENSURE(value_take(&rest, (unsigned)(key & 7), &value), walk->err, ENCODING_INVALID,
                  "%s: field %u is broken", descriptor->name, (unsigned)(key >> 3));
        KW_ENSURE(++walk->elements <= KW_PROTO_ELEMENTS_MAX, walk->err, ENCODING_INVALID,
                  "more than %d values", KW_PROTO_ELEMENTS_MAX);
        field = protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(key >> 3));
        if (field == NULL) {
            KW_ENSURE(++walk->unknown <= KW_PROTO_UNKNOWN_MAX, walk->err, ENCODING_INVALID,
                      "more than %d unknown fields", KW_PROTO_UNKNOWN_MAX);
            continue;
        }
        KW_TRY(known_walk(walk, field, (unsigned)(key & 7), value, depth));
    }
    return KW_OK;
}

struct kw_result kw_proto_check_within(const ProtobufCMessageDescriptor *descriptor,
                                       struct kw_bytes bytes, size_t len_max, struct kw_error *err)
{
    struct walk walk = {.err = err};

    KW_ENSURE(bytes.len <= len_max, err, BODY_TOO_LARGE, "%zu bytes", bytes.len);
    return message_walk(&walk, descriptor, bytes, 0);
}

struct kw_result kw_proto_check(const ProtobufCMessageDescriptor *descriptor, struct kw_bytes bytes,
                                struct kw_error *err)
{
    return kw_proto_check_within(descriptor, bytes, KW_BODY_LEN_MAX, err);
}
