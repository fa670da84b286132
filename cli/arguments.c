/* Parsing of arguments. */
#include "cli/arguments.h"

#include "cli/settings.h"

#include <string.h>

/* One pass over argv. */
struct reading {
    const struct kw_command *command;
    struct kw_arguments *out;
    struct kw_arena *arena;
    int argc;
    char **argv;
    int at;
    size_t positionals; /* seen so far */
};

const struct kw_cli_flag kw_cli_mutation_flags[] = {
    {"--request-id", "UUID", "request_id", false, "Repeat an earlier request: it is done once."},
    {"--dry-run", NULL, "validate_only", false, "Check everything, change nothing."},
    {0},
};

/* Does the argument say this flag: "--name" or "--name=…"? */
static bool names_flag(const char *argument, const char *flag)
{
    size_t len = strlen(flag);

    return strncmp(argument, flag, len) == 0 && (argument[len] == '\0' || argument[len] == '=');
}

static const struct kw_cli_flag *flag_in(const struct kw_cli_flag *flags, const char *argument)
{
    while (flags->name != NULL && !names_flag(argument, flags->name)) {
        flags++;
    }
    return flags->name != NULL ? flags : NULL;
}

static const struct kw_cli_flag *flag_find(const struct kw_command *command, const char *argument)
{
    const struct kw_method *method = kw_method_by_id(command->call.method);
    const struct kw_cli_flag *flag = flag_in(command->flags, argument);

    if (flag == NULL && method != NULL && kw_method_has(method, KW_METHOD_MUTATES)) {
        flag = flag_in(kw_cli_mutation_flags, argument);
    }
    return flag;
}

static const struct kw_cli_flag *positional_find(const struct kw_command *command, size_t index)
{
    for (const struct kw_cli_flag *flag = command->flags; flag->name != NULL; flag++) {
        if (kw_cli_flag_is_positional(flag) && index-- == 0) {
            return flag;
        }
    }
    return NULL;
}

static void argument_add(struct kw_arguments *out, const struct kw_cli_flag *flag,
                         const char *value)
{
    out->items[out->count++] = (struct kw_argument){flag, value};
}

/* The text after '=' or the next argument. */
static struct kw_result value_take(struct reading *r, const char **ret_value, struct kw_error *err)
{
    const char *equals = strchr(r->argv[r->at], '=');

    if (equals != NULL) {
        *ret_value = equals + 1;
        return KW_OK;
    }
    KW_ENSURE(r->at + 1 < r->argc, err, ARGUMENT_INVALID, "%s needs a value", r->argv[r->at]);
    *ret_value = r->argv[++r->at];
    return KW_OK;
}

static struct kw_result flag_read(struct reading *r, const struct kw_cli_flag *flag,
                                  struct kw_error *err)
{
    const char *value = "true";

    if (flag->value != NULL) {
        KW_TRY(value_take(r, &value, err));
    } else {
        KW_ENSURE(strchr(r->argv[r->at], '=') == NULL, err, ARGUMENT_INVALID, "%s takes no value",
                  flag->name);
    }
    argument_add(r->out, flag, value);
    return KW_OK;
}

/* A setting is passed on as --name=value; "unknown flag" is the settings' to say. */
static struct kw_result setting_read(struct reading *r, struct kw_error *err)
{
    char *argument = r->argv[r->at];
    const char *name = strcmp(argument, "-o") == 0 ? "--output" : argument;
    const char *value;

    if (strchr(argument, '=') == NULL && kw_cli_setting_known(name)) {
        KW_TRY(value_take(r, &value, err));
        argument = kw_arena_printf(r->arena, "%s=%s", name, value);
        KW_ENSURE(argument != NULL, err, MEMORY, "arguments");
    }
    r->out->settings[r->out->setting_count++] = argument;
    return KW_OK;
}

static struct kw_result positional_read(struct reading *r, struct kw_error *err)
{
    const struct kw_cli_flag *flag = positional_find(r->command, r->positionals++);

    KW_ENSURE(flag != NULL, err, ARGUMENT_INVALID, "an argument too many: %s", r->argv[r->at]);
    argument_add(r->out, flag, r->argv[r->at]);
    return KW_OK;
}

static struct kw_result one_read(struct reading *r, struct kw_error *err)
{
    const char *argument = r->argv[r->at];
    const struct kw_cli_flag *flag;

    if (argument[0] != '-' || argument[1] == '\0') {
        return positional_read(r, err);
    }
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        r->out->help = true;
        return KW_OK;
    }
    flag = flag_find(r->command, argument);
    return flag != NULL ? flag_read(r, flag, err) : setting_read(r, err);
}

static struct kw_result require_all(const struct kw_command *command,
                                    const struct kw_arguments *arguments, struct kw_error *err)
{
    for (const struct kw_cli_flag *flag = command->flags; flag->name != NULL; flag++) {
        KW_ENSURE(!flag->required || kw_argument(arguments, flag->name) != NULL, err,
                  ARGUMENT_INVALID, "%s is missing", flag->name);
    }
    return KW_OK;
}

struct kw_result kw_arguments_read(const struct kw_command *command, int argc, char **argv,
                                   struct kw_arena *arena, struct kw_arguments *ret_arguments,
                                   struct kw_error *err)
{
    struct kw_arguments out = {.setting_count = 1};
    struct reading r = {command, &out, arena, argc, argv, 1, 0};

    out.items = kw_arena_alloc(arena, (size_t)argc * sizeof(*out.items));
    out.settings = kw_arena_alloc(arena, ((size_t)argc + 1) * sizeof(*out.settings));
    KW_ENSURE(out.items != NULL && out.settings != NULL, err, MEMORY, "arguments");
    for (; r.at < argc && !out.help; r.at++) {
        KW_TRY(one_read(&r, err));
    }
    if (!out.help) {
        KW_TRY(require_all(command, &out, err));
    }
    *ret_arguments = out;
    return KW_OK;
}

const char *kw_argument(const struct kw_arguments *arguments, const char *name)
{
    const char *value = NULL;

    for (size_t i = 0; i < arguments->count; i++) {
        if (strcmp(arguments->items[i].flag->name, name) == 0) {
            value = arguments->items[i].value;
        }
    }
    return value;
}
