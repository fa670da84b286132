/* access …: what a partner's backend does, with its own checks of what it is given. */
#include "cli/access.h"
#include "cli/batch.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/member_files.h"
#include "cli/message.h"
#include "cli/table.h"
#include "cli/times.h"
#include "common/base/limits.h"
#include "common/crypto/cmac.h"
#include "common/crypto/keyfile.h"
#include "google/rpc/error_details.pb-c.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The request by the arguments, its device, and who asks. */
struct asking {
    Keyward__V1__GetDeviceAccessRequest *request;
    struct kw_id device;
    struct kw_access_owner owner;
    char dir[PATH_MAX];
};

static struct kw_result device_of(const char *name, struct kw_id *ret_id, struct kw_error *err)
{
    struct kw_resource_ids ids;

    KW_TRY(kw_resource_parse(KW_RESOURCE_DEVICE, name, &ids, err));
    *ret_id = ids.id[0];
    return KW_OK;
}

static struct kw_result asking_make(const struct kw_cli *cli, struct asking *asking,
                                    struct kw_error *err)
{
    ProtobufCMessage *request = NULL;

    KW_TRY(kw_cli_request(cli, KW_METHOD_GET_DEVICE_ACCESS, &request, err));
    asking->request = (Keyward__V1__GetDeviceAccessRequest *)request;
    if (asking->request->epoch == 0) {
        asking->request->epoch = 1;
    }
    KW_TRY(device_of(asking->request->device, &asking->device, err));
    return kw_access_owner_from_cert(cli->settings.cert_file, cli->settings.peer, asking->dir,
                                     &asking->owner, err);
}

/* --- access get --- */

static struct kw_result key_keep(const struct kw_partner_envelope *opened, const char *path,
                                 struct kw_error *err)
{
    return path != NULL ? kw_keyfile_write(AT_FDCWD, path, KW_BYTES_OF(opened->partner_key),
                                           KW_KEYFILE_MODE_PRIVATE, err)
                        : KW_OK;
}

static struct kw_result opened_print(const struct kw_partner_envelope *opened,
                                     const Keyward__V1__KeyEnvelope *envelope, struct kw_error *err)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    uint8_t value[KW_CHECK_VALUE_LEN];
    char value_text[2 * KW_CHECK_VALUE_LEN + 1];
    char expires[KW_TIME_TEXT_SIZE];

    KW_TRY(kw_secret_copy(&key, KW_BYTES_OF(opened->partner_key), err));
    KW_TRY(kw_check_value(&key, value, err));
    kw_hex(KW_BYTES_OF(value), value_text);
    (void)printf("device       %s\nepoch        %" PRIu32
                 "\nopened_with  transport key version %" PRIu32
                 "\nmac          good: by the delivered key, over every field\ncheck_value  "
                 "%s\nexpires      "
                 "%s\nreceipt      %s\n",
                 envelope->device, opened->epoch, opened->transport_version, value_text,
                 kw_time_text(kw_time_from_ms(opened->expires_ms), expires), envelope->receipt);
    return KW_OK;
}

static struct kw_result open_and_show(struct kw_cli *cli, const struct asking *asking,
                                      const ProtobufCMessage *response, struct kw_error *err)
{
    const Keyward__V1__KeyEnvelope *envelope =
        ((const Keyward__V1__GetDeviceAccessResponse *)response)->envelope;
    struct kw_partner_envelope opened = {0};
    struct kw_result result;

    KW_TRY(kw_access_open(&asking->owner, envelope, asking->device, &opened, err));
    result = key_keep(&opened, kw_cli_argument(cli, "--key-file"), err);
    if (kw_ok(result)) {
        result = cli->form == KW_OUTPUT_JSON ? kw_cli_show(cli, response, err)
                                             : opened_print(&opened, envelope, err);
    }
    kw_partner_wipe(&opened, sizeof(opened));
    return result;
}

static struct kw_result get(struct kw_cli *cli, struct kw_error *err)
{
    struct asking asking = {0};
    ProtobufCMessage *response = NULL;

    KW_TRY(asking_make(cli, &asking, err));
    KW_TRY(kw_cli_connect(cli, err));
    KW_TRY(kw_connection_call(&cli->connection, KW_METHOD_GET_DEVICE_ACCESS, &asking.request->base,
                              cli->arena, &response, err));
    return open_and_show(cli, &asking, response, err);
}

