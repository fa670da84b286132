/* Filling messages from text by their descriptors. */
#include "cli/message.h"

#include "cli/times.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_ 128 /* longer words name no enum value */

/* One value, before it is put in its place. */
union value {
    char *text;
    ProtobufCBinaryData bytes;
    ProtobufCMessage *message;
    protobuf_c_boolean boolean;
    int number;
    uint32_t u32;
    uint64_t u64;
};

ProtobufCMessage *kw_message_new(const ProtobufCMessageDescriptor *type, struct kw_arena *arena)
{
    ProtobufCMessage *message = kw_arena_alloc(arena, type->sizeof_message);

    if (message != NULL) {
        protobuf_c_message_init(type, message);
    }
    return message;
}

/* "release-key" is KEY_OPERATION_RELEASE_KEY; the full name is taken too. */
static bool enum_named(const char *text, const char *name, size_t prefix)
{
    char word[NAME_MAX_];
    size_t len = strlen(text);

    if (len >= sizeof(word)) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        word[i] = text[i] == '-' ? '_' : text[i];
    }
    return strcasecmp(word, name + prefix) == 0 || strcasecmp(word, name) == 0;
}

/* All that may be said, joined by ", ". NULL: no memory. */
static const char *enum_words(const ProtobufCEnumDescriptor *type, struct kw_arena *arena)
{
    const char *words = "";

    for (unsigned i = 1; i < type->n_values && words != NULL; i++) {
        const char *word = kw_enum_text(type, type->values[i].value, arena);

        words =
            word != NULL ? kw_arena_printf(arena, "%s%s%s", words, i > 1 ? ", " : "", word) : NULL;
    }
    return words;
}

static struct kw_result enum_parse(const ProtobufCEnumDescriptor *type, const char *text,
                                   struct kw_arena *arena, int *ret_number, struct kw_error *err)
{
    const char *words;

    for (unsigned i = 1; i < type->n_values; i++) { /* the first is "unspecified" */
        if (enum_named(text, type->values[i].name, kw_enum_prefix(type))) {
            *ret_number = type->values[i].value;
            return KW_OK;
        }
    }
    words = enum_words(type, arena);
    KW_ENSURE(words != NULL, err, MEMORY, "message");
    KW_FAIL(err, ARGUMENT_INVALID, "\"%s\" is not one of %s", text, words);
}

static struct kw_result number_parse(const char *text, uint64_t max, uint64_t *ret_number,
                                     struct kw_error *err)
{
    char *end = NULL;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    KW_ENSURE(text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && number <= max, err,
              ARGUMENT_INVALID, "\"%s\" is no number from 0 to %llu", text,
              (unsigned long long)max);
    *ret_number = number;
    return KW_OK;
}

static struct kw_result time_parse(const ProtobufCMessageDescriptor *type, const char *text,
                                   struct kw_arena *arena, ProtobufCMessage **ret_message,
                                   struct kw_error *err)
{
    ProtobufCMessage *message = kw_message_new(type, arena);
    struct kw_time time;

    KW_ENSURE(message != NULL, err, MEMORY, "message");
    KW_TRY(kw_type_is_time(type) ? kw_time_parse(text, &time, err)
                                 : kw_span_parse(text, &time, err));
    /* Duration and Timestamp have the same fields in the same places. */
    ((Google__Protobuf__Timestamp *)message)->seconds = time.seconds;
    ((Google__Protobuf__Timestamp *)message)->nanos = time.nanos;
    *ret_message = message;
    return KW_OK;
}

static struct kw_result bytes_parse(const char *text, struct kw_arena *arena,
                                    ProtobufCBinaryData *ret_bytes, struct kw_error *err)
{
    size_t len = strlen(text) / 2;
    uint8_t *data = kw_arena_alloc(arena, len + 1);

    KW_ENSURE(data != NULL, err, MEMORY, "message");
    KW_TRY(kw_unhex(text, data, len, err));
    *ret_bytes = (ProtobufCBinaryData){.len = len, .data = data};
    return KW_OK;
}

static struct kw_result bool_parse(const char *text, protobuf_c_boolean *ret_boolean,
                                   struct kw_error *err)
{
    KW_ENSURE(strcmp(text, "true") == 0 || strcmp(text, "false") == 0, err, ARGUMENT_INVALID,
              "\"%s\" is neither true nor false", text);
    *ret_boolean = text[0] == 't';
    return KW_OK;
}

