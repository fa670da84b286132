/* Batches whose keys are made or lost meanwhile: what a station is given is what is stored, once, or nothing. */
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/faults.h"

static struct orch_fixture fx;

static void init(void)
{
    orch_fixture_init(&fx);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_batch, .init = init, .fini = done, .timeout = 60);

/* Two calls for one batch, of which the core has done both when the first is written: then the second knows only now
 * what there is. */
static void make_batch_twice(uint16_t first_count, uint16_t second_count, struct asked *first,
                             struct asked *second)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 3);

    faults_off(); /* the core plays a part for both */
    asking.count = first_count;
    fx.core.fault = CORE_LATE_RECEIPT;
    orch_ask_start(&fx, &asking, first);
    EVENTUALLY(&fx, fx.core.calls == 1);
    asking.count = second_count;
    orch_ask_start(&fx, &asking, second);
    EVENTUALLY(&fx, fx.core.calls == 2);
    core_send_late(&fx.core);
    EVENTUALLY(&fx, first->over && second->over);
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
}

Test(orchestrator_batch, of_two_calls_for_the_same_keys_the_first_makes_them)
{
    struct asked first;
    struct asked second;
    const Keyward__V1__BatchChunk *made;
    const Keyward__V1__BatchChunk *again;

    make_batch_twice(3, 3, &first, &second);
    made = orch_chunk(&fx, &first);
    again = orch_chunk(&fx, &second);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(eq(str, made->items[i]->key, again->items[i]->key));
        cr_assert(kw_bytes_equal(kw_bytes_field(made->items[i]->wrapped_key),
                                 kw_bytes_field(again->items[i]->wrapped_key)));
    }
}

Test(orchestrator_batch, of_two_calls_for_some_of_the_same_keys_one_is_asked_to_come_again)
{
    struct asked first;
    struct asked second;

    make_batch_twice(2, 3, &first, &second);
    cr_assert(eq(sz, orch_chunk(&fx, &first)->n_items, 2));
    cr_assert(eq(int, second.reason, KW_E_STORE_CONFLICT));
    cr_assert(eq(sz, second.message_count, 0));
}

/* --- a store that holds something else --- */

static struct kw_result lose_deliveries(struct kw_store_job *job, struct kw_tx *tx,
                                        struct kw_error *err)
{
    struct kw_stmt *stmt;

    (void)job;
    KW_TRY(kw_sql(tx, "UPDATE key_versions SET delivery = NULL", &stmt, err));
    return kw_exec(stmt, NULL, err);
}

static void lost(struct kw_store_job *job)
{
    cr_assert(kw_ok(job->result), "%s", job->error.message);
    job->done = NULL;
}

Test(orchestrator_batch, a_key_that_is_lost_is_not_delivered_as_nothing)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 2);
    struct kw_store_job losing = {.run = lose_deliveries, .done = lost};
    struct asked asked;

    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    MUST(kw_store_write(fx.orch.store, &losing, err));
    EVENTUALLY(&fx, losing.done == NULL);
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_INTERNAL));
    cr_assert(eq(sz, asked.message_count, 0));
}
