/* settings, explain, completion: help beyond --help. */
#include "cli/cli.h"
#include "cli/completion.h"

#include <string.h>

static enum kw_exit run_settings(struct kw_cli *cli)
{
    (void)cli;
    kw_settings_print(&kw_cli_settings, KW_SETTINGS_HELP, stdout);
    return KW_EXIT_OK;
}

static enum kw_exit run_explain(struct kw_cli *cli)
{
    const char *name = kw_cli_argument(cli, "REASON");
    enum kw_reason reason = kw_reason_by_name(name, strlen(name));
    const struct kw_reason_row *row = kw_reason_row(reason);

    if (reason == KW_E_NONE) {
        (void)fprintf(stderr, "keyward: there is no reason %s; see docs/errors.md\n", name);
        return KW_EXIT_USAGE;
    }
    (void)printf("%s (gRPC code %d): %s\n  cause  %s\n  cure   %s\n", row->name,
                 (int)row->grpc_code, row->text, row->cause, row->cure);
    return KW_EXIT_OK;
}

static enum kw_exit run_completion(struct kw_cli *cli)
{
    (void)cli;
    kw_completion_bash(stdout);
    return KW_EXIT_OK;
}

const struct kw_command kw_help_commands[] = {
    {"settings",
     NULL,
     "Explains the settings: where the mesh is, who we are.",
     {{0}},
     .run = run_settings,
     .bare = true},
    {"explain",
     NULL,
     "Explains a reason that a refusal named, with its cure.",
     {{"REASON", NULL, NULL, true, "e.g. KEY_STATE."}},
     .run = run_explain,
     .bare = true},
    {"completion",
     NULL,
     "Prints completion for bash: source <(keyward completion).",
     {{0}},
     .run = run_completion,
     .bare = true},
    {0},
};
