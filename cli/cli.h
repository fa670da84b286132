/* One run of the command: its arguments, settings, connection, and where it writes. */
#ifndef KW_CLI_CLI_H
#define KW_CLI_CLI_H

#include "cli/arguments.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/settings.h"

/* What every command's `run` is given. */
struct kw_cli {
    const struct kw_command *command;
    struct kw_arguments arguments;
    struct kw_cli_settings settings;
    enum kw_output_form form;
    struct kw_connection connection; /* after kw_cli_connect */
    struct kw_refusal refusal;       /* of the last call that failed */
    struct kw_arena *arena;          /* lives as long as the run */
};

/* Runs `command` with argv[1…]; argv[0] is the last word of the command. Prints what goes wrong. */
enum kw_exit kw_cli_run(const struct kw_command *command, int argc, char **argv);

/* The flag of commands whose change others are to know before it is answered. */
#define KW_CLI_WAIT_FLAG                                                                           \
    {                                                                                              \
        "--wait", "region|all", NULL, false,                                                       \
            "Answer when it is in force in every cell of this region, or of all; as long as "      \
            "the timeout allows."                                                                  \
    }

/* `run` of commands that are one call. */
enum kw_exit kw_cli_run_call(struct kw_cli *cli);

/* Opens the connection that the settings describe. Fails: CONFIG_INVALID, MEMORY. */
struct kw_result kw_cli_connect(struct kw_cli *cli, struct kw_error *err);

/* The options of a connection by the settings. Borrows from them. */
struct kw_client_options kw_cli_client_options(const struct kw_cli_settings *settings);

/* An empty request of this method, filled from the arguments that name a field of it. Fails:
 * ARGUMENT_INVALID, MEMORY. */
struct kw_result kw_cli_request(const struct kw_cli *cli, enum kw_method_id id,
                                ProtobufCMessage **ret_request, struct kw_error *err);

/* Shows a response as the settings want it. */
struct kw_result kw_cli_show(const struct kw_cli *cli, const ProtobufCMessage *response,
                             struct kw_error *err);

/* The value of an argument, or NULL. */
static inline const char *kw_cli_argument(const struct kw_cli *cli, const char *name)
{
    return kw_argument(&cli->arguments, name);
}

/* Prints why: the server's refusal if there was one, else our own failure. Returns the exit code.
 */
enum kw_exit kw_cli_fail(const struct kw_cli *cli, const struct kw_error *error);

/* OK, or what kw_cli_fail says. For `return kw_cli_exit(cli, work(cli, &error), &error);`. */
enum kw_exit kw_cli_exit(const struct kw_cli *cli, struct kw_result result,
                         const struct kw_error *error);

/* The file `name` in the directory `dir`, in the arena, or NULL. */
const char *kw_cli_path(struct kw_arena *arena, const char *dir, const char *name);

#endif
