/* CreateBatch while other cells do not have the keys yet, and proofs of pens while the core asks for patience: asked again, and not beyond the
 * caller's time. */
#include "cli/batch.h"
#include "common/base/clock.h"
#include "tests/support/must.h"

#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define KEYS 6

/* Instead of a server, and of time: pens of a batch come `each` at a time, `unprotected` times. */
static struct {
    bool on;
    uint64_t now_ns;
    unsigned unprotected; /* times that it says so */
    unsigned each;
    enum kw_reason refuses; /* instead, in the end */
    unsigned asked;
    uint32_t first; /* in the last request */
    uint64_t timeout_ms;
} mesh;

/* A core that asks for patience before it takes a proof. */
static struct {
    unsigned refusals;
    uint64_t retry_ms; /* 0: it does not say when to come again */
    unsigned asked;
    char first_id[64];
    bool same_id;
} core;

uint64_t __real_kw_clock_mono_ns(void);
uint64_t __wrap_kw_clock_mono_ns(void);
int __real_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
struct kw_result __wrap_kw_connection_stream(struct kw_connection *connection, enum kw_method_id id,
                                             ProtobufCMessage *request, struct kw_arena *arena,
                                             kw_response_take *take, void *context,
                                             struct kw_error *err);

uint64_t __wrap_kw_clock_mono_ns(void)
{
    return mesh.on ? mesh.now_ns : __real_kw_clock_mono_ns();
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    if (!mesh.on) {
        return __real_nanosleep(wanted, left);
    }
    mesh.now_ns += (uint64_t)wanted->tv_sec * KW_NS_PER_S + (uint64_t)wanted->tv_nsec;
    return 0;
}

static struct kw_result give_name(kw_response_take *take, void *context, struct kw_error *err)
{
    Keyward__V1__CreateBatchResponse part = KEYWARD__V1__CREATE_BATCH_RESPONSE__INIT;
    Keyward__V1__Batch batch = KEYWARD__V1__BATCH__INIT;
    char name[] = "batches/bat_x";

    batch.name = name;
    part.part_case = KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_BATCH;
    part.batch = &batch;
    return take(&part.base, context, err);
}

/* The pen of that place has its number as its id. */
static struct kw_result give_pen(uint32_t number, kw_response_take *take, void *context,
                                 struct kw_error *err)
{
    uint8_t bytes[KW_DELIVERY_WRAPPED_LEN] = {0};
    Keyward__V1__BatchItem item = KEYWARD__V1__BATCH_ITEM__INIT;
    Keyward__V1__BatchItem *items[] = {&item};
    Keyward__V1__BatchChunk chunk = KEYWARD__V1__BATCH_CHUNK__INIT;
    Keyward__V1__CreateBatchResponse part = KEYWARD__V1__CREATE_BATCH_RESPONSE__INIT;
    struct kw_delivery of;
    char name[] = "devices/dev_x";

    bytes[0] = (uint8_t)number;
    item.device = name;
    item.device_id = (ProtobufCBinaryData){KW_ID_LEN, bytes};
    item.wrapped_key = (ProtobufCBinaryData){sizeof(of.wrapped_key), bytes};
    item.check_value = (ProtobufCBinaryData){sizeof(of.check_value), bytes};
    chunk.n_items = 1;
    chunk.items = items;
    part.part_case = KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_CHUNK;
    part.chunk = &chunk;
    return take(&part.base, context, err);
}

static struct kw_result give_totals(kw_response_take *take, void *context, struct kw_error *err)
{
    Keyward__V1__CreateBatchResponse part = KEYWARD__V1__CREATE_BATCH_RESPONSE__INIT;

    part.part_case = KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_TOTALS;
    return take(&part.base, context, err);
}

struct kw_result __wrap_kw_connection_stream(struct kw_connection *connection, enum kw_method_id id,
                                             ProtobufCMessage *request, struct kw_arena *arena,
                                             kw_response_take *take, void *context,
                                             struct kw_error *err)
{
    bool last = mesh.asked++ == mesh.unprotected;
    uint32_t end;

