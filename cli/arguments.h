/* Reading a command line by its command's flags. What is no flag of the command goes to the
 * settings. */
#ifndef KW_CLI_ARGUMENTS_H
#define KW_CLI_ARGUMENTS_H

#include "cli/command.h"
#include "common/base/arena.h"

struct kw_argument {
    const struct kw_cli_flag *flag;
    const char *value; /* "true" for a switch */
};

/* Lives in the arena it was read into; the texts are argv's. */
struct kw_arguments {
    struct kw_argument *items; /* in the order given */
    size_t count;
    char **settings; /* as kw_settings_load takes them: [0] is not looked at */
    int setting_count;
    bool help; /* --help was given: nothing else was read */
};

/* Flags that every mutation has beside its own. */
extern const struct kw_cli_flag kw_cli_mutation_flags[];

/* Reads argv[1…], where argv[0] is the last word of the command. `--name=value`, `--name value`,
 * and `-o value` for
 * `--output=value`. Fails: ARGUMENT_INVALID (an argument too many, a required one or a value
 * missing), MEMORY. */
struct kw_result kw_arguments_read(const struct kw_command *command, int argc, char **argv,
                                   struct kw_arena *arena, struct kw_arguments *ret_arguments,
                                   struct kw_error *err);

/* The value of the last argument for the flag `name`, or NULL. */
const char *kw_argument(const struct kw_arguments *arguments, const char *name);

#endif
