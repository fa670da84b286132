/* up, tour, status: a mesh of one's own, its story, and how it is. */
#include "cli/cli.h"
#include "cli/mesh_layout.h"
#include "cli/mesh_make.h"
#include "cli/tour.h"
#include "cli/up.h"
#include "keyward/v1/status_service.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const layer_columns[] = {"layer", "state", "region", "cell", "start_time", NULL};
static const char *const degradation_columns[] = {"reason", "description", "start_time", NULL};
static const char *const confinement_columns[] = {"key", "value", NULL};

static enum kw_exit run_up(struct kw_cli *cli)
{
    const struct kw_up_options options = {
        .dir = kw_cli_argument(cli, "--dir"),
        .regions = kw_cli_argument(cli, "--regions"),
        .cells = kw_cli_argument(cli, "--cells"),
        .start_ms = kw_cli_argument(cli, "--start-ms"),
        .with_parent = kw_cli_argument(cli, "--with-parent") != NULL,
    };

    return kw_up(&options);
}

static enum kw_exit run_make(struct kw_cli *cli)
{
    const struct kw_mesh_make_options options = {
        .dir = kw_cli_argument(cli, "--dir"),
        .regions = kw_cli_argument(cli, "--regions"),
        .cells = kw_cli_argument(cli, "--cells"),
        .state_dir = kw_cli_argument(cli, "--state-dir"),
    };

    return kw_mesh_make(&options);
}

static enum kw_exit run_tour(struct kw_cli *cli)
{
    const char *config = kw_cli_argument(cli, "--config");

    if (config != NULL) {
        if (access(config, R_OK) != 0) {
            (void)fprintf(stderr, "keyward tour: %s: %s\n", config, strerror(errno));
            return KW_EXIT_USAGE;
        }
        (void)setenv("KEYWARD_CONFIG", config, 1); /* as all its commands will see it */
    }
    return kw_tour(kw_cli_argument(cli, "--dir"), kw_cli_argument(cli, "--pens"));
}

/* What is not as it should be, layer by layer. */
static struct kw_result show_degradations(const struct kw_cli *cli,
                                          const Keyward__V1__GetStatusResponse *status,
                                          struct kw_error *err)
{
    for (size_t i = 0; i < status->n_layers; i++) {
        if (status->layers[i]->n_degradations > 0) {
            (void)printf("\n%s:\n", status->layers[i]->layer);
            KW_TRY(kw_output_response(KW_OUTPUT_TABLE, &status->layers[i]->base, "degradations",
                                      degradation_columns, cli->arena, stdout, err));
        }
    }
    return KW_OK;
}

/* What confines the processes that say so. */
static struct kw_result show_confinement(const struct kw_cli *cli,
                                         const Keyward__V1__GetStatusResponse *status,
                                         struct kw_error *err)
{
    for (size_t i = 0; i < status->n_layers; i++) {
        if (status->layers[i]->n_confinement > 0) {
            (void)printf("\n%s is confined by:\n", status->layers[i]->layer);
            KW_TRY(kw_output_response(KW_OUTPUT_TABLE, &status->layers[i]->base, "confinement",
                                      confinement_columns, cli->arena, stdout, err));
        }
    }
    return KW_OK;
}

static struct kw_result status(struct kw_cli *cli, bool *ret_healthy, struct kw_error *err)
{
    ProtobufCMessage *request = NULL;
    ProtobufCMessage *response = NULL;
    const Keyward__V1__GetStatusResponse *status;

    KW_TRY(kw_cli_request(cli, KW_METHOD_GET_STATUS, &request, err));
    KW_TRY(kw_cli_connect(cli, err));
    KW_TRY(kw_connection_call(&cli->connection, KW_METHOD_GET_STATUS, request, cli->arena,
                              &response, err));
    KW_TRY(kw_cli_show(cli, response, err));
    status = (const Keyward__V1__GetStatusResponse *)response;
    if (cli->form == KW_OUTPUT_TABLE) {
        KW_TRY(show_degradations(cli, status, err));
        KW_TRY(show_confinement(cli, status, err));
    }
    *ret_healthy = status->state == KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING;
    return KW_OK;
}

static enum kw_exit run_status(struct kw_cli *cli)
{
    bool healthy = false;
    struct kw_error error;
    struct kw_result result = status(cli, &healthy, &error);

    if (!kw_ok(result)) {
        return kw_cli_fail(cli, &error);
    }
    return healthy ? KW_EXIT_OK : KW_EXIT_UNHEALTHY;
}

const struct kw_command kw_mesh_commands[] = {
    {"up",
     NULL,
     "Starts a whole development mesh and keeps it running until Ctrl-C.",
     {{"--dir", "DIR", NULL, false,
       "Where it lies; must not exist or be empty. Else a temporary one."},
      {"--regions", "N", NULL, false, "How many regions it has, 1 to 3; 2 by default."},
      {"--cells", "N", NULL, false, "How many cells each has, 1 to 3; 1 by default."},
      {"--start-ms", "MS", NULL, false,
       "How long each part may take to become ready; 30,000 by default."},
      {"--with-parent", NULL, NULL, false, "Stop also when whoever started it ends."}},
     .run = run_up,
     .bare = true},
    {"mesh",
     "make",
     "Makes the files of a mesh whose services run in containers; finds one that is there.",
     {{"--dir", "DIR", NULL, true, "Where they lie: DIR/REGION/CELL/SERVICE, DIR/officer."},
      {"--regions", "N", NULL, false, "How many regions it has, 1 to 3; 2 by default."},
      {"--cells", "N", NULL, false, "How many cells each has, 1 to 3; 1 by default."},
      {"--state-dir", "DIR", NULL, false,
       "Where each container sees its own; " KW_MESH_STATE_DIR " by default."}},
     .run = run_make,
     .bare = true},
    {"tour",
     NULL,
     "Shows it all: from the first key to the verified receipt. Starts a mesh if none is set.",
     {{"--dir", "DIR", NULL, false,
       "Where its files go; must not exist or be empty. Else a temporary one."},
      {"--pens", "N", NULL, false, "How many pens are made; 1,000 by default."},
      {"--config", "FILE", NULL, false,
       "An operator's settings on a mesh that runs, as `up` prints."}},
     .run = run_tour,
     .bare = true},
    {"status",
     NULL,
     "Asks every layer how it is. Exit 5 when something is wrong.",
     {{0}},
     .run = run_status,
     .call = {KW_METHOD_GET_STATUS, "layers", layer_columns}},
    {0},
};
