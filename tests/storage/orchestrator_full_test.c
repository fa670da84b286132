/* The orchestrator without space: what needs the core is refused before the core is asked, a receipt
 * that can't be stored is kept and stored later, reads and stops go on, and nothing is started anew.
 */
#include "services/orchestrator/core_link.h"
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/crash_vfs.h"
#include "tests/support/small_disk.h"

#include <keyward/v1/device_service.pb-c.h>
#include <keyward/v1/key_service.pb-c.h>

#define WHOLE_DISK (64U << 20)
#define LEFT       (8U << 20) /* less than the store's reserve */

static struct orch_fixture fx;
static struct small_disk disk;
static const struct crash_disk_options no_cuts = {.seed = 1, .sector_size = 4096};

static void done(void)
{
    if (fx.loop != NULL) {
        orch_fixture_done(&fx);
    }
    small_disk_done(&disk);
}

TestSuite(orchestrator_full, .fini = done, .timeout = 120);

/* By name, so that a failure says which. */
static const char *ask(const struct asking *asking)
{
    enum kw_reason reason = orch_ask(&fx, asking).reason;

    return reason == KW_E_NONE ? "NONE" : kw_reason_row(reason)->name;
}

static const char *read_device(const char *name)
{
    Keyward__V1__GetDeviceRequest body = KEYWARD__V1__GET_DEVICE_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_DEVICE,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};

    body.selector_case = KEYWARD__V1__GET_DEVICE_REQUEST__SELECTOR_NAME;
    body.name = (char *)(uintptr_t)name;
    return ask(&asking);
}

static const char *suspend(const char *key)
{
    Keyward__V1__SuspendKeyRequest body = KEYWARD__V1__SUSPEND_KEY_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_SUSPEND_KEY,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};

    body.request_id = orch_request_id(&fx);
    body.name = (char *)(uintptr_t)key;
    body.justification = (char *)(uintptr_t) "lost";
    return ask(&asking);
}

Test(orchestrator_full, a_receipt_without_room_is_stored_when_there_is_some)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking;
    struct asked asked;
    const Keyward__V1__BatchItem *device;
    unsigned calls;

    crash_vfs_install();
    crash_disk_reset(&no_cuts);
    orch_fixture_init(&fx);
    device = orch_released_device(&fx);
    asking = orch_batch_ask(&fx, &body, 2);
    calls = fx.core.calls;
    crash_vfs_fail(CRASH_FAULT_FULL, 1, true);
    cr_assert(eq(str, (char *)ask(&asking), "STORE_FULL"));
    cr_assert(eq(u32, fx.core.calls, calls + 1));
    cr_assert(eq(str, (char *)ask(&asking), "STORE_FULL"));
    cr_assert(eq(u32, fx.core.calls, calls + 1)); /* not asked again */
    cr_assert(eq(str, (char *)read_device(device->device), "NONE"));
    cr_assert(lt(u64, fx.core.acked, fx.core.chain.seq));
    crash_vfs_fail(CRASH_FAULT_NONE, 0, false);
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
    EVENTUALLY(&fx, kw_ok(kw_store_room(fx.orch.store, NULL)) ||
                        strcmp(read_device(device->device), "NONE") != 0);
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, 2));
    cr_assert(not(asked.outcome->replayed));
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
}

/* Many at once: the chain stays whole, and every one of them can be asked again. */
Test(orchestrator_full, receipts_of_calls_in_flight_are_stored_in_their_order)
{
    enum {
        CALLS = 12
    };
    static Keyward__V1__CreateBatchRequest bodies[CALLS];
    static struct asked asked[CALLS];
    struct asking asking[CALLS];

    crash_vfs_install();
    crash_disk_reset(&no_cuts);
    orch_fixture_init(&fx);
    crash_vfs_fail(CRASH_FAULT_FULL, 8, true);
    for (int i = 0; i < CALLS; i++) {
        asking[i] = orch_batch_ask(&fx, &bodies[i], 1);
        orch_ask_start(&fx, &asking[i], &asked[i]);
    }
    for (int i = 0; i < CALLS; i++) {
        EVENTUALLY(&fx, asked[i].over);
    }
    crash_vfs_fail(CRASH_FAULT_NONE, 0, false);
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
    for (int i = 0; i < CALLS; i++) {
        EVENTUALLY(&fx, orch_ask(&fx, &asking[i]).reason == KW_E_NONE);
    }
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
}

/* --- another receipt in the place of one that is owed --- */

struct forgery {
    struct kw_store_job job;
    int64_t seq;
    bool done;
};

static struct kw_result forge(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    static const char sql[] = "INSERT INTO receipts SELECT core, stream, $1, randomblob(16), "
                              "time_ms, caller, record, head"
                              " FROM receipts WHERE seq = $1 - 1";
    const struct forgery *forgery = (struct forgery *)job;
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    kw_bind_i64(stmt, 1, forgery->seq);
    return kw_exec(stmt, NULL, err);
}

static void forged(struct kw_store_job *job)
{
    ((struct forgery *)job)->done = true;
}

Test(orchestrator_full, an_owed_receipt_whose_place_is_taken_breaks_the_chain)
{
    Keyward__V1__CreateBatchRequest body;
    struct forgery forgery = {.job = {.run = forge, .done = forged, .vital = true}};
    struct asking asking;

    crash_vfs_install();
    crash_disk_reset(&no_cuts);
    orch_fixture_init(&fx);
    (void)orch_released_device(&fx);
    asking = orch_batch_ask(&fx, &body, 2);
    crash_vfs_fail(CRASH_FAULT_FULL, 1, true);
    cr_assert(eq(str, (char *)ask(&asking), "STORE_FULL"));
    crash_vfs_fail(CRASH_FAULT_NONE, 0, false);
    forgery.seq = (int64_t)fx.core.chain.seq;
    MUST(kw_store_write(fx.orch.store, &forgery.job, err)); /* before what is owed is tried again */
    EVENTUALLY(&fx, forgery.done);
    cr_assert(kw_ok(forgery.job.result), "%s", forgery.job.error.message);
    EVENTUALLY(&fx, !kw_core_link_ready(fx.orch.link));
    EVENTUALLY(&fx, strcmp(ask(&asking), "PEER_UNAVAILABLE") == 0);
}

Test(orchestrator_full, stops_and_reads_go_on_while_the_disk_is_nearly_full)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking;
    const Keyward__V1__BatchItem *device;
    unsigned calls;

    small_disk_init(&disk, WHOLE_DISK);
    orch_fixture_init_in(&fx, disk.dir);
    device = orch_released_device(&fx);
    asking = orch_batch_ask(&fx, &body, 2);
    small_disk_fill(&disk, LEFT);
    EVENTUALLY(&fx, strcmp(read_device(device->device), "NONE") != 0 ||
                        !kw_ok(kw_store_room(fx.orch.store, NULL)));
    calls = fx.core.calls;
    cr_assert(eq(str, (char *)ask(&asking), "STORE_FULL"));
    cr_assert(eq(u32, fx.core.calls, calls));
    cr_assert(eq(str, (char *)suspend(device->key), "NONE"));
    cr_assert(eq(str, (char *)read_device(device->device), "NONE"));
    small_disk_empty(&disk);
    EVENTUALLY(&fx, orch_ask(&fx, &asking).reason == KW_E_NONE);
}