static enum kw_exit run_get(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_cli_exit(cli, get(cli, &error), &error);
}

/* --- access read --- */

/* The simulated pen of this device, programmed again from what its station was given. */
static struct kw_result pen_find(const struct kw_cli *cli, const char *device,
                                 struct kw_pen_sim *ret_pen, struct kw_error *err)
{
    KW_SCOPED(kw_deliveries_done) struct kw_deliveries deliveries = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    size_t i = 0;

    KW_TRY(kw_deliveries_read(kw_cli_argument(cli, "--pens"), &deliveries, err));
    while (i < deliveries.count && strcmp(deliveries.items[i].device, device) != 0) {
        i++;
    }
    KW_ENSURE(i < deliveries.count, err, ARGUMENT_INVALID, "%s is not among the pens", device);
    KW_TRY(kw_transport_key_read(kw_cli_argument(cli, "--station"),
                                 deliveries.items[i].transport_key_version, &key, err));
    return kw_pen_sim_program(ret_pen, &deliveries.items[i], &key, err);
}

static const char *dose_type(uint8_t type)
{
    return type == KW_PEN_DOSE_INJECTED ? "injected"
           : type == KW_PEN_DOSE_PRIMED ? "primed"
                                        : "expelled";
}

static struct kw_result doses_print(const struct kw_access_log *log, struct kw_arena *arena,
                                    struct kw_error *err)
{
    static const char *const headings[] = {"dose", "time", "units", "type", "log", NULL};
    KW_SCOPED(kw_table_done) struct kw_table table = {0};

    KW_TRY(kw_table_init(&table, headings, err));
    for (size_t i = 0; i < log->count; i++) {
        const struct kw_partner_dose *dose = &log->doses[i];
        char time[KW_TIME_TEXT_SIZE];
        const char *cells[] = {
            kw_arena_printf(arena, "%" PRIu32, dose->number),
            kw_time_text((struct kw_time){.seconds = dose->time_s}, time),
            kw_arena_printf(arena, "%u.%02u", dose->units_x100 / 100U, dose->units_x100 % 100U),
            dose_type(dose->type),
            (dose->flags & KW_PEN_DOSE_FLAG_LAST) != 0 ? "ends here" : "",
        };

        KW_ENSURE(cells[0] != NULL && cells[2] != NULL, err, MEMORY, "table");
        KW_TRY(kw_table_add(&table, cells, 5, err));
    }
    return kw_table_print(&table, stdout, err);
}

/* Units as a decimal text: a binary number would not be exact. */
static json_t *dose_json(const struct kw_partner_dose *dose)
{
    char time[KW_TIME_TEXT_SIZE];
    char units[16];

    (void)snprintf(units, sizeof(units), "%u.%02u", dose->units_x100 / 100U,
                   dose->units_x100 % 100U);
    return json_pack("{s:I, s:s, s:s, s:s, s:b}", "dose", (json_int_t)dose->number, "time",
                     kw_time_text((struct kw_time){.seconds = dose->time_s}, time), "units", units,
                     "type", dose_type(dose->type), "last",
                     (dose->flags & KW_PEN_DOSE_FLAG_LAST) != 0);
}

static struct kw_result session_json(const struct kw_access_log *log, bool derive,
                                     struct kw_error *err)
{
    json_t *doses = json_array();
    bool whole = true;

    for (size_t i = 0; i < log->count; i++) {
        whole = json_array_append_new(doses, dose_json(&log->doses[i])) == 0 && whole;
    }
    if (!whole) {
        json_decref(doses);
        doses = NULL; /* packing fails by it */
    }
    return kw_json_line(json_pack("{s:b, s:o, s:I}", "derived", (int)derive, "doses", doses,
                                  "acknowledged", (json_int_t)log->acknowledged),
                        stdout, err);
}

