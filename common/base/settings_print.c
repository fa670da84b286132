/* Settings: the pages printed from the table: --help, the default file, and the Markdown for docs/.
 */
#include "common/base/settings_internal.h"

#include <inttypes.h>

static const char *type_name(enum kw_setting_type type)
{
    switch (type) {
    case KW_SETTING_STRING:
        return "string";
    case KW_SETTING_PATH:
        return "path";
    case KW_SETTING_SECRET_FILE:
        return "path of a secret";
    case KW_SETTING_ADDRESS:
        return "host:port";
    case KW_SETTING_U32:
    case KW_SETTING_U64:
        return "number";
    case KW_SETTING_BOOL:
        return "true or false";
    case KW_SETTING_LIST:
        return "list";
    }
    return "";
}

/* E.g. "number, 1 to 65535"; for text and lists the bounds are of the length or the count. */
static void print_type(const struct kw_setting *setting, FILE *out)
{
    bool is_number = setting->type == KW_SETTING_U32 || setting->type == KW_SETTING_U64;
    const char *unit = is_number ? "" : (setting->type == KW_SETTING_LIST ? " items" : " bytes");

    (void)fputs(type_name(setting->type), out);
    if (setting->max != 0) {
        (void)fprintf(out, ", %" PRIu64 " to %" PRIu64 "%s", setting->min, setting->max, unit);
    } else if (setting->min != 0) {
        (void)fprintf(out, ", at least %" PRIu64 "%s", setting->min, unit);
    }
}

static void print_help_row(const struct kw_setting *setting, FILE *out)
{
    char env[KW_SETTING_ENV_SIZE];

    (void)fprintf(out, "\n  --%s=… (", setting->name);
    print_type(setting, out);
    (void)fprintf(out, "%s%s%s)\n      %s\n      %s\n", setting->required ? ", required" : "",
                  setting->fallback != NULL ? ", default " : "",
                  setting->fallback != NULL ? setting->fallback : "", setting->doc,
                  kw_setting_env_name(setting, env));
}

static void print_help(const struct kw_settings_spec *spec, FILE *out)
{
    (void)fprintf(out,
                  "%s: %s\n\n"
                  "Usage: %s%s%s [--config=FILE] [--NAME=VALUE …]\n\n"
                  "A value is taken from the command line, else from KEYWARD_NAME in the "
                  "environment, else from\n"
                  "the YAML file (also named by KEYWARD_CONFIG), else it is the default. Lists are "
                  "separated by\n"
                  "commas, in the file they are sequences.\n",
                  spec->program, spec->summary, spec->program, spec->words != NULL ? " " : "",
                  spec->words != NULL ? spec->words : "");
    if (spec->words == NULL) {
        (void)fputs("\n"
                    "  --help                   this text\n"
                    "  --print-default-config   a configuration file with every default\n"
                    "  --print-settings-doc     the settings as a Markdown page\n",
                    out);
    }
    for (size_t i = 0; i < spec->count; i++) {
        print_help_row(&spec->settings[i], out);
    }
}

/* A YAML string in double quotes. */
static void print_quoted(const char *text, size_t len, FILE *out)
{
    (void)fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            (void)fputc('\\', out);
        }
        (void)fputc(text[i], out);
    }
    (void)fputc('"', out);
}

/* "a,b" as ["a", "b"]. */
static void print_sequence(const char *text, FILE *out)
{
    (void)fputc('[', out);
    while (*text != '\0') {
        size_t len = strcspn(text, ",");

        print_quoted(text, len, out);
        text += len;
        if (*text == ',') {
            (void)fputs(", ", out);
            text++;
        }
    }
    (void)fputc(']', out);
}

static void print_yaml_value(const struct kw_setting *setting, FILE *out)
{
    switch (setting->type) {
    case KW_SETTING_STRING:
    case KW_SETTING_PATH:
    case KW_SETTING_SECRET_FILE:
    case KW_SETTING_ADDRESS:
        print_quoted(setting->fallback, strlen(setting->fallback), out);
        break;
    case KW_SETTING_U32:
    case KW_SETTING_U64:
    case KW_SETTING_BOOL:
        (void)fputs(setting->fallback, out);
        break;
    case KW_SETTING_LIST:
        print_sequence(setting->fallback, out);
        break;
    }
}

/* A setting without default is shown as a comment, so that the file loads as soon as what is
 * required is given. */
static void print_yaml_row(const struct kw_setting *setting, FILE *out)
{
    (void)fprintf(out, "\n# %s (", setting->doc);
    print_type(setting, out);
    (void)fprintf(out, "%s%s)\n", setting->required ? ", required" : "",
                  setting->reloadable ? ", reloadable" : "");
    if (setting->fallback == NULL) {
        (void)fprintf(out, "# %s:\n", setting->name);
        return;
    }
    (void)fprintf(out, "%s: ", setting->name);
    print_yaml_value(setting, out);
    (void)fputc('\n', out);
}

static void print_default_config(const struct kw_settings_spec *spec, FILE *out)
{
    (void)fprintf(out, "# %s: %s\n# Every setting with its default.\n", spec->program,
                  spec->summary);
    for (size_t i = 0; i < spec->count; i++) {
        print_yaml_row(&spec->settings[i], out);
    }
}

static void print_doc_row(const struct kw_setting *setting, FILE *out)
{
    char env[KW_SETTING_ENV_SIZE];

    (void)fprintf(out, "| `%s` | ", setting->name);
    print_type(setting, out);
    (void)fprintf(out, " | %s%s%s | %s | %s | `%s` |\n", setting->fallback != NULL ? "`" : "",
                  setting->fallback != NULL ? setting->fallback
                                            : (setting->required ? "required" : "none"),
                  setting->fallback != NULL ? "`" : "", setting->reloadable ? "yes" : "no",
                  setting->doc, kw_setting_env_name(setting, env));
}

static void print_doc(const struct kw_settings_spec *spec, FILE *out)
{
    (void)fprintf(
        out,
        "# Settings of %s\n\n%s\n\n"
        "Generated by `%s --print-settings-doc`. The command line (`--name=value`) wins over the\n"
        "environment, that over the YAML file named by `--config`, that over the default.\n\n"
        "| name | type | default | reloadable | what | environment |\n"
        "| --- | --- | --- | --- | --- | --- |\n",
        spec->program, spec->summary, spec->program);
    for (size_t i = 0; i < spec->count; i++) {
        print_doc_row(&spec->settings[i], out);
    }
}

void kw_settings_print(const struct kw_settings_spec *spec, enum kw_settings_page page, FILE *out)
{
    switch (page) {
    case KW_SETTINGS_HELP:
        print_help(spec, out);
        break;
    case KW_SETTINGS_DEFAULT_CONFIG:
        print_default_config(spec, out);
        break;
    case KW_SETTINGS_DOC:
        print_doc(spec, out);
        break;
    }
}
