/* The pages of --help, all from the command table. */
#ifndef KW_CLI_HELP_H
#define KW_CLI_HELP_H

#include "cli/command.h"

#include <stdio.h>

/* All commands, or those of one noun. */
void kw_help_all(FILE *out);
void kw_help_noun(const char *noun, FILE *out);

/* One command with its flags. */
void kw_help_command(const struct kw_command *command, FILE *out);

/* "batch create": `text` has KW_HELP_WORDS_SIZE bytes. Returns `text`. */
#define KW_HELP_WORDS_SIZE 64
char *kw_help_words(const struct kw_command *command, char *text);

#endif
