/* Messages as proto3 JSON: lowerCamelCase names, bytes in base64, 64-bit numbers and times as
 * strings, what has its default left out. */
#ifndef KW_CLI_JSON_H
#define KW_CLI_JSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* A new object, or NULL: no memory. The caller releases it with json_decref. */
json_t *kw_json_from_message(const ProtobufCMessage *message);

#endif
