/* product … and batch …: the manufacturing line. */
#include "cli/batch.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/member_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 8 /* pens are confirmed so many at a time */

static struct kw_result product_new(const struct kw_cli *cli, struct kw_error *err)
{
    char name[KW_RESOURCE_NAME_SIZE];
    struct kw_id id;

    KW_TRY(kw_id_random(&id, err));
    (void)kw_resource_name1(KW_RESOURCE_PRODUCT, id, name);
    if (cli->form == KW_OUTPUT_JSON) {
        return kw_json_line(json_pack("{s:s}", "product", name), stdout, err);
    }
    (void)printf("%s\n", name);
    return KW_OK;
}

static enum kw_exit run_product_new(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_cli_exit(cli, product_new(cli, &error), &error);
}

static struct kw_result create(struct kw_cli *cli, struct kw_error *err)
{
    KW_SCOPED(kw_deliveries_done) struct kw_deliveries deliveries = {0};
    const char *path = kw_cli_argument(cli, "--file");
    ProtobufCMessage *request = NULL;
    struct kw_result result;
    FILE *file;

    KW_TRY(kw_cli_request(cli, KW_METHOD_CREATE_BATCH, &request, err));
    KW_TRY(kw_cli_connect(cli, err));
    file = fopen(path, "we");
    KW_ENSURE(file != NULL, err, CONFIG_INVALID, "%s: %s", path, strerror(errno));
    result = kw_batch_create(&cli->connection, request, cli->arena, file, &deliveries, err);
    KW_ENSURE(fclose(file) == 0, err, SYSTEM, "%s: %s", path, strerror(errno));
    KW_TRY(result);
    if (cli->form == KW_OUTPUT_JSON) {
        return kw_json_line(json_pack("{s:s, s:I, s:s}", "batch", deliveries.batch, "keys",
                                      (json_int_t)deliveries.count, "file", path),
                            stdout, err);
    }
    (void)printf("batch  %s\nkeys   %zu\nfile   %s\n", deliveries.batch, deliveries.count, path);
    return KW_OK;
}

static enum kw_exit run_create(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_cli_exit(cli, create(cli, &error), &error);
}

static struct kw_result confirmed_print(const struct kw_cli *cli,
                                        const struct kw_deliveries *deliveries, size_t confirmed,
                                        struct kw_error *err)
{
    if (cli->form == KW_OUTPUT_JSON) {
        return kw_json_line(json_pack("{s:s, s:I, s:I}", "batch", deliveries->batch, "confirmed",
                                      (json_int_t)confirmed, "of", (json_int_t)deliveries->count),
                            stdout, err);
    }
    (void)printf("batch      %s\nconfirmed  %zu of %zu\n", deliveries->batch, confirmed,
                 deliveries->count);
    return KW_OK;
}

static struct kw_result confirm_all(struct kw_cli *cli, const struct kw_deliveries *deliveries,
                                    const struct kw_pen_sim *pens, struct kw_error *err)
{
    struct kw_client_options options = kw_cli_client_options(&cli->settings);
    const struct kw_confirm_plan plan = {.options = &options,
                                         .timeout_ms = cli->settings.timeout_ms,
                                         .deliveries = deliveries,
                                         .pens = pens,
                                         .workers = WORKERS};
    size_t confirmed = 0;
    struct kw_result result = kw_batch_confirm(&plan, &cli->refusal, &confirmed, err);

    if (kw_ok(result)) {
        return confirmed_print(cli, deliveries, confirmed, err);
    }
    KW_TRY(confirmed_print(cli, deliveries, confirmed, err));
    if (confirmed > 0) {
        cli->refusal.exit = KW_EXIT_PARTIAL;
    }
    return result;
}

static struct kw_result confirm(struct kw_cli *cli, struct kw_error *err)
{
    KW_SCOPED(kw_deliveries_done) struct kw_deliveries deliveries = {0};
    struct kw_pen_sim *pens = NULL;
    char dir[PATH_MAX];
    struct kw_result result;

    KW_ENSURE(cli->settings.cert_file != NULL, err, CONFIG_INVALID, "cert_file is not set");
    KW_TRY(kw_deliveries_read(kw_cli_argument(cli, "FILE"), &deliveries, err));
    KW_TRY(kw_batch_program(&deliveries, kw_dir_of(cli->settings.cert_file, dir), &pens, err));
    result = confirm_all(cli, &deliveries, pens, err);
    kw_pen_sim_wipe(pens, deliveries.count);
    free(pens);
    return result;
}

static enum kw_exit run_confirm(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_cli_exit(cli, confirm(cli, &error), &error);
}

const struct kw_command kw_batch_commands[] = {
    {"product",
     "new",
     "Makes a product's name. It exists from the first station that is given it.",
     {{0}},
     .run = run_product_new},
    {"batch",
     "create",
     "Generates the keys of a batch of pens and writes the deliveries to a file. Waits for other "
     "cells to have them.",
     {{"--product", "NAME", "product", true, "Product to make, products/prd_…."},
      {"--lot", "TEXT", "lot", true, "The manufacturer's lot number."},
      {"--count", "N", "count", true, "How many pens, at most 10,000."},
      {"--file", "FILE", NULL, true, "Where the deliveries go, a JSON object a line."},
      {"--request-id", "UUID", "request_id", false, "Resume an earlier request: the same keys."},
      {"--start-index", "N", "start_index", false, "Resume from this pen on."}},
     .run = run_create},
    {"batch",
     "confirm",
     "Programs simulated pens with a file's deliveries and confirms each.",
     {{"FILE", NULL, NULL, true, "What batch create wrote."}},
     .run = run_confirm},
    {"batch",
     "release",
     "Activates the keys of all confirmed pens of a batch.",
     {{"NAME", NULL, "name", true, "batches/bat_…."},
      {"--etag", "ETAG", "etag", false, "Only if it has not changed since."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_RELEASE_BATCH, NULL, NULL}},
    {"batch",
     "get",
     "Shows a batch with its counts.",
     {{"NAME", NULL, "name", true, "batches/bat_…."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_GET_BATCH, "batch", NULL}},
    {0},
};