    (void)id;
    (void)arena;
    mesh.first = ((Keyward__V1__CreateBatchRequest *)request)->start_index;
    mesh.timeout_ms = connection->timeout_ms;
    end = last ? KEYS : mesh.first + mesh.each;
    KW_TRY(give_name(take, context, err));
    for (uint32_t i = mesh.first; i < end; i++) {
        KW_TRY(give_pen(i, take, context, err));
    }
    KW_ENSURE(last, err, KEY_UNPROTECTED, "not there yet");
    return mesh.refuses == KW_E_NONE ? give_totals(take, context, err)
                                     : kw_error_make(err, mesh.refuses, "", 0, "refused");
}

struct kw_result __wrap_kw_connection_open(struct kw_connection *connection,
                                           const struct kw_client_options *options,
                                           uint64_t timeout_ms, struct kw_refusal *refusal,
                                           struct kw_error *err);
void __wrap_kw_connection_done(struct kw_connection *connection);
struct kw_result __wrap_kw_pen_sim_prove(const struct kw_pen_sim *pen,
                                         const uint8_t challenge[KW_PEN_NONCE_SIZE],
                                         uint8_t ret_tag[KW_PEN_TAG_SIZE], struct kw_error *err);
struct kw_result __wrap_kw_connection_call(struct kw_connection *connection, enum kw_method_id id,
                                           ProtobufCMessage *request, struct kw_arena *arena,
                                           ProtobufCMessage **ret_response, struct kw_error *err);

struct kw_result __wrap_kw_connection_open(struct kw_connection *connection,
                                           const struct kw_client_options *options,
                                           uint64_t timeout_ms, struct kw_refusal *refusal,
                                           struct kw_error *err)
{
    (void)options;
    (void)err;
    *connection = (struct kw_connection){.timeout_ms = timeout_ms, .refusal = refusal};
    return KW_OK;
}

void __wrap_kw_connection_done(struct kw_connection *connection)
{
    (void)connection;
}

struct kw_result __wrap_kw_pen_sim_prove(const struct kw_pen_sim *pen,
                                         const uint8_t challenge[KW_PEN_NONCE_SIZE],
                                         uint8_t ret_tag[KW_PEN_TAG_SIZE], struct kw_error *err)
{
    (void)pen;
    (void)challenge;
    (void)err;
    memset(ret_tag, 0, KW_PEN_TAG_SIZE);
    return KW_OK;
}

/* As the real one, it gives a request its id where it has none. */
struct kw_result __wrap_kw_connection_call(struct kw_connection *connection, enum kw_method_id id,
                                           ProtobufCMessage *request, struct kw_arena *arena,
                                           ProtobufCMessage **ret_response, struct kw_error *err)
{
    Keyward__V1__ConfirmDeviceRequest *confirm = (Keyward__V1__ConfirmDeviceRequest *)request;
    bool refused = core.asked++ < core.refusals;

    (void)id;
    (void)ret_response;
    if (confirm->request_id[0] == '\0') {
        confirm->request_id = kw_arena_printf(arena, "req_%u", core.asked);
    }
    if (core.asked == 1) {
        (void)snprintf(core.first_id, sizeof(core.first_id), "%s", confirm->request_id);
    }
    core.same_id = strcmp(core.first_id, confirm->request_id) == 0;
    connection->refusal->retry_ms = refused ? core.retry_ms : 0;
    KW_ENSURE(!refused, err, RECEIPT_LAG, "not now");
    return KW_OK;
}

static struct kw_connection station;
static struct kw_deliveries deliveries;
static FILE *file;

static void setup(void)
{
    mesh.on = true;
    mesh.refuses = KW_E_NONE;
    mesh.asked = 0;
    mesh.unprotected = 0;
    mesh.each = 0;
    station.timeout_ms = 10000;
    file = tmpfile();
    cr_assert(file != NULL);
}

static void teardown(void)
{
    mesh.on = false;
    kw_deliveries_done(&deliveries);
    (void)fclose(file);
}

TestSuite(cli_batch, .init = setup, .fini = teardown);

static enum kw_reason create(void)
{
    Keyward__V1__CreateBatchRequest request = KEYWARD__V1__CREATE_BATCH_REQUEST__INIT;
    struct kw_error err;

    return kw_batch_create(&station, &request.base, NULL, file, &deliveries, &err).reason;
}

static unsigned lines(void)
{
    unsigned count = 0;

    rewind(file);
    for (int c = getc(file); c != EOF; c = getc(file)) {
        count += c == '\n';
    }
    return count;
}

