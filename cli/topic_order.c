/* store … and order …: which stores the mesh has; draining and fencing those of a cell. */
#include "cli/cli.h"
#include "cli/order.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/limits.h"
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
    const char *place; /* "region/cell", of the stores that are asked about */
    char *region;
    char *cell;
    struct kw_trust root; /* of the mesh */
    struct kw_spiffe peer;
};

static void cells_done(struct cells *cells)
{
    for (size_t i = 0; i < cells->count; i++) {
        kw_connection_done(&cells->connections[i]);
        kw_settings_done(&kw_cli_settings, &cells->settings[i]);
    }
    kw_trust_done(&cells->root);
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

static struct kw_result read_place(struct cells *cells, struct kw_error *err)
{
    const char *slash;

    cells->place = kw_cli_argument(cells->cli, "CELL");
    slash = strchr(cells->place, '/');
    KW_ENSURE(slash != NULL, err, ARGUMENT_INVALID, "%s is no REGION/CELL", cells->place);
    cells->region = kw_arena_text(cells->cli->arena, cells->place, (size_t)(slash - cells->place));
    cells->cell = kw_arena_printf(cells->cli->arena, "%s", slash + 1);
    KW_ENSURE(cells->region != NULL && cells->cell != NULL, err, MEMORY, "a place");
    return KW_OK;
}

/* Whom vouchers are believed. All regions are below one root, so the settings of one cell say which it is. */
static struct kw_result read_root(struct cells *cells, struct kw_error *err)
{
    const struct kw_cli_settings *settings = &cells->cli->settings;
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_ENSURE(settings->ca_file != NULL, err, CONFIG_INVALID, "ca_file is not set: the root CA");
    KW_TRY(kw_file_read(settings->ca_file, KW_CREDENTIALS_FILE_LEN_MAX, &pem, err));
    KW_TRY(kw_spiffe_parse(kw_bytes_str(settings->peer), &cells->peer, err));
    return kw_trust_from_pem(&cells->root, kw_buf_bytes(&pem), err);
}

static struct kw_result prepare(struct cells *cells, struct kw_error *err)
{
    KW_TRY(read_place(cells, err));
    KW_TRY(open_cells(cells, err));
    return read_root(cells, err);
}

/* By the cell that was asked last, which may show what it likes. */
static void name_doubts(const char *target, const struct kw_order_draft *draft)
{
    unsigned count = 0;

    for (const struct kw_order_doubt *doubt = draft->doubts;
         doubt != NULL && doubt->cell == draft->cells; doubt = doubt->next) {
        char text[2 * KW_ID_LEN + 1] = "an id that is none";

        if (++count > KW_ORDER_STORES_MAX) {
            continue;
        }
        if (doubt->store.len == KW_ID_LEN) {
            kw_hex(doubt->store, text);
        }
        (void)fprintf(stderr, "%s shows store %s, which does not count: %s\n", target, text,
                      doubt->why);
    }
    if (count > KW_ORDER_STORES_MAX) {
        (void)fprintf(stderr, "%s shows %u more that do not count\n", target,
                      count - KW_ORDER_STORES_MAX);
    }
}

/* Who does not say what he holds is named: an order is drawn up by all that are asked, or not at all. */
static struct kw_result ask(struct cells *cells, struct kw_connection *connection,
                            const char *target, struct kw_order_draft *draft, struct kw_error *err)
{
    Keyward__V1__ListStoresRequest request = KEYWARD__V1__LIST_STORES_REQUEST__INIT;
    ProtobufCMessage *response;
    struct kw_result answered;

    request.region = cells->region;
    request.cell = cells->cell;
    answered = kw_connection_call(connection, KW_METHOD_LIST_STORES, &request.base,
                                  cells->cli->arena, &response, err);
    if (!kw_ok(answered)) {
        (void)fprintf(stderr, "%s does not say what it holds:\n", target);
        return answered;
    }
    KW_TRY(kw_order_draft_add(draft, (const Keyward__V1__ListStoresResponse *)response, err));
    name_doubts(target, draft);
    return KW_OK;
}

static struct kw_result draw(struct cells *cells, enum kw_order_action action,
                             struct kw_buf *content, struct kw_error *err)
{
    struct kw_order_draft draft = {.arena = cells->cli->arena,
                                   .vouching = {.root = &cells->root,
                                                .trust_domain = cells->peer.trust_domain,
                                                .place = cells->place,
                                                .now_ms = kw_clock_wall_ms()},
                                   .again = action == KW_ORDER_FENCE &&
                                            kw_cli_argument(cells->cli, "--again") != NULL,
                                   .order = {.action = action}};

    KW_TRY(ask(cells, &cells->cli->connection, cells->cli->settings.target, &draft, err));
    for (size_t i = 0; i < cells->count; i++) {
        KW_TRY(ask(cells, &cells->connections[i], cells->settings[i].target, &draft, err));
    }
    KW_TRY(kw_order_draft_end(&draft, content, err));
    if (draft.unproven > 0) {
        (void)fprintf(stderr,
                      "%u lanes do not count: no head that is signed by a key which another cell "
                      "knows\n",
                      draft.unproven);
    }
    return KW_OK;
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

/* What came of it in all cells: the first refusal is the command's. */
struct handing_in {
    struct kw_result result;
    struct kw_error error;
    struct kw_refusal refusal;
};

/* One that refuses keeps it from no other. */
static void hand_in_one(struct cells *cells, struct kw_connection *connection, const char *target,
                        struct kw_bytes record, struct handing_in *all)
{
    struct kw_error error = {0};
    struct kw_result result;

    cells->cli->refusal = (struct kw_refusal){0};
    (void)fprintf(stderr, "%s:\n", target);
    result = hand_in(cells, connection, record, &error);
    if (kw_ok(result)) {
        return;
    }
    (void)kw_cli_fail(cells->cli, &error);
    if (kw_ok(all->result)) {
        *all = (struct handing_in){result, error, cells->cli->refusal};
    }
}

static struct kw_result hand_in_everywhere(struct cells *cells, struct kw_bytes record,
                                           struct kw_error *err)
{
    struct handing_in all = {.result = KW_OK};

    hand_in_one(cells, &cells->cli->connection, cells->cli->settings.target, record, &all);
    for (size_t i = 0; i < cells->count; i++) {
        hand_in_one(cells, &cells->connections[i], cells->settings[i].target, record, &all);
    }
    if (!kw_ok(all.result)) {
        *err = all.error;
        cells->cli->refusal = all.refusal;
    }
    return all.result;
}

/* --- the commands --- */

static struct kw_result draw_signed(struct cells *cells, enum kw_order_action action,
                                    struct kw_buf *record, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    KW_TRY(draw(cells, action, &content, err));
    return kw_order_sign(kw_buf_bytes(&content), kw_cli_argument(cells->cli, "--officer-key"),
                         record, err);
}

static struct kw_result order_once(struct cells *cells, enum kw_order_action action,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_TRY(draw_signed(cells, action, &record, err));
    return hand_in_everywhere(cells, kw_buf_bytes(&record), err);
}

/* A store that goes on writing is always ahead of what was asked. So it is cut off first: from then on nobody holds more, and
 * what is asked next is what is honoured. A cell that takes no cut is told to fence all the same, and refuses if it holds
 * more. Where there is nothing to be cut off, fencing says so. */
static struct kw_result cut_off(struct cells *cells, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_error why = {0};
    struct kw_result drawn = draw_signed(cells, KW_ORDER_CUT, &record, err);

    if (drawn.reason == KW_E_NOT_FOUND) {
        return KW_OK;
    }
    KW_TRY(drawn);
    if (!kw_ok(hand_in_everywhere(cells, kw_buf_bytes(&record), &why))) {
        (void)fprintf(stderr, "not cut off everywhere: %s\n", why.message);
    }
    cells->cli->refusal = (struct kw_refusal){0};
    return KW_OK;
}

static struct kw_result order(struct cells *cells, enum kw_order_action action,
                              struct kw_error *err)
{
    KW_TRY(prepare(cells, err));
    if (action == KW_ORDER_FENCE) {
        KW_TRY(cut_off(cells, err));
    }
    return order_once(cells, action, err);
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
    static const char *const actions[KW_ORDER_ACTION_END_] = {
        [KW_ORDER_DRAIN] = "drain", [KW_ORDER_FENCE] = "fence", [KW_ORDER_CUT] = "cut"};
    const char *named = kw_cli_argument(cells->cli, "ACTION");
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    unsigned action = KW_ORDER_DRAIN;

    while (action < KW_ORDER_ACTION_END_ && strcmp(named, actions[action]) != 0) {
        action++;
    }
    KW_ENSURE(action < KW_ORDER_ACTION_END_, err, ARGUMENT_INVALID,
              "%s is none of cut, fence and drain", named);
    KW_TRY(prepare(cells, err));
    KW_TRY(draw(cells, (enum kw_order_action)action, &content, err));
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

#define AGAIN_FLAG                                                                                 \
    {                                                                                              \
        "--again", NULL, NULL, false,                                                              \
            "Also stores that are fenced: from now on no more is waited for than these cells "     \
            "hold."                                                                                \
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
     "Orders that a cell's stores are cut off, and then that they are out, for good. What the "
     "cells asked hold of them is honoured.",
     {CELL_FLAG, KEY_FLAG, ALSO_FLAG, AGAIN_FLAG},
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
     {{"ACTION", NULL, NULL, true, "cut, fence or drain."},
      CELL_FLAG,
      {"FILE", NULL, NULL, true, "Where it is written."},
      ALSO_FLAG,
      AGAIN_FLAG},
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
