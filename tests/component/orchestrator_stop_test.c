/* Keys that are stopped: what a station is still given of them, and what the stop says to whom it
 * is told twice. */
#include "tests/component/orchestrator_fixture.h"

#include "common/base/limits.h"
#include "common/base/metrics.h"

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

TestSuite(orchestrator_stop, .init = init, .fini = done, .timeout = 120);

static void *answer_of(const struct asked *asked, const ProtobufCMessageDescriptor *type)
{
    return (void *)(uintptr_t)orch_message(&fx, asked, 0, type);
}

/* An operator's mutation that stops a key: their requests are alike. */
static struct asked stop(enum kw_method_id method, const char *key)
{
    Keyward__V1__SuspendKeyRequest body = KEYWARD__V1__SUSPEND_KEY_REQUEST__INIT;
    const ProtobufCMethodDescriptor *messages =
        kw_method_messages(kw_method_by_id((uint32_t)method));
    const struct asking asking = {
        .method = method, .body = &body.base, .role = KW_ROLE_OPERATOR, .caller = fx.operator_id};

    body.base.descriptor = messages->input;
    body.request_id = orch_request_id(&fx);
    body.name = (char *)(uintptr_t)key;
    body.justification = (char *)(uintptr_t) "lost";
    return orch_ask(&fx, &asking);
}

static struct asked suspend(const char *key)
{
    return stop(KW_METHOD_SUSPEND_KEY, key);
}

static char *suspension_of(const struct asked *asked)
{
    const Keyward__V1__SuspendKeyResponse *response =
        answer_of(asked, &keyward__v1__suspend_key_response__descriptor);

    return response->suspension;
}

static struct asked lift(const char *key, char *suspension)
{
    Keyward__V1__LiftKeySuspensionsRequest body = KEYWARD__V1__LIFT_KEY_SUSPENSIONS_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_LIFT_KEY_SUSPENSIONS,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};

    body.request_id = orch_request_id(&fx);
    body.name = (char *)(uintptr_t)key;
    body.justification = (char *)(uintptr_t) "found";
    body.suspensions = &suspension;
    body.n_suspensions = 1;
    return orch_ask(&fx, &asking);
}

/* --- delivery to the station --- */

/* The first `made` of a batch of `count` devices, and how to ask for all of them again. */
struct batch {
    Keyward__V1__CreateBatchRequest body;
    struct asking asking;
    const Keyward__V1__BatchChunk *chunk;
    unsigned core_calls;
};

static void batch_make(struct batch *batch, uint32_t count, uint16_t made)
{
    struct asked asked;

    batch->asking = orch_batch_ask(&fx, &batch->body, count);
    batch->asking.count = made;
    asked = orch_ask(&fx, &batch->asking);
    batch->chunk = orch_chunk(&fx, &asked);
    batch->asking.count = (uint16_t)count;
    batch->core_calls = fx.core.calls;
}

static void expect_delivery(struct batch *batch, enum kw_reason reason)
{
    cr_assert(eq(int, orch_ask(&fx, &batch->asking).reason, reason));
    cr_assert(eq(u32, fx.core.calls, batch->core_calls));
}

Test(orchestrator_stop, delivers_a_suspended_key_again_only_when_it_is_lifted)
{
    struct batch batch;
    struct asked suspended;

    batch_make(&batch, 2, 2);
    suspended = suspend(batch.chunk->items[1]->key);
    expect_delivery(&batch, KW_E_KEY_STATE);
    cr_assert(eq(int, lift(batch.chunk->items[1]->key, suspension_of(&suspended)).reason, 0));
    batch.core_calls = fx.core.calls;
    expect_delivery(&batch, KW_E_NONE);
}

Test(orchestrator_stop, does_not_deliver_a_compromised_key_again)
{
    struct batch batch;

    batch_make(&batch, 2, 2);
    cr_assert(eq(int, stop(KW_METHOD_REPORT_KEY_COMPROMISE, batch.chunk->items[1]->key).reason,
                 KW_E_NONE));
    expect_delivery(&batch, KW_E_KEY_STATE);
}

Test(orchestrator_stop, does_not_deliver_a_deactivated_key_again)
{
    struct batch batch;

    batch_make(&batch, 2, 2);
    cr_assert(
        eq(int, stop(KW_METHOD_DEACTIVATE_KEY, batch.chunk->items[0]->key).reason, KW_E_NONE));
    expect_delivery(&batch, KW_E_KEY_STATE);
}

Test(orchestrator_stop, does_not_deliver_what_authz_knows_to_be_disabled)
{
    struct kw_fact fact = {.kind = KW_FACT_COMPROMISED,
                           .time_ms = 1,
                           .actor = kw_bytes_str("spiffe://test/operator/"
                                                 "opr_aaaaaaaaaaaaaaaaaaaaaaaaaa")};
    struct kw_resource_ids ids;
    struct batch batch;

    batch_make(&batch, 2, 2);
    MUST(kw_resource_parse(KW_RESOURCE_KEY, batch.chunk->items[0]->key, &ids, err));
    fact.key = ids.id[1];
    batch.asking.disabled = &fact;
    expect_delivery(&batch, KW_E_KEY_STATE);
}

