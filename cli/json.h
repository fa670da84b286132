/* Messages as proto3 JSON: lowerCamelCase names, bytes in base64, 64-bit numbers and times as
 * strings, what has its default left out. */
#ifndef KW_CLI_JSON_H
#define KW_CLI_JSON_H

#include "common/base/result.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

/* A new object, or NULL: no memory. The caller releases it with json_decref. */
json_t *kw_json_from_message(const ProtobufCMessage *message);

/* Writes a line and releases `json`; NULL is want of memory. Fails: SYSTEM (`out`), MEMORY. */
struct kw_result kw_json_line(json_t *json, FILE *out, struct kw_error *err);

#endif