/* Each once, in order, though it came in pieces. */
static bool all_came(void)
{
    bool good = deliveries.count == KEYS;

    for (size_t i = 0; good && i < KEYS; i++) {
        good = deliveries.items[i].device_id.bytes[0] == i;
    }
    return good;
}

Test(cli_batch, keys_that_others_have_at_once_are_asked_for_once)
{
    cr_assert(eq(int, create(), KW_E_NONE));
    cr_assert(eq(uint, mesh.asked, 1));
    cr_assert(all_came());
}

Test(cli_batch, what_is_missing_is_asked_for_until_others_have_it)
{
    mesh.unprotected = 3;
    mesh.each = 1;
    cr_assert(eq(int, create(), KW_E_NONE));
    cr_assert(eq(uint, mesh.asked, 4));
    cr_assert(eq(u32, mesh.first, 3), "what came is not asked for again");
    cr_assert(all_came());
    cr_assert(eq(uint, lines(), 1 + KEYS), "the batch is named once");
}

Test(cli_batch, nobody_is_asked_beyond_the_callers_time)
{
    uint64_t began_ns = mesh.now_ns;

    mesh.unprotected = 1000;
    cr_assert(eq(int, create(), KW_E_KEY_UNPROTECTED));
    cr_assert(lt(uint, 4, mesh.asked));
    cr_assert(lt(uint, mesh.asked, 12), "ever more seldom");
    cr_assert(le(u64, mesh.now_ns - began_ns + mesh.timeout_ms * 1000000, 10 * KW_NS_PER_S));
    cr_assert(eq(u64, station.timeout_ms, 10000), "the next call has all of its time");
}

Test(cli_batch, another_refusal_is_none_to_be_waited_for)
{
    mesh.refuses = KW_E_KEY_STATE;
    cr_assert(eq(int, create(), KW_E_KEY_STATE));
    cr_assert(eq(uint, mesh.asked, 1));
}

Test(cli_batch, who_has_no_time_is_told_at_once)
{
    station.timeout_ms = 500;
    mesh.unprotected = 1000;
    cr_assert(eq(int, create(), KW_E_KEY_UNPROTECTED));
    cr_assert(eq(uint, mesh.asked, 1));
}

/* --- proofs of pens --- */

static enum kw_reason confirm(size_t *ret_confirmed)
{
    struct kw_pen_sim pen = {0};
    struct kw_delivery delivery = {.device = "devices/dev_x"};
    const struct kw_deliveries one = {.items = &delivery, .count = 1};
    const struct kw_confirm_plan plan = {
        .timeout_ms = 10000, .deliveries = &one, .pens = &pen, .workers = 1};
    struct kw_refusal refusal;
    struct kw_error err;

    core.asked = 0;
    return kw_batch_confirm(&plan, &refusal, ret_confirmed, &err).reason;
}

Test(cli_batch, a_pen_that_is_asked_for_patience_comes_again_with_the_same_request)
{
    size_t confirmed = 0;

    core.refusals = 3;
    core.retry_ms = 200;
    cr_assert(eq(int, confirm(&confirmed), KW_E_NONE));
    cr_assert(eq(sz, confirmed, 1));
    cr_assert(eq(uint, core.asked, 4));
    cr_assert(core.same_id);
}

Test(cli_batch, patience_ends_with_the_callers_time)
{
    uint64_t began_ns = mesh.now_ns;
    size_t confirmed = 0;

    core.refusals = 1000;
    core.retry_ms = 200;
    cr_assert(eq(int, confirm(&confirmed), KW_E_RECEIPT_LAG));
    cr_assert(eq(sz, confirmed, 0));
    cr_assert(lt(uint, 4, core.asked));
    cr_assert(lt(uint, core.asked, 12), "ever more seldom");
    cr_assert(le(u64, mesh.now_ns - began_ns, 10 * KW_NS_PER_S));
}

Test(cli_batch, who_is_not_told_when_to_come_again_does_not)
{
    size_t confirmed = 0;

    core.refusals = 1;
    core.retry_ms = 0;
    cr_assert(eq(int, confirm(&confirmed), KW_E_RECEIPT_LAG));
    cr_assert(eq(uint, core.asked, 1));
}
