/* grant …: who may do what with which keys. */
#include "cli/cli.h"

static const char *const columns[] = {"name", "operations", "purpose", "state", "end_time", NULL};

/* Which keys a grant is about: there are three ways to say it, and one is needed. */
static struct kw_result scope_check(const struct kw_cli *cli, struct kw_error *err)
{
    int given = (kw_cli_argument(cli, "--device") != NULL ? 1 : 0) +
                (kw_cli_argument(cli, "--batch") != NULL ? 1 : 0) +
                (kw_cli_argument(cli, "--product") != NULL ? 1 : 0);

    KW_ENSURE(given > 0, err, ARGUMENT_INVALID,
              "one of --device, --batch, --product is needed: which keys");
    KW_ENSURE(given == 1, err, ARGUMENT_INVALID, "only one of --device, --batch, --product");
    return KW_OK;
}

static enum kw_exit run_create(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_ok(scope_check(cli, &error)) ? kw_cli_run_call(cli) : kw_cli_fail(cli, &error);
}

#define NAME_FLAG                                                                                  \
    {                                                                                              \
        "NAME", NULL, "name", true, "partners/prt_…/grants/grt_…."                             \
    }

const struct kw_command kw_grant_commands[] = {
    {"grant",
     "create",
     "Grants. Name the devices by --device, --batch or --product.",
     {{"PARTNER", NULL, "parent", true, "Who may, partners/prt_…."},
      {"--device", "NAME,…", "grant.devices.devices", false, "These devices."},
      {"--batch", "NAME", "grant.batch", false, "All devices of this batch."},
      {"--product", "NAME", "grant.product", false, "All devices of this product."},
      {"--operation", "OPERATION,…", "grant.operations", true, "release-key, derive-session."},
      {"--purpose", "TEXT", "grant.purpose", true, "What for; a call must state the same."},
      {"--end-time", "TIME", "grant.end_time", true, "Until when, e.g. +90d."},
      {"--max-operations", "N", "grant.quota.max_operations", false, "How often."},
      {"--window", "SPAN", "grant.quota.window", false, "… in each such span."},
      {"--region", "REGION,…", "grant.regions", false, "Where; everywhere by default."},
      {"--justification", "TEXT", "justification", true, "Why, for the audit."}},
     .run = run_create,
     .call = {KW_METHOD_CREATE_GRANT, "grant", NULL}},
    {"grant",
     "get",
     "Shows a grant.",
     {NAME_FLAG},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_GET_GRANT, "grant", NULL}},
    {"grant",
     "list",
     "Lists the grants of a partner; of all with partners/-.",
     {{"PARTNER", NULL, "parent", true, "partners/prt_… or partners/-."},
      {"--state", "STATE", "state", false, "pending, active, expired or revoked."},
      {"--page-size", "N", "page_size", false, "At most so many."},
      {"--page-token", "TOKEN", "page_token", false, "Where the last page ended."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_LIST_GRANTS, "grants", columns}},
    {"grant",
     "revoke",
     "Revokes a grant for good, at once.",
     {NAME_FLAG,
      {"--justification", "TEXT", "justification", true, "Why, for the audit."},
      {"--etag", "ETAG", "etag", false, "Only if it has not changed since."},
      KW_CLI_WAIT_FLAG},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_REVOKE_GRANT, "grant", NULL}},
    {0},
};
