/* Reading messages by their descriptors. */
#include "cli/message.h"

#include "cli/times.h"
#include "keyward/v1/common.pb-c.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool kw_type_is_time(const ProtobufCMessageDescriptor *type)
{
    return type == &google__protobuf__timestamp__descriptor;
}

bool kw_type_is_span(const ProtobufCMessageDescriptor *type)
{
    return strcmp(type->name, "google.protobuf.Duration") == 0;
}

bool kw_field_is_message(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_MESSAGE && !kw_type_is_time(field->descriptor) &&
           !kw_type_is_span(field->descriptor);
}

size_t kw_value_size(ProtobufCType type)
{
    switch ((int)type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    default:
        return sizeof(uint32_t);
    }
}

static bool is_default(const ProtobufCFieldDescriptor *field, const void *at)
{
    static const uint8_t zeros[sizeof(uint64_t)];

    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return *(char *const *)at == NULL || **(char *const *)at == '\0';
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)at)->len == 0;
    default:
        return kw_bytes_equal(KW_BYTES(at, kw_value_size(field->type)),
                              KW_BYTES(zeros, kw_value_size(field->type)));
    }
}

static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const uint8_t *base = (const uint8_t *)message;

    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return *(const uint32_t *)(base + field->quantifier_offset) == field->id;
    }
    return !is_default(field, base + field->offset);
}

struct kw_values kw_message_values(const ProtobufCMessage *message,
                                   const ProtobufCFieldDescriptor *field)
{
    const uint8_t *base = (const uint8_t *)message;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return (struct kw_values){field, *(void *const *)(base + field->offset),
                                  *(const size_t *)(base + field->quantifier_offset)};
    }
    return (struct kw_values){field, base + field->offset, is_set(message, field) ? 1 : 0};
}

const void *kw_value_at(const struct kw_values *values, size_t index)
{
    return (const uint8_t *)values->first + index * kw_value_size(values->field->type);
}

const ProtobufCMessage *kw_value_message(const struct kw_values *values, size_t index)
{
    return *(ProtobufCMessage *const *)kw_value_at(values, index);
}

/* The field whose name is the path's first word. */
static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, const char *path)
{
    size_t len = strcspn(path, ".");

    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];

        if (strlen(field->name) == len && strncmp(field->name, path, len) == 0) {
            return field;
        }
    }
    return NULL;
}

struct kw_values kw_message_find(const ProtobufCMessage *message, const char *path)
{
    const ProtobufCFieldDescriptor *field = field_of(message, path);
    struct kw_values values;
    const char *rest = strchr(path, '.');

    if (field == NULL) {
        return (struct kw_values){0};
    }
    values = kw_message_values(message, field);
    if (rest == NULL) {
        return values;
    }
    if (values.count != 1 || field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return (struct kw_values){0};
    }
    return kw_message_find(kw_value_message(&values, 0), rest + 1);
}

size_t kw_enum_prefix(const ProtobufCEnumDescriptor *type)
{
    static const char last[] = "UNSPECIFIED";
    size_t len = strlen(type->values[0].name);

    return len >= sizeof(last) - 1 ? len - (sizeof(last) - 1) : 0;
}

const char *kw_enum_text(const ProtobufCEnumDescriptor *type, int number, struct kw_arena *arena)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    char *text;

    if (value == NULL) {
        return kw_arena_printf(arena, "%d", number);
    }
    text = kw_arena_printf(arena, "%s", value->name + kw_enum_prefix(type));
    for (char *c = text; c != NULL && *c != '\0'; c++) {
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
    }
    return text;
}

static const char *bytes_text(const ProtobufCBinaryData *bytes, struct kw_arena *arena)
{
    char *text = kw_arena_alloc(arena, 2 * bytes->len + 1);

    if (text != NULL) {
        kw_hex(KW_BYTES(bytes->data, bytes->len), text);
    }
    return text;
}

static const char *message_text(const ProtobufCMessage *message, struct kw_arena *arena)
{
    /* Duration and Timestamp have the same fields in the same places. */
    const Google__Protobuf__Timestamp *time = (const Google__Protobuf__Timestamp *)message;
    char text[KW_TIME_TEXT_SIZE];

    if (kw_type_is_time(message->descriptor)) {
        return kw_arena_printf(arena, "%s",
                               kw_time_text((struct kw_time){time->seconds, time->nanos}, text));
    }
    if (kw_type_is_span(message->descriptor)) {
        return kw_arena_printf(arena, "%s",
                               kw_span_text((struct kw_time){time->seconds, time->nanos}, text));
    }
    return "…";
}

static const char *one_text(const ProtobufCFieldDescriptor *field, const void *at,
                            struct kw_arena *arena)
{
    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return *(char *const *)at;
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_text(at, arena);
    case PROTOBUF_C_TYPE_MESSAGE:
        return message_text(*(ProtobufCMessage *const *)at, arena);
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)at ? "yes" : "no";
    case PROTOBUF_C_TYPE_ENUM:
        return kw_enum_text(field->descriptor, *(const int *)at, arena);
    case PROTOBUF_C_TYPE_UINT64:
        return kw_arena_printf(arena, "%" PRIu64, *(const uint64_t *)at);
    case PROTOBUF_C_TYPE_INT64:
        return kw_arena_printf(arena, "%" PRId64, *(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
        return kw_arena_printf(arena, "%" PRIu32, *(const uint32_t *)at);
    default: /* the API has no other kind of number */
        return kw_arena_printf(arena, "%" PRId32, *(const int32_t *)at);
    }
}

const char *kw_values_text(const struct kw_values *values, struct kw_arena *arena)
{
    const char *text = values->count > 0 ? one_text(values->field, values->first, arena) : "";

    for (size_t i = 1; i < values->count && text != NULL; i++) {
        const char *next = one_text(values->field, kw_value_at(values, i), arena);

        text = next != NULL ? kw_arena_printf(arena, "%s,%s", text, next) : NULL;
    }
    return text;
}
