/* Protobuf messages by the names of their fields: filled from a command line, read for a table.
 * Everything is made in an arena. A path is a list of field names joined by dots:
 * "grant.operations". */
#ifndef KW_CLI_MESSAGE_H
#define KW_CLI_MESSAGE_H

#include "common/base/arena.h"

#include <protobuf-c/protobuf-c.h>

/* An empty message of this type, or NULL. */
ProtobufCMessage *kw_message_new(const ProtobufCMessageDescriptor *type, struct kw_arena *arena);

/* Sets the field at `path` from text; a repeated field grows by each of the words between commas.
 * Enums by their names without the common beginning ("release-key"), times as times.h reads them,
 * bytes as hex. Fails: ARGUMENT_INVALID (the text is not of the field's type), MEMORY. The path
 * must exist. */
struct kw_result kw_message_set(ProtobufCMessage *message, const char *path, const char *text,
                                struct kw_arena *arena, struct kw_error *err);

/* A field's values, wherever protobuf-c keeps them. */
struct kw_values {
    const ProtobufCFieldDescriptor *field; /* NULL: there is no such field */
    const void *first;
    size_t count; /* 0: not set */
};

/* The values of one field. A singular one that has its default is not set. */
struct kw_values kw_message_values(const ProtobufCMessage *message,
                                   const ProtobufCFieldDescriptor *field);

/* The same by path, through singular messages. */
struct kw_values kw_message_find(const ProtobufCMessage *message, const char *path);

/* What one value of this type takes in a struct. */
size_t kw_value_size(ProtobufCType type);

/* The value number `index`. */
const void *kw_value_at(const struct kw_values *values, size_t index);

/* The value number `index` of a message field. */
const ProtobufCMessage *kw_value_message(const struct kw_values *values, size_t index);

/* Does the field hold messages other than times and spans? */
bool kw_field_is_message(const ProtobufCFieldDescriptor *field);

/* All values as people read them, joined by commas; "" when not set. NULL: no memory. */
const char *kw_values_text(const struct kw_values *values, struct kw_arena *arena);

/* The enum's names' common beginning, e.g. "KEY_OPERATION_": its length. */
size_t kw_enum_prefix(const ProtobufCEnumDescriptor *type);

/* "release-key" for KEY_OPERATION_RELEASE_KEY, in the arena. NULL: no memory. */
const char *kw_enum_text(const ProtobufCEnumDescriptor *type, int number, struct kw_arena *arena);

/* Is it google.protobuf.Timestamp, or Duration? */
bool kw_type_is_time(const ProtobufCMessageDescriptor *type);
bool kw_type_is_span(const ProtobufCMessageDescriptor *type);

#endif
