/* From a command line to a call and its answer. */
#include "cli/cli.h"

#include "cli/help.h"
#include "cli/message.h"
#include "common/rpc/messages.h"

#include <string.h>

#define ARENA_BUDGET (64U * 1024U * 1024U) /* requests and answers of one run */

enum kw_exit kw_cli_fail(const struct kw_cli *cli, const struct kw_error *error)
{
    struct kw_refusal refusal = cli->refusal;

    if (refusal.exit == KW_EXIT_OK) {
        kw_refusal_from_error(error, &refusal);
    }
    kw_refusal_print(&refusal, stderr);
    return refusal.exit;
}

enum kw_exit kw_cli_exit(const struct kw_cli *cli, struct kw_result result,
                         const struct kw_error *error)
{
    return kw_ok(result) ? KW_EXIT_OK : kw_cli_fail(cli, error);
}

const char *kw_cli_path(struct kw_arena *arena, const char *dir, const char *name)
{
    return kw_arena_printf(arena, "%s/%s", dir, name);
}

struct kw_client_options kw_cli_client_options(const struct kw_cli_settings *settings)
{
    return (struct kw_client_options){.target = settings->target,
                                      .key_file = settings->key_file,
                                      .cert_file = settings->cert_file,
                                      .ca_file = settings->ca_file,
                                      .peer = settings->peer};
}

struct kw_result kw_cli_connect(struct kw_cli *cli, struct kw_error *err)
{
    struct kw_client_options options = kw_cli_client_options(&cli->settings);

    return kw_connection_open(&cli->connection, &options, cli->settings.timeout_ms, &cli->refusal,
                              err);
}

/* A mistake names the flag it was made in. */
static struct kw_result argument_set(ProtobufCMessage *request, const struct kw_argument *argument,
                                     struct kw_arena *arena, struct kw_error *err)
{
    struct kw_error cause = {0};
    struct kw_result result =
        kw_message_set(request, argument->flag->field, argument->value, arena, &cause);

    return kw_ok(result) ? KW_OK
                         : kw_error_make(err, result.reason, __FILE__, __LINE__, "%s: %s",
                                         argument->flag->name, cause.message);
}

struct kw_result kw_cli_request(const struct kw_cli *cli, enum kw_method_id id,
                                ProtobufCMessage **ret_request, struct kw_error *err)
{
    const ProtobufCMethodDescriptor *messages = kw_method_messages(kw_method_by_id(id));
    ProtobufCMessage *request = kw_message_new(messages->input, cli->arena);

    KW_ENSURE(request != NULL, err, MEMORY, "request");
    for (size_t i = 0; i < cli->arguments.count; i++) {
        const struct kw_argument *argument = &cli->arguments.items[i];

        if (argument->flag->field != NULL) {
            KW_TRY(argument_set(request, argument, cli->arena, err));
        }
    }
    *ret_request = request;
    return KW_OK;
}

struct kw_result kw_cli_show(const struct kw_cli *cli, const ProtobufCMessage *response,
                             struct kw_error *err)
{
    struct kw_values token = kw_message_find(response, "next_page_token");

    KW_TRY(kw_output_response(cli->form, response, cli->command->call.show,
                              cli->command->call.columns, cli->arena, stdout, err));
    if (cli->form == KW_OUTPUT_TABLE && token.field != NULL && token.count == 1) {
        (void)fprintf(stderr, "more: --page-token=%s\n", kw_values_text(&token, cli->arena));
    }
    return KW_OK;
}

/* A lost answer may be asked for again: but only by who knows the id it was asked with. */
static void retry_hint(const struct kw_refusal *refusal, const ProtobufCMessage *request)
{
    const char *id = kw_message_request_id(request);

    if (id[0] != '\0' &&
        (refusal->exit == KW_EXIT_UNREACHABLE || refusal->reason == KW_E_DEADLINE_EXCEEDED)) {
        (void)fprintf(stderr, "  again    with --request-id=%s: it is done once\n", id);
    }
}

/* How far it is to be in force before we are answered. Fails: ARGUMENT_INVALID. */
static struct kw_result wait_read(struct kw_cli *cli, struct kw_error *err)
{
    const char *wait = kw_cli_argument(cli, "--wait");

