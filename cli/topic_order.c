/* store … and order …: which stores the mesh has; draining and fencing those of a cell. */
#include "cli/cli.h"
#include "cli/order.h"
#include "common/base/file.h"
#include "common/crypto/keyfile.h"
#include "common/rpc/messages.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX 16 /* that are asked, and told, beside the one of the settings */

static const char *const store_columns[] = {"layer", "region", "cell", "state", "order_time", NULL};

/* --- all the cells --- */

struct cells {
    struct kw_cli *cli;
    struct kw_cli_settings settings[CELLS_MAX];
    struct kw_connection connections[CELLS_MAX];
    size_t count;
};

static void cells_done(struct cells *cells)
{
    for (size_t i = 0; i < cells->count; i++) {
        kw_connection_done(&cells->connections[i]);
        kw_settings_done(&kw_cli_settings, &cells->settings[i]);
    }
}

static struct kw_result open_cell(struct cells *cells, const char *file, struct kw_error *err)
{
    char *arguments[] = {kw_arena_printf(cells->cli->arena, "keyward"),
                         kw_arena_printf(cells->cli->arena, "--config=%s", file)};
    struct kw_cli_settings *settings = &cells->settings[cells->count];
    enum kw_settings_outcome outcome;
    struct kw_client_options options;

    KW_ENSURE(arguments[0] != NULL && arguments[1] != NULL, err, MEMORY, "settings");
    KW_TRY(kw_settings_load(&kw_cli_settings, 2, arguments, settings, &outcome, err));
    options = kw_cli_client_options(settings);
    cells->count++;
    return kw_connection_open(&cells->connections[cells->count - 1], &options, settings->timeout_ms,
                              &cells->cli->refusal, err);
}

static struct kw_result open_cells(struct cells *cells, struct kw_error *err)
{
    const char *also = kw_cli_argument(cells->cli, "--also");
    char *files = kw_arena_printf(cells->cli->arena, "%s", also != NULL ? also : "");
    char *rest = NULL;

    KW_ENSURE(files != NULL, err, MEMORY, "settings");
    KW_TRY(kw_cli_connect(cells->cli, err));
    for (char *file = strtok_r(files, ",", &rest); file != NULL;
         file = strtok_r(NULL, ",", &rest)) {
        KW_ENSURE(cells->count < CELLS_MAX, err, ARGUMENT_INVALID, "more than %d cells beside",
                  CELLS_MAX);
        KW_TRY(open_cell(cells, file, err));
    }
    return KW_OK;
}

/* --- asking --- */

static struct kw_result ask(struct cells *cells, struct kw_connection *connection,
                            struct kw_order_draft *draft, struct kw_error *err)
{
    Keyward__V1__ListStoresRequest request = KEYWARD__V1__LIST_STORES_REQUEST__INIT;
    ProtobufCMessage *response;

    KW_TRY(kw_connection_call(connection, KW_METHOD_LIST_STORES, &request.base, cells->cli->arena,
                              &response, err));
    return kw_order_draft_add(draft, (const Keyward__V1__ListStoresResponse *)response, err);
}

static struct kw_result draw(struct cells *cells, enum kw_order_action action,
                             struct kw_buf *content, struct kw_error *err)
{
    struct kw_order_draft draft = {.arena = cells->cli->arena,
                                   .place = kw_cli_argument(cells->cli, "CELL"),
                                   .order = {.action = action}};

    KW_TRY(ask(cells, &cells->cli->connection, &draft, err));
    for (size_t i = 0; i < cells->count; i++) {
        KW_TRY(ask(cells, &cells->connections[i], &draft, err));
    }
    return kw_order_draft_end(&draft, content, err);
}

/* --- handing in --- */

static struct kw_result hand_in(struct cells *cells, struct kw_connection *connection,
                                struct kw_bytes record, struct kw_error *err)
{
    ProtobufCMessage *request;
    ProtobufCMessage *response;

    KW_TRY(kw_cli_request(cells->cli, KW_METHOD_ORDER_STORES, &request, err));
    ((Keyward__V1__OrderStoresRequest *)request)->order = kw_field_bytes(record);
    KW_TRY(kw_connection_call(connection, KW_METHOD_ORDER_STORES, request, cells->cli->arena,
                              &response, err));
    return kw_output_response(cells->cli->form, response, NULL, NULL, cells->cli->arena, stdout,
                              err);
}

static struct kw_result hand_in_everywhere(struct cells *cells, struct kw_bytes record,
                                           struct kw_error *err)
{
    KW_TRY(hand_in(cells, &cells->cli->connection, record, err));
    for (size_t i = 0; i < cells->count; i++) {
        KW_TRY(hand_in(cells, &cells->connections[i], record, err));
    }
    return KW_OK;
}

/* --- the commands --- */

