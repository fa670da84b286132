/* Choosing what of a response is shown, and how. */
#include "cli/output.h"

#include "cli/json.h"
#include "cli/message.h"
#include "cli/table.h"

#include <string.h>

#define COLUMNS_MAX 16

struct kw_result kw_output_parse(const char *name, enum kw_output_form *ret_form,
                                 struct kw_error *err)
{
    KW_ENSURE(strcmp(name, "table") == 0 || strcmp(name, "json") == 0, err, ARGUMENT_INVALID,
              "output is table or json, not \"%s\"", name);
    *ret_form = strcmp(name, "json") == 0 ? KW_OUTPUT_JSON : KW_OUTPUT_TABLE;
    return KW_OK;
}

static struct kw_result show_json(const ProtobufCMessage *message, FILE *out, struct kw_error *err)
{
    json_t *json = kw_json_from_message(message);
    int rc;

    KW_ENSURE(json != NULL, err, MEMORY, "JSON");
    rc = json_dumpf(json, out, JSON_INDENT(2));
    json_decref(json);
    (void)fputc('\n', out);
    KW_ENSURE(rc == 0, err, SYSTEM, "the answer cannot be written");
    return KW_OK;
}

/* One row: the texts at these paths. */
static struct kw_result row_add(struct kw_table *table, const ProtobufCMessage *message,
                                const char *const *columns, struct kw_arena *arena,
                                struct kw_error *err)
{
    const char *cells[COLUMNS_MAX];
    size_t count = 0;

    for (; count < COLUMNS_MAX && columns[count] != NULL; count++) {
        struct kw_values values = kw_message_find(message, columns[count]);

        cells[count] = kw_values_text(&values, arena);
        KW_ENSURE(cells[count] != NULL, err, MEMORY, "table");
    }
    return kw_table_add(table, cells, count, err);
}

static struct kw_result show_rows(const struct kw_values *rows, const char *const *columns,
                                  struct kw_arena *arena, FILE *out, struct kw_error *err)
{
    KW_SCOPED(kw_table_done) struct kw_table table = {0};

    if (rows->count == 0) {
        (void)fprintf(stderr, "none\n"); /* an empty table has not even headings */
        return KW_OK;
    }
    KW_TRY(kw_table_init(&table, columns, err));
    for (size_t i = 0; i < rows->count; i++) {
        KW_TRY(row_add(&table, kw_value_message(rows, i), columns, arena, err));
    }
    return kw_table_print(&table, out, err);
}

/* The plain fields of a type, for lists that nobody chose columns for. */
static void columns_of(const ProtobufCMessageDescriptor *type, const char *columns[COLUMNS_MAX + 1])
{
    size_t count = 0;

    for (unsigned i = 0; i < type->n_fields && count < COLUMNS_MAX; i++) {
        if (!kw_field_is_message(&type->fields[i]) &&
            type->fields[i].type != PROTOBUF_C_TYPE_BYTES) {
            columns[count++] = type->fields[i].name;
        }
    }
    columns[count] = NULL;
}

static bool is_list(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED && kw_field_is_message(field);
}

/* The plain fields that are set, those of inner messages under "outer.inner". */
static struct kw_result fields_add(struct kw_table *table, const ProtobufCMessage *message,
                                   const char *prefix, struct kw_arena *arena, struct kw_error *err)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        struct kw_values values = kw_message_values(message, field);
        const char *name = kw_arena_printf(arena, "%s%s", prefix, field->name);
        const char *cells[] = {name, ""};

        KW_ENSURE(name != NULL, err, MEMORY, "table");
        if (values.count == 0 || is_list(field)) {
            continue;
        }
        if (kw_field_is_message(field)) {
            name = kw_arena_printf(arena, "%s.", name);
            KW_ENSURE(name != NULL, err, MEMORY, "table");
            KW_TRY(fields_add(table, kw_value_message(&values, 0), name, arena, err));
            continue;
        }
        cells[1] = kw_values_text(&values, arena);
        KW_ENSURE(cells[1] != NULL, err, MEMORY, "table");
        KW_TRY(kw_table_add(table, cells, 2, err));
    }
    return KW_OK;
}

static struct kw_result show_lists(const ProtobufCMessage *message, struct kw_arena *arena,
                                   FILE *out, struct kw_error *err)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        struct kw_values values = kw_message_values(message, field);
        const char *columns[COLUMNS_MAX + 1];

        if (values.count > 0 && is_list(field)) {
            columns_of(field->descriptor, columns);
            (void)fprintf(out, "\n%s:\n", field->name);
            KW_TRY(show_rows(&values, columns, arena, out, err));
        }
    }
    return KW_OK;
}

static struct kw_result show_message(const ProtobufCMessage *message, struct kw_arena *arena,
                                     FILE *out, struct kw_error *err)
{
    KW_SCOPED(kw_table_done) struct kw_table table = {0};

    KW_TRY(kw_table_init(&table, NULL, err));
    KW_TRY(fields_add(&table, message, "", arena, err));
    KW_TRY(kw_table_print(&table, out, err));
    return show_lists(message, arena, out, err);
}

struct kw_result kw_output_response(enum kw_output_form form, const ProtobufCMessage *response,
                                    const char *show, const char *const *columns,
                                    struct kw_arena *arena, FILE *out, struct kw_error *err)
{
    struct kw_values shown;

    if (form == KW_OUTPUT_JSON) {
        return show_json(response, out, err);
    }
    if (show == NULL) {
        return show_message(response, arena, out, err);
    }
    shown = kw_message_find(response, show);
    KW_ENSURE(shown.field != NULL, err, INTERNAL, "%s has no field %s", response->descriptor->name,
              show);
    if (is_list(shown.field)) {
        return show_rows(&shown, columns, arena, out, err);
    }
    return shown.count == 1 ? show_message(kw_value_message(&shown, 0), arena, out, err) : KW_OK;
}