static uint32_t generated_count(const char *request_id)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 5);
    struct asked asked;
    const Keyward__V1__CreateBatchResponse *response;

    body.request_id = (char *)(uintptr_t)request_id;
    body.start_index = 5;
    asking.first = 5;
    asking.count = 0;
    asked = orch_ask(&fx, &asking);
    if (asked.reason != KW_E_NONE) {
        return 0; /* "there are no keys before start_index yet" */
    }
    response = answer_of(&asked, &keyward__v1__create_batch_response__descriptor);
    return response->batch->generated_count;
}

Test(orchestrator_stop, makes_no_keys_for_a_range_that_it_will_refuse)
{
    struct batch batch;

    batch_make(&batch, 5, 3);
    cr_assert(eq(int, stop(KW_METHOD_DESTROY_KEY, batch.chunk->items[1]->key).reason, KW_E_NONE));
    expect_delivery(&batch, KW_E_KEY_STATE);
    cr_assert(eq(u32, generated_count(batch.body.request_id), 0));
}

Test(orchestrator_stop, counts_what_it_delivers_again)
{
    struct batch batch;
    struct kw_buf text = {0};

    batch_make(&batch, 5, 3);
    cr_assert(eq(int, orch_ask(&fx, &batch.asking).reason, KW_E_NONE)); /* three again, two new */
    MUST(kw_metrics_write(&text, err));
    MUST(kw_buf_append(&text, KW_BYTES("", 1), err));
    cr_assert_not_null(strstr((const char *)text.data, "\nkeyward_keys_delivered_again_total 3\n"));
    kw_buf_done(&text);
}

/* --- a stop that is told twice --- */

static void expect_stored_record(enum kw_method_id method)
{
    const char *key = orch_released_device(&fx)->key;
    struct asked first = stop(method, key);
    struct asked second = stop(method, key);

    cr_assert(eq(int, second.reason, KW_E_NONE));
    cr_assert(not(second.outcome->replayed)); /* another request */
    cr_assert(eq(sz, second.outcome->n_disabled, 1));
    cr_assert(kw_bytes_equal(kw_bytes_field(first.outcome->disabled[0]),
                             kw_bytes_field(second.outcome->disabled[0])));
}

Test(orchestrator_stop, a_second_compromise_report_answers_the_fact_that_is_stored)
{
    expect_stored_record(KW_METHOD_REPORT_KEY_COMPROMISE);
}

Test(orchestrator_stop, a_second_deactivation_answers_the_fact_that_is_stored)
{
    expect_stored_record(KW_METHOD_DEACTIVATE_KEY);
}

/* Lost on the way to authz the first time: the repetition must tell the same fact. */
Test(orchestrator_stop, facts_of_different_kinds_are_told_each_as_stored)
{
    const char *key = orch_released_device(&fx)->key;
    struct asked compromise = stop(KW_METHOD_REPORT_KEY_COMPROMISE, key);
    struct asked deactivation = stop(KW_METHOD_DEACTIVATE_KEY, key);
    struct asked again = stop(KW_METHOD_REPORT_KEY_COMPROMISE, key);

    cr_assert(kw_bytes_equal(kw_bytes_field(compromise.outcome->disabled[0]),
                             kw_bytes_field(again.outcome->disabled[0])));
    again = stop(KW_METHOD_DEACTIVATE_KEY, key);
    cr_assert(kw_bytes_equal(kw_bytes_field(deactivation.outcome->disabled[0]),
                             kw_bytes_field(again.outcome->disabled[0])));
}

/* --- the last suspension --- */

Test(orchestrator_stop, never_refuses_to_suspend_and_the_last_suspension_stays)
{
    const char *key = orch_released_device(&fx)->key;
    struct asked last;
    struct asked more;

    for (unsigned i = 1; i < KW_KEY_SUSPENSIONS_MAX; i++) {
        struct asked suspended = suspend(key);

        cr_assert(eq(int, lift(key, suspension_of(&suspended)).reason, KW_E_NONE));
    }
    last = suspend(key);
    cr_assert(eq(int, last.reason, KW_E_NONE));
    cr_assert(eq(int, lift(key, suspension_of(&last)).reason, KW_E_KEY_STATE));
    more = suspend(key);
    cr_assert(eq(int, more.reason, KW_E_NONE));
    cr_assert(eq(str, suspension_of(&more), suspension_of(&last)));
    cr_assert(kw_bytes_equal(kw_bytes_field(last.outcome->disabled[0]),
                             kw_bytes_field(more.outcome->disabled[0])));
    cr_assert(eq(int, stop(KW_METHOD_DESTROY_KEY, key).reason, KW_E_NONE));
}
