/* The command table: noun and verb, what it does, what it takes. Help, completion and dispatch come from it. */
#ifndef KW_CLI_COMMAND_H
#define KW_CLI_COMMAND_H

#include "common/base/result.h"

/* Exit codes, documented in cli/README.md. */
enum kw_exit {
    KW_EXIT_OK = 0,
    KW_EXIT_USAGE = 1,       /* a mistake on this side: arguments, files */
    KW_EXIT_REFUSED = 2,     /* the server said no */
    KW_EXIT_UNREACHABLE = 3, /* nobody answered */
    KW_EXIT_PARTIAL = 4,     /* some items of a batch failed */
    KW_EXIT_UNHEALTHY = 5,   /* status or verify found something wrong */
};

struct kw_command {
    const char *noun; /* "partner" */
    const char *verb; /* "create"; NULL when the noun is the command ("up") */
    const char *arguments;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the last word of the command; returns enum kw_exit */
};

/* NULL-terminated by a row without noun. */
extern const struct kw_command kw_commands[];

#endif
