/* Settings: the YAML file. The table becomes a libcyaml schema in which every value is text, so
 * that values from the file, the environment and the command line are parsed by the same code. */
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/base/settings_internal.h"

#include <stdlib.h>
#include <yaml.h>

/* What libcyaml said, put together from its several calls of the log function. */
struct complaint {
    char text[KW_ERROR_MESSAGE_MAX];
    size_t len;
};

static const cyaml_schema_value_t item_schema = {.type = CYAML_STRING,
                                                 .flags = CYAML_FLAG_POINTER,
                                                 .data_size = 1,
                                                 .string = {0, CYAML_UNLIMITED}};

static __attribute__((format(printf, 3, 0))) void complain(cyaml_log_t level, void *context,
                                                           const char *format, va_list args)
{
    struct complaint *complaint = context;
    int len = vsnprintf(complaint->text + complaint->len, sizeof(complaint->text) - complaint->len,
                        format, args);

    (void)level;
    if (len > 0) {
        complaint->len += (size_t)len;
    }
    if (complaint->len >= sizeof(complaint->text)) {
        complaint->len = sizeof(complaint->text) - 1;
    }
    for (size_t i = 0; i < complaint->len; i++) {
        if (complaint->text[i] == '\n') {
            complaint->text[i] = ' ';
        }
    }
}

static cyaml_config_t cyaml_config(struct complaint *complaint)
{
    return (cyaml_config_t){.log_fn = complain,
                            .log_ctx = complaint,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_WARNING,
                            .flags = CYAML_CFG_NO_ALIAS};
}

static cyaml_schema_field_t field_schema(const struct kw_setting *setting, size_t at)
{
    uint32_t base = (uint32_t)(at * sizeof(struct kw_settings_yaml_value));
    cyaml_schema_field_t field = {.key = setting->name, .data_offset = base, .value = item_schema};

    field.value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
    if (setting->type == KW_SETTING_LIST) {
        field.data_offset = base + (uint32_t)offsetof(struct kw_settings_yaml_value, items);
        field.count_offset = base + (uint32_t)offsetof(struct kw_settings_yaml_value, item_count);
        field.count_size = sizeof(unsigned);
        field.value.type = CYAML_SEQUENCE;
        field.value.data_size = sizeof(char *);
        field.value.sequence.entry = &item_schema;
        field.value.sequence.min =
            1; /* [] would look as if the key were absent: refused, not ignored */
        field.value.sequence.max = KW_SETTINGS_LIST_MAX;
    }
    return field;
}

static struct kw_result schema_build(struct kw_settings_yaml *yaml,
                                     const struct kw_settings_spec *spec, struct kw_error *err)
{
    yaml->fields = calloc(spec->count + 1, sizeof(*yaml->fields));
    KW_ENSURE(yaml->fields != NULL, err, MEMORY, "schema of the settings");
    for (size_t i = 0; i < spec->count; i++) {
        yaml->fields[i] = field_schema(&spec->settings[i], i);
    }
    yaml->top = (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_POINTER,
        .data_size = (uint32_t)(spec->count * sizeof(struct kw_settings_yaml_value)),
        .mapping = {yaml->fields},
    };
    return KW_OK;
}

static bool is_known(const struct kw_settings_spec *spec, const yaml_event_t *key)
{
    for (size_t i = 0; i < spec->count; i++) {
        if (strcmp(spec->settings[i].name, (const char *)key->data.scalar.value) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes the next event; `depth` follows mappings and sequences. False at the end, or where it is no
 * YAML. */
static bool next_event(yaml_parser_t *parser, yaml_event_t *event, int *depth)
{
    yaml_event_delete(event);
    if (!yaml_parser_parse(parser, event) || event->type == YAML_STREAM_END_EVENT) {
        return false;
    }
    *depth += event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
    *depth -= event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;
    return true;
}

/* Finds the first unknown key with libyaml's own marks: libcyaml names the place of the event
 * before it. */
static struct kw_result find_unknown(const struct kw_settings_spec *spec, const char *path,
                                     struct kw_bytes text, struct kw_error *err)
{
    KW_SCOPED(yaml_parser_delete) yaml_parser_t parser = {0};
    KW_SCOPED(yaml_event_delete) yaml_event_t event = {0};
    int depth = 0;
    bool expects_key = false;

    KW_ENSURE(yaml_parser_initialize(&parser) == 1, err, MEMORY, "YAML parser");
    yaml_parser_set_input_string(&parser, text.data, text.len);
    while (next_event(&parser, &event, &depth)) {
        bool is_key = depth == 1 && expects_key && event.type == YAML_SCALAR_EVENT;

        KW_ENSURE(!is_key || is_known(spec, &event), err, CONFIG_INVALID,
                  "%s: unknown setting %s (line %zu, column %zu)", path,
                  (const char *)event.data.scalar.value, event.start_mark.line + 1,
                  event.start_mark.column + 1);
        /* At depth 1 keys alternate with values, or with the ends of nested ones. */
        if (depth == 1) {
            expects_key = !is_key;
        }
    }
    KW_FAIL(err, CONFIG_INVALID, "%s: unknown setting", path);
}

struct kw_result kw_settings_yaml_load(struct kw_settings_yaml *yaml,
                                       const struct kw_settings_spec *spec, const char *path,
                                       struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    struct complaint complaint = {0};
    cyaml_config_t config = cyaml_config(&complaint);
    cyaml_data_t *data = NULL;
    cyaml_err_t status;

    KW_TRY(kw_file_read(path, KW_SETTINGS_FILE_MAX, &text, err));
    KW_TRY(schema_build(yaml, spec, err));
    status = cyaml_load_data(text.data, text.len, &config, &yaml->top, &data, NULL);
    yaml->values = data;
    if (status == CYAML_ERR_INVALID_KEY) {
        return find_unknown(spec, path, kw_buf_bytes(&text), err);
    }
    KW_ENSURE(status == CYAML_OK && complaint.len == 0, err, CONFIG_INVALID, "%s: %s (%s)", path,
              cyaml_strerror(status), complaint.text);
    return KW_OK;
}

void kw_settings_yaml_done(struct kw_settings_yaml *yaml)
{
    struct complaint complaint = {0};
    cyaml_config_t config = cyaml_config(&complaint);

    if (yaml->values != NULL) {
        (void)cyaml_free(&config, &yaml->top, yaml->values, 0);
    }
    free(yaml->fields);
    *yaml = (struct kw_settings_yaml){0};
}