static struct kw_result session_show(const struct kw_cli *cli, const struct kw_access_log *log,
                                     bool derive, struct kw_error *err)
{
    if (cli->form == KW_OUTPUT_JSON) {
        return session_json(log, derive, err);
    }
    (void)printf("M1  app to pen  38 bytes: partner, epoch, nonce\n"
                 "M2  pen to app  36 bytes: nonce, counter, proof that it holds the key\n"
                 "M3  app to pen  16 bytes: proof that we do%s\n\n",
                 derive ? "; the HSM derived the session keys" : "");
    KW_TRY(doses_print(log, cli->arena, err));
    (void)printf("\nacknowledged up to record %" PRIu32 "\n", log->acknowledged);
    return KW_OK;
}

static struct kw_result read_pen(struct kw_cli *cli, struct kw_error *err)
{
    struct asking asking = {0};
    struct kw_access_log log;
    struct kw_pen_sim pen = {0};
    struct kw_access_session session = {.connection = &cli->connection,
                                        .owner = &asking.owner,
                                        .derive = kw_cli_argument(cli, "--derive") != NULL};
    struct kw_result result;

    KW_TRY(asking_make(cli, &asking, err));
    session.request = asking.request;
    session.device = asking.device;
    KW_TRY(pen_find(cli, asking.request->device, &pen, err));
    result = kw_cli_connect(cli, err);
    if (kw_ok(result)) {
        result = kw_access_read(&session, &pen, cli->arena, &log, err);
    }
    kw_pen_sim_wipe(&pen, 1);
    KW_TRY(result);
    return session_show(cli, &log, session.derive, err);
}

static enum kw_exit run_read(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_cli_exit(cli, read_pen(cli, &error), &error);
}

/* --- access batch --- */

struct batching {
    struct asking asking;
    enum kw_output_form form;
    Keyward__V1__BatchAccessItem *items[KW_CHUNK_ITEMS_MAX];
    const char *devices[KW_CHUNK_ITEMS_MAX]; /* by item id */
    size_t count;
    size_t opened;
};

/* One item for each device in the list, all else alike. */
static struct kw_result items_make(char *list, struct kw_arena *arena, struct batching *batching,
                                   Keyward__V1__BatchGetDeviceAccessRequest *request,
                                   struct kw_error *err)
{
    char *name;

    request->items = batching->items;
    while ((name = strsep(&list, ",")) != NULL) {
        Keyward__V1__BatchAccessItem *item = kw_arena_alloc(arena, sizeof(*item));
        Keyward__V1__GetDeviceAccessRequest *get_one = kw_arena_alloc(arena, sizeof(*get_one));

        KW_ENSURE(item != NULL && get_one != NULL, err, MEMORY, "items");
        KW_ENSURE(request->n_items < KW_CHUNK_ITEMS_MAX, err, ARGUMENT_INVALID,
                  "more than %d devices", KW_CHUNK_ITEMS_MAX);
        *get_one = *batching->asking.request;
        get_one->device = name;
        keyward__v1__batch_access_item__init(item);
        item->item_id = batching->count;
        item->request_case = KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_GET;
        item->get = get_one;
        batching->devices[batching->count++] = name;
        request->items[request->n_items++] = item;
    }
    return KW_OK;
}

/* `what`: what it came to, with its detail. */
static struct kw_result outcome_print(const struct batching *batching, const char *device,
                                      const char *what, const char *detail, struct kw_error *err)
{
    if (batching->form == KW_OUTPUT_JSON) {
        return kw_json_line(
            json_pack("{s:s, s:s, s:s}", "device", device, "outcome", what, "detail", detail),
            stdout, err);
    }
    (void)printf("%s  %-7s  %s\n", device, what, detail);
    return KW_OK;
}

static struct kw_result result_take(struct batching *batching,
                                    const Keyward__V1__BatchAccessResult *result,
                                    struct kw_error *err)
{
    const char *device;
    struct kw_partner_envelope opened = {0};
    struct kw_id id;

    KW_ENSURE(result->item_id < batching->count, err, ENCODING_INVALID,
              "an answer nobody asked for");
    device = batching->devices[result->item_id];
    if (result->result_case != KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ENVELOPE) {
        return outcome_print(batching, device, "refused",
                             result->error != NULL ? result->error->message : "", err);
    }
    KW_TRY(device_of(device, &id, err));
    KW_TRY(kw_access_open(&batching->asking.owner, result->envelope, id, &opened, err));
    kw_partner_wipe(&opened, sizeof(opened));
    batching->opened++;
    return outcome_print(batching, device, "opened", result->envelope->receipt, err);
}

