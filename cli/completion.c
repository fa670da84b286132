/* One `case` for each command; bash needs no more. */
#include "cli/completion.h"

#include "cli/arguments.h"
#include "cli/help.h"

#include <string.h>

/* Is this the first row of its noun? */
static bool first_of_noun(const struct kw_command *command)
{
    const struct kw_command *c = kw_command_next(NULL);

    while (strcmp(c->noun, command->noun) != 0) {
        c = kw_command_next(c);
    }
    return c == command;
}

static void nouns(FILE *out)
{
    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        if (first_of_noun(c)) {
            (void)fprintf(out, " %s", c->noun);
        }
    }
}

static void verbs(const char *noun, FILE *out)
{
    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        if (c->verb != NULL && strcmp(c->noun, noun) == 0) {
            (void)fprintf(out, " %s", c->verb);
        }
    }
}

static void flags(const struct kw_cli_flag *list, FILE *out)
{
    for (; list->name != NULL; list++) {
        if (!kw_cli_flag_is_positional(list)) {
            (void)fprintf(out, " %s%s", list->name, list->value != NULL ? "=" : "");
        }
    }
}

static void verb_cases(FILE *out)
{
    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        if (c->verb != NULL && first_of_noun(c)) {
            (void)fprintf(out, "    2:\"%s \") words=\"", c->noun);
            verbs(c->noun, out);
            (void)fprintf(out, "\" ;;\n");
        }
    }
}

static void flag_cases(FILE *out)
{
    char words[KW_HELP_WORDS_SIZE];

    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        const struct kw_method *method = kw_method_by_id(c->call.method);

        (void)fprintf(out, "    *:\"%s \"*) words=\"", kw_help_words(c, words));
        flags(c->flags, out);
        if (method != NULL && kw_method_has(method, KW_METHOD_MUTATES)) {
            flags(kw_cli_mutation_flags, out);
        }
        (void)fprintf(out, "%s\" ;;\n", c->bare ? "" : " --config= --output=");
    }
}

void kw_completion_bash(FILE *out)
{
    (void)fprintf(out, "_keyward() {\n"
                       "    local words=\"\" typed=\"${COMP_WORDS[*]:1:COMP_CWORD-1} \"\n"
                       "    case \"$COMP_CWORD:$typed\" in\n"
                       "    1:*) words=\"");
    nouns(out);
    (void)fprintf(out, "\" ;;\n");
    verb_cases(out);
    flag_cases(out);
    (void)fprintf(out, "    esac\n"
                       "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$2\")\n"
                       "    [[ ${COMPREPLY[0]:-} != *= ]] || compopt -o nospace\n"
                       "}\n"
                       "complete -o default -F _keyward keyward\n");
}
