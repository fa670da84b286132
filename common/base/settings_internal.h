/* Between the files of the settings module: what a source offers for one setting, and who reads it.
 */
#ifndef KW_COMMON_BASE_SETTINGS_INTERNAL_H
#define KW_COMMON_BASE_SETTINGS_INTERNAL_H

#include "common/base/bytes.h"
#include "common/base/settings.h"

#include <cyaml/cyaml.h>

/* The value chosen for one setting, as text, before it is parsed. Borrowed from the table, the YAML
 * document, the environment or argv. A list from YAML comes as `items`, from elsewhere as
 * comma-separated `text`. */
struct kw_setting_choice {
    const char *text;   /* NULL: not given, or given as items */
    char *const *items; /* NULL: not given as a sequence */
    size_t item_count;
    const char *source; /* for error messages */
};

/* What libcyaml makes of one key. */
struct kw_settings_yaml_value {
    char *text;
    char **items;
    unsigned item_count;
};

/* A loaded file: the schema built from the table, and the values, which live until done. */
struct kw_settings_yaml {
    cyaml_schema_field_t *fields;
    cyaml_schema_value_t top;
    struct kw_settings_yaml_value *values; /* one for each setting */
};

/* settings_yaml.c: reads the file. Fails as kw_settings_load; what was allocated goes with ..._done
 * either way. */
struct kw_result kw_settings_yaml_load(struct kw_settings_yaml *yaml,
                                       const struct kw_settings_spec *spec, const char *path,
                                       struct kw_error *err);
void kw_settings_yaml_done(struct kw_settings_yaml *yaml);

/* settings_value.c: parses and checks one choice and stores it into `config`. */
struct kw_result kw_setting_store(const struct kw_setting *setting,
                                  const struct kw_setting_choice *choice, void *config,
                                  struct kw_error *err);

/* The setting's field. */
static inline void *kw_setting_field(const struct kw_setting *setting, void *config)
{
    return (uint8_t *)config + setting->offset;
}

/* "KEYWARD_LISTEN" for "listen"; `text` has KW_SETTING_ENV_SIZE bytes. Returns `text`. */
const char *kw_setting_env_name(const struct kw_setting *setting, char *text);

#define KW_SETTING_ENV_SIZE 80

#endif