    KW_ENSURE(wait == NULL || strcmp(wait, "region") == 0 || strcmp(wait, "all") == 0, err,
              ARGUMENT_INVALID, "--wait is region or all");
    if (wait != NULL) {
        cli->connection.wait = strcmp(wait, "all") == 0 ? "ALL" : "REGION";
    }
    return KW_OK;
}

/* The change is made: how far it got is beside its answer. */
static enum kw_exit wait_exit(const struct kw_cli *cli)
{
    const struct kw_connection *connection = &cli->connection;

    if (connection->durability[0] != '\0') {
        (void)fprintf(stderr, "durability: %s\n", connection->durability);
    }
    if (connection->wait == NULL || strcmp(connection->durability, connection->wait) == 0 ||
        strcmp(connection->durability, "ALL") == 0) {
        return KW_EXIT_OK;
    }
    (void)fprintf(stderr, "  it is made, and gets to the other cells as they hear of it\n");
    return KW_EXIT_PARTIAL;
}

static struct kw_result call(struct kw_cli *cli, struct kw_error *err)
{
    enum kw_method_id id = cli->command->call.method;
    ProtobufCMessage *request = NULL;
    ProtobufCMessage *response = NULL;
    struct kw_result result;

    KW_TRY(kw_cli_request(cli, id, &request, err));
    KW_TRY(kw_cli_connect(cli, err));
    KW_TRY(wait_read(cli, err));
    result = kw_connection_call(&cli->connection, id, request, cli->arena, &response, err);
    if (!kw_ok(result)) {
        retry_hint(&cli->refusal, request);
        return result;
    }
    return kw_cli_show(cli, response, err);
}

enum kw_exit kw_cli_run_call(struct kw_cli *cli)
{
    struct kw_error error;
    enum kw_exit made = kw_cli_exit(cli, call(cli, &error), &error);

    return made == KW_EXIT_OK ? wait_exit(cli) : made;
}

/* An invitation's directory holds the settings of who was invited. */
static struct kw_result invitation_settings(struct kw_cli *cli, struct kw_error *err)
{
    const char *dir = cli->command->invitation_flag != NULL
                          ? kw_cli_argument(cli, cli->command->invitation_flag)
                          : NULL;
    char *setting;

    if (dir == NULL) {
        return KW_OK;
    }
    setting = kw_arena_printf(cli->arena, "--config=%s/cli.yaml", dir);
    KW_ENSURE(setting != NULL, err, MEMORY, "settings");
    cli->arguments.settings[cli->arguments.setting_count++] = setting;
    return KW_OK;
}

/* Fills `cli`; `ret_done`: all that was asked for has been printed. */
static struct kw_result prepare(struct kw_cli *cli, int argc, char **argv, bool *ret_done,
                                struct kw_error *err)
{
    enum kw_settings_outcome outcome = KW_SETTINGS_RUN;

    cli->arena = kw_arena_new(ARENA_BUDGET);
    KW_ENSURE(cli->arena != NULL, err, MEMORY, "a run");
    KW_TRY(kw_arguments_read(cli->command, argc, argv, cli->arena, &cli->arguments, err));
    if (cli->arguments.help) {
        kw_help_command(cli->command, stdout);
        *ret_done = true;
        return KW_OK;
    }
    if (cli->command->bare) {
        KW_ENSURE(cli->arguments.setting_count == 1, err, ARGUMENT_INVALID, "unknown argument %s",
                  cli->arguments.settings[1]);
        return KW_OK;
    }
    KW_TRY(invitation_settings(cli, err));
    KW_TRY(kw_settings_load(&kw_cli_settings, cli->arguments.setting_count, cli->arguments.settings,
                            &cli->settings, &outcome, err));
    *ret_done = outcome == KW_SETTINGS_PRINTED;
    return *ret_done ? KW_OK : kw_output_parse(cli->settings.output, &cli->form, err);
}

enum kw_exit kw_cli_run(const struct kw_command *command, int argc, char **argv)
{
    struct kw_cli cli = {.command = command};
    struct kw_error error;
    enum kw_exit code = KW_EXIT_OK;
    bool done = false;

    if (!kw_ok(prepare(&cli, argc, argv, &done, &error))) {
        code = kw_cli_fail(&cli, &error);
    } else if (!done) {
        code = command->run(&cli);
    }
    kw_connection_done(&cli.connection);
    kw_settings_done(&kw_cli_settings, &cli.settings);
    kw_arena_free(cli.arena);
    return code;
}
