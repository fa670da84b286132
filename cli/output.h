/* What the user gets to see: messages as JSON, as a list of fields, or as rows of a table. Data
 * goes to `out`, talk to stderr. */
#ifndef KW_CLI_OUTPUT_H
#define KW_CLI_OUTPUT_H

#include "common/base/arena.h"

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

enum kw_output_form {
    KW_OUTPUT_TABLE,
    KW_OUTPUT_JSON,
};

/* "table" or "json". Fails: ARGUMENT_INVALID. */
struct kw_result kw_output_parse(const char *name, enum kw_output_form *ret_form,
                                 struct kw_error *err);

/* Shows a response. `show` names the field to show (NULL: the whole message); a list is a table
 * with `columns`, field paths that end with NULL; a message is a list of its fields, lists inside
 * it follow as tables. JSON always shows the whole response. Fails: MEMORY. */
struct kw_result kw_output_response(enum kw_output_form form, const ProtobufCMessage *response,
                                    const char *show, const char *const *columns,
                                    struct kw_arena *arena, FILE *out, struct kw_error *err);

#endif
