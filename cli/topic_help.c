/* settings, explain, completion: help beyond --help. */
#include "cli/cli.h"
#include "cli/completion.h"

#include <ctype.h>
#include <string.h>

static enum kw_exit run_settings(struct kw_cli *cli)
{
    (void)cli;
    kw_settings_print(&kw_cli_settings, KW_SETTINGS_HELP, stdout);
    return KW_EXIT_OK;
}

/* As refusals print it, whatever was typed; NULL: no memory. */
static const char *upper_case(struct kw_cli *cli, const char *text)
{
    char *name = kw_arena_printf(cli->arena, "%s", text);

    for (char *c = name; c != NULL && *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    return name;
}

static enum kw_exit run_explain(struct kw_cli *cli)
{
    const char *typed = kw_cli_argument(cli, "REASON");
    const char *name = upper_case(cli, typed);
    enum kw_reason reason = name != NULL ? kw_reason_by_name(name, strlen(name)) : KW_E_NONE;
    const struct kw_reason_row *row = kw_reason_row(reason);

    if (name != NULL && strcmp(name, KW_REFUSAL_UNREACHABLE) == 0) {
        (void)printf("%s: nobody answered in time at `target`, or it is not whom `peer` names\n"
                     "  cure   %s\n",
                     name, kw_refusal_unreachable_cure);
        return KW_EXIT_OK;
    }
    if (reason == KW_E_NONE) {
        (void)fprintf(stderr, "keyward: there is no reason %s; see docs/errors.md\n", typed);
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
