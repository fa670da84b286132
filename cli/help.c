/* Help from the table. */
#include "cli/help.h"

#include "cli/arguments.h"

#include <string.h>

#define COLUMN 26 /* where explanations begin */

char *kw_help_words(const struct kw_command *command, char *text)
{
    (void)snprintf(text, KW_HELP_WORDS_SIZE, "%s%s%s", command->noun,
                   command->verb != NULL ? " " : "", command->verb != NULL ? command->verb : "");
    return text;
}

/* How wide to pad to, for a text that takes more bytes than columns: printf counts bytes. */
static int column(const char *text)
{
    int width = COLUMN;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0U) == 0x80U ? 1 : 0; /* UTF-8, not the first byte */
    }
    return width;
}

static void command_line(const struct kw_command *command, FILE *out)
{
    char words[KW_HELP_WORDS_SIZE];

    (void)fprintf(out, "  %-*s %s\n", COLUMN, kw_help_words(command, words), command->summary);
}

static void ending(FILE *out)
{
    (void)fprintf(
        out, "\nSettings (where the mesh is, who we are): --config=FILE, KEYWARD_… or flags;\n"
             "`keyward settings` explains them. `keyward NOUN VERB --help` explains a command.\n"
             "Exit: 0 done, 1 mistake here, 2 refused, 3 unreachable, 4 in part, 5 unhealthy.\n");
}

void kw_help_all(FILE *out)
{
    (void)fprintf(out, "keyward NOUN VERB [ARGUMENTS]\n\n");
    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        command_line(c, out);
    }
    ending(out);
}

void kw_help_noun(const char *noun, FILE *out)
{
    (void)fprintf(out, "keyward %s VERB [ARGUMENTS]\n\n", noun);
    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        if (strcmp(c->noun, noun) == 0) {
            command_line(c, out);
        }
    }
    ending(out);
}

static void flag_line(const struct kw_cli_flag *flag, FILE *out)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%s%s%s", flag->name, flag->value != NULL ? "=" : "",
                   flag->value != NULL ? flag->value : "");
    (void)fprintf(out, "  %-*s %s%s\n", column(text), text, flag->doc,
                  flag->required && !kw_cli_flag_is_positional(flag) ? " Required." : "");
}

static void flag_lines(const struct kw_cli_flag *flags, FILE *out)
{
    for (; flags->name != NULL; flags++) {
        flag_line(flags, out);
    }
}

void kw_help_command(const struct kw_command *command, FILE *out)
{
    const struct kw_method *method = kw_method_by_id(command->call.method);
    char words[KW_HELP_WORDS_SIZE];

    (void)fprintf(out, "keyward %s", kw_help_words(command, words));
    for (const struct kw_cli_flag *flag = command->flags; flag->name != NULL; flag++) {
        if (kw_cli_flag_is_positional(flag)) {
            (void)fprintf(out, flag->required ? " %s" : " [%s]", flag->name);
        }
    }
    (void)fprintf(out, " [FLAGS]\n\n%s\n", command->summary);
    if (command->flags[0].name != NULL) {
        (void)fputc('\n', out);
        flag_lines(command->flags, out);
    }
    if (method != NULL && kw_method_has(method, KW_METHOD_MUTATES)) {
        flag_lines(kw_cli_mutation_flags, out);
    }
    if (!command->bare) {
        (void)fprintf(out, "  %-*s %s\n", COLUMN, "-o table|json", "How to show the answer.");
    }
    if (method != NULL) {
        (void)fprintf(out, "\nCalls %s.\n", method->path);
    }
    ending(out);
}
