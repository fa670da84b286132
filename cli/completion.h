/* Completion of nouns, verbs and flags in a shell, from the command table. */
#ifndef KW_CLI_COMPLETION_H
#define KW_CLI_COMPLETION_H

#include <stdio.h>

/* Writes a script for bash. */
void kw_completion_bash(FILE *out);

#endif