static struct kw_result order(struct cells *cells, enum kw_order_action action,
                              struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_TRY(open_cells(cells, err));
    KW_TRY(draw(cells, action, &content, err));
    KW_TRY(kw_order_sign(kw_buf_bytes(&content), kw_cli_argument(cells->cli, "--officer-key"),
                         &record, err));
    return hand_in_everywhere(cells, kw_buf_bytes(&record), err);
}

static enum kw_exit run(struct kw_cli *cli, enum kw_order_action action)
{
    struct cells cells = {.cli = cli};
    struct kw_error error;
    struct kw_result result = order(&cells, action, &error);

    cells_done(&cells);
    return kw_cli_exit(cli, result, &error);
}

static enum kw_exit run_fence(struct kw_cli *cli)
{
    return run(cli, KW_ORDER_FENCE);
}

static enum kw_exit run_drain(struct kw_cli *cli)
{
    return run(cli, KW_ORDER_DRAIN);
}

static struct kw_result draw_to_file(struct cells *cells, struct kw_error *err)
{
    const char *action = kw_cli_argument(cells->cli, "ACTION");
    bool fences = strcmp(action, "fence") == 0;
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    KW_ENSURE(fences || strcmp(action, "drain") == 0, err, ARGUMENT_INVALID,
              "%s is neither fence nor drain", action);
    KW_TRY(open_cells(cells, err));
    KW_TRY(draw(cells, fences ? KW_ORDER_FENCE : KW_ORDER_DRAIN, &content, err));
    return kw_keyfile_write(AT_FDCWD, kw_cli_argument(cells->cli, "FILE"), kw_buf_bytes(&content),
                            KW_KEYFILE_MODE_PUBLIC, err);
}

static enum kw_exit run_draw(struct kw_cli *cli)
{
    struct cells cells = {.cli = cli};
    struct kw_error error;
    struct kw_result result = draw_to_file(&cells, &error);

    cells_done(&cells);
    return kw_cli_exit(cli, result, &error);
}

static struct kw_result submit(struct cells *cells, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf signature = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_TRY(kw_file_read(kw_cli_argument(cells->cli, "FILE"), KW_ORDER_LEN_MAX, &content, err));
    KW_TRY(kw_file_read(kw_cli_argument(cells->cli, "--signature"), KW_SIGNATURE_LEN_MAX,
                        &signature, err));
    KW_TRY(kw_order_seal(kw_buf_bytes(&content), kw_buf_bytes(&signature), &record, err));
    KW_TRY(open_cells(cells, err));
    return hand_in_everywhere(cells, kw_buf_bytes(&record), err);
}

static enum kw_exit run_submit(struct kw_cli *cli)
{
    struct cells cells = {.cli = cli};
    struct kw_error error;
    struct kw_result result = submit(&cells, &error);

    cells_done(&cells);
    return kw_cli_exit(cli, result, &error);
}

#define CELL_FLAG                                                                                  \
    {                                                                                              \
        "CELL", NULL, NULL, true, "Whose stores: REGION/CELL."                                     \
    }

#define ALSO_FLAG                                                                                  \
    {                                                                                              \
        "--also", "FILE,…", NULL, false,                                                           \
            "Settings for every other cell that lives: they are asked, and told, too."             \
    }

#define KEY_FLAG                                                                                   \
    {                                                                                              \
        "--officer-key", "FILE", NULL, true, "The first officer's key, who signs the order."       \
    }

const struct kw_command kw_order_commands[] = {
    {"store",
     "list",
     "Lists the stores of the mesh, as the cell asked knows them.",
     {{0}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_LIST_STORES, "stores", store_columns}},
    {"order",
     "fence",
     "Orders that a cell's stores are out, for good. What living cells hold of them is honoured.",
     {CELL_FLAG, KEY_FLAG, ALSO_FLAG},
     .run = run_fence,
     .call = {KW_METHOD_ORDER_STORES, NULL, NULL}},
    {"order",
     "drain",
     "Orders that nobody counts on a cell's stores any more, until a new life of theirs.",
     {CELL_FLAG, KEY_FLAG, ALSO_FLAG},
     .run = run_drain,
     .call = {KW_METHOD_ORDER_STORES, NULL, NULL}},
    {"order",
     "draw",
     "Draws up such an order, to be signed elsewhere.",
     {{"ACTION", NULL, NULL, true, "fence or drain."},
      CELL_FLAG,
      {"FILE", NULL, NULL, true, "Where it is written."},
      ALSO_FLAG},
     .run = run_draw},
    {"order",
     "submit",
     "Hands in an order that was signed.",
     {{"FILE", NULL, NULL, true, "The order, as it was drawn up."},
      {"--signature", "FILE", NULL, true, "The first officer's, as openssl dgst writes it."},
      ALSO_FLAG},
     .run = run_submit,
     .call = {KW_METHOD_ORDER_STORES, NULL, NULL}},
    {0},
};
