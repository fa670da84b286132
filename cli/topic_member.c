/* partner … and station …: the same verbs, on two services. */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/member.h"

#include <string.h>

static const char *const partner_columns[] = {
    "name", "display_name", "state", "transport_key_version", "certificate_expire_time", NULL};
static const char *const station_columns[] = {"name",     "display_name", "state",
                                              "products", "location",     NULL};

static const struct kw_member_kind *kind_of(const struct kw_cli *cli)
{
    return strcmp(cli->command->noun, kw_member_partner.noun) == 0 ? &kw_member_partner
                                                                   : &kw_member_station;
}

static struct kw_result invite(struct kw_cli *cli, struct kw_error *err)
{
    struct kw_client_options options = kw_cli_client_options(&cli->settings);
    const struct kw_invite_plan plan = {.kind = kind_of(cli),
                                        .parent = kw_cli_argument(cli, "NAME"),
                                        .dir = kw_cli_argument(cli, "--dir"),
                                        .expire_time = kw_cli_argument(cli, "--expire-time")};

    KW_TRY(kw_cli_connect(cli, err));
    KW_TRY(kw_member_invite(&cli->connection, &options, &plan, cli->arena, err));
    if (cli->form == KW_OUTPUT_JSON) {
        return kw_json_line(json_pack("{s:s}", "invitation", plan.dir), stdout, err);
    }
    (void)printf("invitation  %s\nnext        keyward %s join %s --dir=DIR\n", plan.dir,
                 plan.kind->noun, plan.dir);
    return KW_OK;
}

static enum kw_exit run_invite(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_cli_exit(cli, invite(cli, &error), &error);
}

static struct kw_result join(struct kw_cli *cli, struct kw_error *err)
{
    struct kw_client_options options = kw_cli_client_options(&cli->settings);
    const char *dir = kw_cli_argument(cli, "--dir");
    struct kw_joined joined;

    KW_TRY(kw_cli_connect(cli, err));
    KW_TRY(kw_member_join(&cli->connection, &options, dir, cli->arena, &joined, err));
    if (cli->form == KW_OUTPUT_JSON) {
        return kw_json_line(
            json_pack("{s:s, s:I, s:s+}", "name", joined.name, "transportKeyVersion",
                      (json_int_t)joined.transport_key_version, "settings", dir, "/cli.yaml"),
            stdout, err);
    }
    (void)printf("name                   %s\ntransport_key_version  %u\nsettings               "
                 "%s/cli.yaml\n",
                 joined.name, joined.transport_key_version, dir);
    return KW_OK;
}

static enum kw_exit run_join(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_cli_exit(cli, join(cli, &error), &error);
}

#define INVITE_FLAGS                                                                               \
    {                                                                                              \
        {"NAME", NULL, NULL, true, "Who is invited, as create printed it."},                       \
            {"--dir", "DIR", NULL, true,                                                           \
             "Where the invitation is written: hand it over, it opens the door once."},            \
            {"--expire-time", "TIME", NULL, false, "End of the invitation; +24h by default."},     \
    }

#define JOIN_FLAGS                                                                                 \
    {                                                                                              \
        {"INVITATION", NULL, NULL, true, "Directory of the invitation."},                          \
            {"--dir", "DIR", NULL, true,                                                           \
             "Where our keys, certificates and settings are written. Again with the same one "     \
             "after a failure."},                                                                  \
    }

#define NAME_FLAG                                                                                  \
    {                                                                                              \
        "NAME", NULL, "name", true, "Resource name."                                               \
    }

#define CHANGE_FLAGS                                                                               \
    {                                                                                              \
        NAME_FLAG, {"--justification", "TEXT", "justification", true, "Why, for the audit."},      \
            {"--etag", "ETAG", "etag", false, "Only if it has not changed since."},                \
            KW_CLI_WAIT_FLAG,                                                                      \
    }

#define LIST_FLAGS                                                                                 \
    {                                                                                              \
        {"--state", "STATE", "state", false, "invited, enrolled, active or suspended."},           \
            {"--page-size", "N", "page_size", false, "At most so many."},                          \
            {"--page-token", "TOKEN", "page_token", false, "Where the last page ended."},          \
    }

const struct kw_command kw_member_commands[] = {
    {"partner",
     "create",
     "Registers a partner.",
     {{"--display-name", "TEXT", "partner.display_name", true, "Name for people."},
      {"--contact", "TEXT", "partner.contact", true, "Where to reach its operators."},
      {"--region", "REGION,…", "partner.regions", false, "Regions it may call; all by default."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_CREATE_PARTNER, "partner", NULL}},
    {"partner", "invite", "Makes an invitation for a partner.", INVITE_FLAGS, .run = run_invite},
    {"partner", "join", "Enrolls with an invitation, opens and confirms the transport key.",
     JOIN_FLAGS, .run = run_join, .invitation_flag = "INVITATION"},
    {"partner",
     "get",
     "Shows a partner.",
     {NAME_FLAG},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_GET_PARTNER, "partner", NULL}},
    {"partner", "list", "Lists partners.", LIST_FLAGS, .run = kw_cli_run_call,
     .call = {KW_METHOD_LIST_PARTNERS, "partners", partner_columns}},
    {"partner", "suspend", "Stops a partner until it is reinstated.", CHANGE_FLAGS,
     .run = kw_cli_run_call, .call = {KW_METHOD_SUSPEND_PARTNER, "partner", NULL}},
    {"partner", "reinstate", "Takes a suspension back.", CHANGE_FLAGS, .run = kw_cli_run_call,
     .call = {KW_METHOD_REINSTATE_PARTNER, "partner", NULL}},
    {"station",
     "create",
     "Registers a manufacturing station.",
     {{"--display-name", "TEXT", "station.display_name", true, "Name for people."},
      {"--product", "NAME,…", "station.products", true, "Products it may provision."},
      {"--location", "TEXT", "station.location", false, "Site and line."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_CREATE_STATION, "station", NULL}},
    {"station", "invite", "Makes an invitation for a station.", INVITE_FLAGS, .run = run_invite},
    {"station", "join", "Enrolls with an invitation, opens and confirms the transport key.",
     JOIN_FLAGS, .run = run_join, .invitation_flag = "INVITATION"},
    {"station",
     "get",
     "Shows a station.",
     {NAME_FLAG},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_GET_STATION, "station", NULL}},
    {"station", "list", "Lists stations.", LIST_FLAGS, .run = kw_cli_run_call,
     .call = {KW_METHOD_LIST_STATIONS, "stations", station_columns}},
    {"station", "suspend", "Stops a station until it is reinstated.", CHANGE_FLAGS,
     .run = kw_cli_run_call, .call = {KW_METHOD_SUSPEND_STATION, "station", NULL}},
    {"station", "reinstate", "Takes a suspension back.", CHANGE_FLAGS, .run = kw_cli_run_call,
     .call = {KW_METHOD_REINSTATE_STATION, "station", NULL}},
    {0},
};