static struct kw_result results_take(const ProtobufCMessage *message, void *context,
                                     struct kw_error *err)
{
    const Keyward__V1__BatchGetDeviceAccessResponse *response =
        (const Keyward__V1__BatchGetDeviceAccessResponse *)message;

    for (size_t i = 0; i < response->n_results; i++) {
        KW_TRY(result_take(context, response->results[i], err));
    }
    return KW_OK;
}

static struct kw_result batch(struct kw_cli *cli, struct batching *batching, struct kw_error *err)
{
    struct asking *asking = &batching->asking;
    Keyward__V1__BatchGetDeviceAccessRequest request =
        KEYWARD__V1__BATCH_GET_DEVICE_ACCESS_REQUEST__INIT;
    char *list = kw_arena_printf(cli->arena, "%s", kw_cli_argument(cli, "DEVICE,…"));
    ProtobufCMessage *first = NULL;

    KW_ENSURE(list != NULL, err, MEMORY, "devices");
    batching->form = cli->form;
    KW_TRY(kw_cli_request(cli, KW_METHOD_GET_DEVICE_ACCESS, &first, err));
    asking->request = (Keyward__V1__GetDeviceAccessRequest *)first;
    asking->request->epoch = asking->request->epoch == 0 ? 1 : asking->request->epoch;
    asking->request->selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    KW_TRY(kw_access_owner_from_cert(cli->settings.cert_file, cli->settings.peer, asking->dir,
                                     &asking->owner, err));
    KW_TRY(items_make(list, cli->arena, batching, &request, err));
    KW_TRY(kw_cli_connect(cli, err));
    return kw_connection_stream(&cli->connection, KW_METHOD_BATCH_GET_DEVICE_ACCESS, &request.base,
                                cli->arena, results_take, batching, err);
}

static enum kw_exit run_batch(struct kw_cli *cli)
{
    struct batching batching = {0};
    struct kw_error error;
    struct kw_result result = batch(cli, &batching, &error);

    if (!kw_ok(result)) {
        return kw_cli_fail(cli, &error);
    }
    if (batching.form == KW_OUTPUT_TABLE) {
        (void)printf("\nopened %zu of %zu\n", batching.opened, batching.count);
    }
    return batching.opened == batching.count ? KW_EXIT_OK : KW_EXIT_PARTIAL;
}

#define ASK_FLAGS                                                                                  \
    {"--purpose", "TEXT", "purpose", true, "What for: the grant's purpose."},                      \
        {"--epoch", "N", "epoch", false, "Epoch of the partner key; 1 by default."},               \
    {                                                                                              \
        "--grant", "NAME", "grant", false, "Grant to use; else any that allows it."                \
    }

#define DEVICE_FLAG                                                                                \
    {                                                                                              \
        "DEVICE", NULL, "device", true, "devices/dev_…."                                         \
    }

const struct kw_command kw_access_commands[] = {
    {"access",
     "get",
     "Fetches a pen's key, checks its envelope and opens it. Shows its check value, never the key.",
     {DEVICE_FLAG,
      ASK_FLAGS,
      {"--key-file", "FILE", NULL, false, "Where the opened key goes, 32 bytes, mode 0600."}},
     .run = run_get,
     .call = {KW_METHOD_GET_DEVICE_ACCESS, "envelope", NULL}},
    {"access",
     "batch",
     "Fetches the keys of many pens on one stream. Exit 4 when some are refused.",
     {{"DEVICE,…", NULL, NULL, true, "devices/dev_…, at most 256."}, ASK_FLAGS},
     .run = run_batch},
    {"access",
     "read",
     "Shakes hands with a simulated pen and decrypts its dose log.",
     {DEVICE_FLAG,
      ASK_FLAGS,
      {"--pens", "FILE", NULL, true, "What batch create wrote: the simulated pens."},
      {"--station", "DIR", NULL, true, "Its station's directory, for programming the pen."},
      {"--derive", NULL, NULL, false, "Have the HSM derive the session keys (DeriveSession)."}},
     .run = run_read},
    {0},
};
