/* Each failpoint of the orchestrator as an error: the call is refused, asked for again under the same
 * request id it is done once, and the chain of receipts ends up whole and acknowledged. (As aborts,
 * and with the real core, they are tried on processes: tests/chaos.) */
#include "common/base/failpoint.h"
#include "services/orchestrator/core_link.h"
#include "tests/component/orchestrator_fixture.h"

#include <keyward/v1/key_service.pb-c.h>

static struct orch_fixture fx;

static void init(void)
{
    orch_fixture_init(&fx);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_failpoints, .init = init, .fini = done, .timeout = 120);

static void arm(const char *text)
{
    cr_assert(zero(int, setenv("KEYWARD_FAILPOINTS", text, 1)));
    MUST(kw_failpoint_load(err));
}

/* --- counting, as a store job --- */

struct count_job {
    struct kw_store_job job;
    const char *sql;
    int64_t number;
    bool done;
};

static struct kw_result count_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct count_job *count = (struct count_job *)job;
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, count->sql, &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    count->number = kw_col_i64(stmt, 0);
    return KW_OK;
}

static void count_done(struct kw_store_job *job)
{
    ((struct count_job *)job)->done = true;
}

static int64_t number(const char *sql)
{
    struct count_job count = {.job = {.run = count_run, .done = count_done}, .sql = sql};

    MUST(kw_store_read(fx.orch.store, &count.job, err));
    EVENTUALLY(&fx, count.done);
    cr_assert(kw_ok(count.job.result), "%s", count.job.error.message);
    return count.number;
}

static int64_t chain_gaps(void)
{
    return number("SELECT count(*) FROM receipts r WHERE r.seq > 1 AND NOT EXISTS ("
                  "SELECT 1 FROM receipts b WHERE b.core = r.core AND b.stream = r.stream"
                  " AND b.seq = r.seq - 1)");
}

/* --- what is asked --- */

static enum kw_reason suspend(char *request_id, const char *key)
{
    Keyward__V1__SuspendKeyRequest body = KEYWARD__V1__SUSPEND_KEY_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_SUSPEND_KEY,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};

    body.request_id = request_id;
    body.name = (char *)(uintptr_t)key;
    body.justification = (char *)(uintptr_t) "lost";
    return orch_ask(&fx, &asking).reason;
}

/* A batch of two and a suspension, each asked for until it is done; then a batch as always, whose
 * receipt has all before it acknowledged, too. */
static void do_both(const char *failpoint, const char *key)
{
    Keyward__V1__CreateBatchRequest body;
    const char *batch;
    struct asking asking = orch_batch_ask(&fx, &body, 2);
    char *request_id = orch_request_id(&fx);

    arm(failpoint);
    EVENTUALLY(&fx, orch_ask(&fx, &asking).reason == KW_E_NONE);
    core_send_checkpoint(&fx.core, true);
    arm(failpoint);
    EVENTUALLY(&fx, suspend(request_id, key) == KW_E_NONE);
    arm("");
    cr_assert(eq(int, suspend(request_id, key), KW_E_NONE));
    (void)orch_make_batch(&fx, 2, &batch);
}

Test(orchestrator_failpoints, as_errors_lose_and_double_nothing)
{
    const Keyward__V1__BatchItem *device = orch_released_device(&fx);
    int64_t batches = 1;
    int64_t tried = 0;

    for (int i = 0; i < KW_FP_COUNT_; i++) {
        const char *name = kw_failpoint_row((enum kw_failpoint)i)->name;
        char failpoint[64];

        if (strncmp(name, "orchestrator.", 13) != 0 || i == KW_FP_ORCH_AFTER_CORE) {
            continue; /* after_core loses a receipt, which this core does not send again */
        }
        (void)snprintf(failpoint, sizeof(failpoint), "%s=error", name);
        do_both(failpoint, device->key);
        batches += 2;
        tried++;
        cr_assert(eq(i64, number("SELECT count(*) FROM batches"), batches), "%s", name);
        cr_assert(eq(i64, number("SELECT count(*) FROM devices"), 2 * batches - 1), "%s", name);
        cr_assert(eq(i64, number("SELECT count(*) FROM requests WHERE method = 73"), tried), "%s",
                  name);
        cr_assert(zero(i64, chain_gaps()), "%s", name);
        EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
    }
    cr_assert(kw_core_link_ready(fx.orch.link));
    cr_assert(lt(i64, 6, tried));
}
