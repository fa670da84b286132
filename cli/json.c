/* JSON by reflection over protobuf-c's descriptors. */
#include "cli/json.h"

#include "cli/message.h"
#include "cli/times.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <ctype.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 128 /* the API's names are far shorter */

static json_t *bytes_json(const ProtobufCBinaryData *bytes)
{
    size_t size = 4 * ((bytes->len + 2) / 3) + 1;
    unsigned char *text = malloc(size);
    json_t *json = NULL;

    if (text != NULL) {
        json = json_stringn((const char *)text,
                            (size_t)EVP_EncodeBlock(text, bytes->data, (int)bytes->len));
    }
    free(text);
    return json;
}

static json_t *inner_json(const ProtobufCMessage *message)
{
    /* Duration and Timestamp have the same fields in the same places. */
    const Google__Protobuf__Timestamp *time = (const Google__Protobuf__Timestamp *)message;
    char text[KW_TIME_TEXT_SIZE];

    if (kw_type_is_time(message->descriptor)) {
        return json_string(kw_time_text((struct kw_time){time->seconds, time->nanos}, text));
    }
    if (kw_type_is_span(message->descriptor)) {
        return json_string(kw_span_text((struct kw_time){time->seconds, time->nanos}, text));
    }
    return kw_json_from_message(message);
}

static json_t *enum_json(const ProtobufCEnumDescriptor *type, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

    return value != NULL ? json_string(value->name) : json_integer(number);
}

/* JSON's numbers are doubles to many readers: 64 bits travel as text. */
static json_t *unsigned_json(uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    return json_string(text);
}

static json_t *signed_json(int64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    return json_string(text);
}

static json_t *value_json(const ProtobufCFieldDescriptor *field, const void *at)
{
    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return json_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_json(at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return inner_json(*(ProtobufCMessage *const *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_json(field->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_UINT64:
        return unsigned_json(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_INT64:
        return signed_json(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
        return json_integer(*(const uint32_t *)at);
    default: /* the API has no other kind of number */
        return json_integer(*(const int32_t *)at);
    }
}

/* protobuf-c has a map as a list of entries; nothing else of ours is called so. */
static bool is_map(const ProtobufCFieldDescriptor *field)
{
    static const char suffix[] = "Entry";
    const ProtobufCMessageDescriptor *type = field->descriptor;
    size_t len;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED) {
        return false;
    }
    len = strlen(type->name);
    return len > sizeof(suffix) && strcmp(type->name + len - (sizeof(suffix) - 1), suffix) == 0 &&
           type->n_fields == 2 && strcmp(type->fields[0].name, "key") == 0;
}

static json_t *map_json(const struct kw_values *values)
{
    json_t *map = json_object();

    for (size_t i = 0; i < values->count; i++) {
        const ProtobufCMessage *entry = kw_value_message(values, i);
        struct kw_values key = kw_message_find(entry, "key");
        struct kw_values value = kw_message_find(entry, "value");

        (void)json_object_set_new(map, key.count == 1 ? *(char *const *)key.first : "",
                                  value_json(value.field, value.first));
    }
    return map;
}

static json_t *list_json(const struct kw_values *values)
{
    json_t *list = json_array();

    for (size_t i = 0; i < values->count; i++) {
        (void)json_array_append_new(list, value_json(values->field, kw_value_at(values, i)));
    }
    return list;
}

static const char *camel_case(const char *name, char text[NAME_SIZE])
{
    size_t len = 0;

    for (bool upper = false; *name != '\0' && len < NAME_SIZE - 1; name++) {
        if (*name == '_') {
            upper = true;
            continue;
        }
        text[len++] = upper ? (char)toupper((unsigned char)*name) : *name;
        upper = false;
    }
    text[len] = '\0';
    return text;
}

json_t *kw_json_from_message(const ProtobufCMessage *message)
{
    json_t *object = json_object();
    char name[NAME_SIZE];

    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        struct kw_values values = kw_message_values(message, field);
        json_t *json;

        if (values.count == 0) {
            continue;
        }
        if (is_map(field)) {
            json = map_json(&values);
        } else if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            json = list_json(&values);
        } else {
            json = value_json(field, values.first);
        }
        (void)json_object_set_new(object, camel_case(field->name, name), json);
    }
    return object;
}

struct kw_result kw_json_line(json_t *json, FILE *out, struct kw_error *err)
{
    int rc;

    KW_ENSURE(json != NULL, err, MEMORY, "JSON");
    rc = json_dumpf(json, out, JSON_COMPACT);
    json_decref(json);
    KW_ENSURE(rc == 0 && fputc('\n', out) == '\n', err, SYSTEM, "a line cannot be written");
    return KW_OK;
}
