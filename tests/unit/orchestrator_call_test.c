/* Steps of the orchestrator asked for what no method of its asks: they refuse. */
#include "services/orchestrator/call_internal.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/key_change.h"
#include "services/orchestrator/page.h"
#include "services/orchestrator/schema.h"
#include "tests/support/orchestrator_feed.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <keyward/v1/status_service.pb-c.h>
#include <stdio.h>

static struct store_fixture store;
static struct kw_call call;

static void init(void)
{
    store_fixture_init(&store);
    cr_assert(kw_ok(store_fixture_open(&store, kw_orch_migrations, kw_orch_migration_count, NULL)));
    call = (struct kw_call){.arena = kw_arena_new(1U << 20)};
    kw_view_init(&call.view, call.arena);
}

static void done(void)
{
    kw_arena_free(call.arena);
    store_fixture_close(&store);
    store_fixture_done(&store);
}

TestSuite(orchestrator_call, .init = init, .fini = done);

static void is_of(enum kw_method_id method)
{
    call.method = kw_method_by_id((uint32_t)method);
    call.handler = kw_handler_find((uint32_t)method);
}

Test(orchestrator_call, what_is_no_list_has_no_pages)
{
    Keyward__V1__GetStatusRequest request = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    struct kw_page page;

    is_of(KW_METHOD_GET_STATUS);
    call.request = &request.base;
    cr_assert(eq(int, kw_page_read(&call, &page, NULL).reason, KW_E_INTERNAL));
}

/* The answer of a mutation is one message, or could not be given again as it was. */
static struct kw_result keep_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    static struct kw_feed feed; /* outlives the job, which writes the lane at its end */

    (void)job;
    KW_TRY(orchestrator_feed_tx(&feed, tx, call.arena, 1, &call.feed_tx, err));
    return kw_call_keep(&call, err);
}

static enum kw_reason keep_with(size_t messages)
{
    struct store_test_job job = store_test_job(&store, keep_run, 0, NULL);

    call.message_count = messages;
    return store_test_write(&job).reason;
}

Test(orchestrator_call, an_answer_that_is_not_one_message_is_not_kept)
{
    is_of(KW_METHOD_SUSPEND_KEY);
    call.now_ms = 1;
    (void)snprintf(call.caller_id, sizeof(call.caller_id), "spiffe://test/operator/opr_a");
    cr_assert(eq(int, keep_with(0), KW_E_INTERNAL));
    cr_assert(eq(int, keep_with(2), KW_E_INTERNAL));
    cr_assert(eq(int, keep_with(1), KW_E_NONE));
}

static struct kw_result answer_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    static const struct kw_id nobodys = {{1}};

    (void)job;
    return kw_key_change_answer(&call, tx, nobodys, KW_ID_NONE, err);
}

Test(orchestrator_call, a_key_that_is_not_there_is_no_answer)
{
    struct store_test_job job = store_test_job(&store, answer_run, 0, NULL);

    is_of(KW_METHOD_ACTIVATE_KEY);
    cr_assert(eq(int, store_test_write(&job).reason, KW_E_INTERNAL));
    cr_assert(eq(sz, call.message_count, 0));
}