static struct kw_result value_parse(const ProtobufCFieldDescriptor *field, const char *text,
                                    struct kw_arena *arena, union value *ret_value,
                                    struct kw_error *err)
{
    uint64_t number = 0;

    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_STRING:
        ret_value->text = kw_arena_text(arena, text, strlen(text));
        KW_ENSURE(ret_value->text != NULL, err, MEMORY, "message");
        return KW_OK;
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_parse(text, arena, &ret_value->bytes, err);
    case PROTOBUF_C_TYPE_MESSAGE:
        return time_parse(field->descriptor, text, arena, &ret_value->message, err);
    case PROTOBUF_C_TYPE_BOOL:
        return bool_parse(text, &ret_value->boolean, err);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_parse(field->descriptor, text, arena, &ret_value->number, err);
    case PROTOBUF_C_TYPE_UINT64:
        return number_parse(text, UINT64_MAX, &ret_value->u64, err);
    default: /* the API has no other kind of number */
        KW_TRY(number_parse(text, field->type == PROTOBUF_C_TYPE_INT32 ? INT32_MAX : UINT32_MAX,
                            &number, err));
        ret_value->u32 = (uint32_t)number;
        return KW_OK;
    }
}

/* Makes the list one longer. The old one stays behind in the arena. */
static struct kw_result append(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                               const union value *value, struct kw_arena *arena,
                               struct kw_error *err)
{
    size_t *count = (size_t *)((uint8_t *)message + field->quantifier_offset);
    void **list = (void **)((uint8_t *)message + field->offset);
    size_t size = kw_value_size(field->type);
    uint8_t *longer = kw_arena_alloc(arena, (*count + 1) * size);

    KW_ENSURE(longer != NULL, err, MEMORY, "message");
    kw_copy(longer, *list, *count * size);
    kw_copy(longer + *count * size, value, size);
    *list = longer;
    (*count)++;
    return KW_OK;
}

static void put(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                const union value *value)
{
    uint8_t *base = (uint8_t *)message;

    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        *(uint32_t *)(base + field->quantifier_offset) = field->id;
    }
    kw_copy(base + field->offset, value, kw_value_size(field->type));
}

static struct kw_result append_words(ProtobufCMessage *message,
                                     const ProtobufCFieldDescriptor *field, const char *text,
                                     struct kw_arena *arena, struct kw_error *err)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        const char *word = kw_arena_text(arena, text, len);
        union value value = {0};

        KW_ENSURE(word != NULL, err, MEMORY, "message");
        KW_TRY(value_parse(field, word, arena, &value, err));
        KW_TRY(append(message, field, &value, arena, err));
        text += len + (text[len] == ',' ? 1 : 0);
    }
    return KW_OK;
}

/* The message in this field, made if it is not there. */
static struct kw_result enter(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                              struct kw_arena *arena, ProtobufCMessage **ret_inner,
                              struct kw_error *err)
{
    struct kw_values present = kw_message_values(message, field);
    union value value;

    if (present.count == 1) {
        *ret_inner = *(ProtobufCMessage *const *)present.first;
        return KW_OK;
    }
    value.message = kw_message_new(field->descriptor, arena);
    KW_ENSURE(value.message != NULL, err, MEMORY, "message");
    put(message, field, &value);
    *ret_inner = value.message;
    return KW_OK;
}

struct kw_result kw_message_set(ProtobufCMessage *message, const char *path, const char *text,
                                struct kw_arena *arena, struct kw_error *err)
{
    const char *rest = strchr(path, '.');
    const char *name = kw_arena_text(arena, path, strcspn(path, "."));
    const ProtobufCFieldDescriptor *field;
    union value value = {0};

    KW_ENSURE(name != NULL, err, MEMORY, "message");
    field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    KW_ENSURE(field != NULL, err, INTERNAL, "%s has no field %s", message->descriptor->name, name);
    if (rest != NULL) {
        ProtobufCMessage *inner = NULL;

        KW_TRY(enter(message, field, arena, &inner, err));
        return kw_message_set(inner, rest + 1, text, arena, err);
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return append_words(message, field, text, arena, err);
    }
    KW_TRY(value_parse(field, text, arena, &value, err));
    put(message, field, &value);
    return KW_OK;
}
