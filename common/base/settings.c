/* Settings: chooses the source of each value, and frees what came of it. Parsing is in
 * settings_value.c, the YAML file in settings_yaml.c, the printed pages in settings_print.c. */
#include "common/base/settings.h"

#include "common/base/limits.h"
#include "common/base/settings_internal.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#define ENV_PREFIX "KEYWARD_"

/* The pages that a flag prints instead of running. */
static const struct {
    const char *flag;
    enum kw_settings_page page;
} pages[] = {
    {"--help", KW_SETTINGS_HELP},
    {"-h", KW_SETTINGS_HELP},
    {"--print-default-config", KW_SETTINGS_DEFAULT_CONFIG},
    {"--print-settings-doc", KW_SETTINGS_DOC},
};

const char *kw_setting_env_name(const struct kw_setting *setting, char *text)
{
    size_t len = strlen(setting->name);

    assert(sizeof(ENV_PREFIX) + len <= KW_SETTING_ENV_SIZE);
    kw_copy(text, ENV_PREFIX, sizeof(ENV_PREFIX));
    for (size_t i = 0; i <= len; i++) {
        text[sizeof(ENV_PREFIX) - 1 + i] = (char)toupper((unsigned char)setting->name[i]);
    }
    return text;
}

static void choose_fallbacks(const struct kw_settings_spec *spec, struct kw_setting_choice *choices)
{
    for (size_t i = 0; i < spec->count; i++) {
        choices[i] =
            (struct kw_setting_choice){.text = spec->settings[i].fallback, .source = "its default"};
    }
}

static void choose_yaml(const struct kw_settings_spec *spec, const struct kw_settings_yaml *yaml,
                        struct kw_setting_choice *choices)
{
    /* An empty file has no values. */
    for (size_t i = 0; i < spec->count && yaml->values != NULL; i++) {
        const struct kw_settings_yaml_value *value = &yaml->values[i];

        if (value->text != NULL || value->items != NULL) {
            choices[i] = (struct kw_setting_choice){.text = value->text,
                                                    .items = value->items,
                                                    .item_count = value->item_count,
                                                    .source = "the configuration file"};
        }
    }
}

static void choose_environment(const struct kw_settings_spec *spec,
                               struct kw_setting_choice *choices)
{
    for (size_t i = 0; i < spec->count; i++) {
        char name[KW_SETTING_ENV_SIZE];
        const char *text = getenv(kw_setting_env_name(&spec->settings[i], name));

        if (text != NULL) {
            choices[i] = (struct kw_setting_choice){.text = text, .source = "the environment"};
        }
    }
}

/* True if `flag` is "--name=…"; dashes in it stand for the underscores of `name`. */
static bool flag_names(const char *flag, const char *name)
{
    if (strncmp(flag, "--", 2) != 0) {
        return false;
    }
    for (flag += 2; *name != '\0'; flag++, name++) {
        if (*flag != *name && !(*flag == '-' && *name == '_')) {
            return false;
        }
    }
    return *flag == '=';
}

static struct kw_result choose_flag(const struct kw_settings_spec *spec, const char *flag,
                                    struct kw_setting_choice *choices, struct kw_error *err)
{
    for (size_t i = 0; i < spec->count; i++) {
        if (flag_names(flag, spec->settings[i].name)) {
            choices[i] = (struct kw_setting_choice){.text = strchr(flag, '=') + 1,
                                                    .source = "the command line"};
            return KW_OK;
        }
    }
    /* Only the name is repeated: the value may be something that does not belong in a log. */
    KW_FAIL(err, CONFIG_INVALID, "unknown flag %.*s: see %s --help", (int)strcspn(flag, "="), flag,
            spec->program);
}

static struct kw_result choose_flags(const struct kw_settings_spec *spec, int argc, char **argv,
                                     struct kw_setting_choice *choices, struct kw_error *err)
{
    for (int i = 1; i < argc; i++) {
        if (!flag_names(argv[i], "config")) {
            KW_TRY(choose_flag(spec, argv[i], choices, err));
        }
    }
    return KW_OK;
}

/* The configuration file to read: the last --config, else KEYWARD_CONFIG, else NULL. */
static const char *config_path(int argc, char **argv)
{
    const char *path = getenv(ENV_PREFIX "CONFIG");

    for (int i = 1; i < argc; i++) {
        if (flag_names(argv[i], "config")) {
            path = strchr(argv[i], '=') + 1;
        }
    }
    return path != NULL && *path != '\0' ? path : NULL;
}

static struct kw_result store_all(const struct kw_settings_spec *spec,
                                  const struct kw_setting_choice *choices, void *config,
                                  struct kw_error *err)
{
    for (size_t i = 0; i < spec->count; i++) {
        KW_TRY(kw_setting_store(&spec->settings[i], &choices[i], config, err));
    }
    return KW_OK;
}

static struct kw_result load(const struct kw_settings_spec *spec, int argc, char **argv,
                             void *config, struct kw_error *err)
{
    KW_SCOPED(kw_settings_yaml_done) struct kw_settings_yaml yaml = {0};
    struct kw_setting_choice choices[KW_SETTINGS_MAX];
    const char *path = config_path(argc, argv);

    assert(spec->count <= KW_SETTINGS_MAX);
    choose_fallbacks(spec, choices);
    if (path != NULL) {
        KW_TRY(kw_settings_yaml_load(&yaml, spec, path, err));
        choose_yaml(spec, &yaml, choices);
    }
    choose_environment(spec, choices);
    KW_TRY(choose_flags(spec, argc, argv, choices, err));
    return store_all(spec, choices, config, err);
}

/* Prints the page that a flag asks for. Returns false if none does. */
static bool print_page(const struct kw_settings_spec *spec, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        for (size_t p = 0; p < sizeof(pages) / sizeof(pages[0]); p++) {
            if (strcmp(argv[i], pages[p].flag) == 0) {
                kw_settings_print(spec, pages[p].page, stdout);
                return true;
            }
        }
    }
    return false;
}

struct kw_result kw_settings_load(const struct kw_settings_spec *spec, int argc, char **argv,
                                  void *config, enum kw_settings_outcome *ret_outcome,
                                  struct kw_error *err)
{
    struct kw_result result;

    if (print_page(spec, argc, argv)) {
        *ret_outcome = KW_SETTINGS_PRINTED;
        return KW_OK;
    }
    result = load(spec, argc, argv, config, err);
    if (!kw_ok(result)) {
        kw_settings_done(spec, config);
        return result;
    }
    *ret_outcome = KW_SETTINGS_RUN;
    return KW_OK;
}

static void text_done(char **text)
{
    free(*text);
    *text = NULL;
}

static void list_done(struct kw_strings *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct kw_strings){0};
}

void kw_settings_done(const struct kw_settings_spec *spec, void *config)
{
    for (size_t i = 0; i < spec->count; i++) {
        void *field = kw_setting_field(&spec->settings[i], config);

        switch (spec->settings[i].type) {
        case KW_SETTING_STRING:
        case KW_SETTING_PATH:
        case KW_SETTING_SECRET_FILE:
        case KW_SETTING_ADDRESS:
            text_done(field);
            break;
        case KW_SETTING_U32:
            *(uint32_t *)field = 0;
            break;
        case KW_SETTING_U64:
            *(uint64_t *)field = 0;
            break;
        case KW_SETTING_BOOL:
            *(bool *)field = false;
            break;
        case KW_SETTING_LIST:
            list_done(field);
            break;
        }
    }
}
