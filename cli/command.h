/* The command table: noun and verb, what it does, what it takes. Dispatch, help and completion come
 * from it. */
#ifndef KW_CLI_COMMAND_H
#define KW_CLI_COMMAND_H

#include "common/rpc/methods.h"

/* Exit codes, documented in cli/README.md. */
enum kw_exit {
    KW_EXIT_OK = 0,
    KW_EXIT_USAGE = 1,       /* a mistake on this side: arguments, files */
    KW_EXIT_REFUSED = 2,     /* the server said no */
    KW_EXIT_UNREACHABLE = 3, /* nobody answered */
    KW_EXIT_PARTIAL = 4,     /* some items of a batch failed */
    KW_EXIT_UNHEALTHY = 5,   /* status or verify found something wrong */
};

struct kw_cli;

/* A flag of a command, or an argument without a name. */
struct kw_cli_flag {
    const char *name;  /* "--lot"; without dashes, "BATCH": the argument in this place */
    const char *value; /* how help shows the value; NULL: a switch, or an argument without a name */
    const char
        *field; /* the request's field that it fills (message.h); NULL: the command reads it */
    bool required;
    const char *doc;
};

/* A command that is one call: arguments fill the request, the response is shown. */
struct kw_cli_call {
    enum kw_method_id method;
    const char *show;           /* field of the response that is shown; NULL: all of it */
    const char *const *columns; /* of the table, when that field is a list; ends with NULL */
};

#define KW_CLI_FLAGS_MAX 12

struct kw_command {
    const char *noun;    /* "partner" */
    const char *verb;    /* "create"; NULL when the noun is the command ("up") */
    const char *summary; /* a sentence */
    struct kw_cli_flag flags[KW_CLI_FLAGS_MAX]; /* ends with a row without name */
    enum kw_exit (*run)(struct kw_cli *cli);
    struct kw_cli_call call; /* for kw_cli_run_call */
    bool bare;               /* needs no settings and takes none */
    const char
        *invitation_flag; /* this argument names a directory whose cli.yaml is the settings file */
};

/* One list for each topic file; ends with a row without noun. */
extern const struct kw_command kw_mesh_commands[];
extern const struct kw_command kw_cell_commands[];
extern const struct kw_command kw_batch_commands[];
extern const struct kw_command kw_member_commands[];
extern const struct kw_command kw_grant_commands[];
extern const struct kw_command kw_key_commands[];
extern const struct kw_command kw_access_commands[];
extern const struct kw_command kw_evidence_commands[];
extern const struct kw_command kw_order_commands[];
extern const struct kw_command kw_orphan_commands[];
extern const struct kw_command kw_help_commands[];

/* All commands in the order of help: start with NULL; NULL comes after the last. */
const struct kw_command *kw_command_next(const struct kw_command *command);

/* The command with these words (`verb` may be NULL), or NULL. */
const struct kw_command *kw_command_find(const char *noun, const char *verb);

/* Does any command have this noun? */
bool kw_command_is_noun(const char *noun);

/* The noun (with `noun` NULL) or the verb of `noun` that is nearest to what was typed, or NULL when
 * none is near. */
const char *kw_command_nearest(const char *noun, const char *typed);

/* Is this flag an argument without a name? */
static inline bool kw_cli_flag_is_positional(const struct kw_cli_flag *flag)
{
    return flag->name[0] != '-';
}

#endif
