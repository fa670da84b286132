/* The orchestrator between authz and core: what it lets in, what it lets out and when, and that it
 * does things once. */
#include "services/orchestrator/core_link.h"
#include "services/orchestrator/key_table.h"
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/device_service.pb-c.h>
#include <keyward/v1/key_service.pb-c.h>
#include <keyward/v1/receipt_service.pb-c.h>
#include <keyward/v1/status_service.pb-c.h>

static struct orch_fixture fx;

static void init(void)
{
    orch_fixture_init(&fx);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator, .init = init, .fini = done, .timeout = 60);

static void *answer_of(const struct asked *asked, const ProtobufCMessageDescriptor *type)
{
    return (void *)(uintptr_t)orch_message(&fx, asked, 0, type);
}

/* A partner's question for the device's key. */
static struct asking access_ask(Keyward__V1__GetDeviceAccessRequest *body, const char *device)
{
    keyward__v1__get_device_access_request__init(body);
    body->selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    body->device = (char *)(uintptr_t)device;
    body->epoch = 1;
    body->purpose = (char *)(uintptr_t) "care";
    return (struct asking){.method = KW_METHOD_GET_DEVICE_ACCESS,
                           .body = &body->base,
                           .role = KW_ROLE_PARTNER,
                           .caller = fx.partner};
}

static struct asked ask_access(const char *device)
{
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, device);

    return orch_ask(&fx, &asking);
}

/* An operator's mutation of a key. */
static struct asking suspend_ask(Keyward__V1__SuspendKeyRequest *body, const char *key)
{
    keyward__v1__suspend_key_request__init(body);
    body->request_id = orch_request_id(&fx);
    body->name = (char *)(uintptr_t)key;
    body->justification = (char *)(uintptr_t) "lost";
    return (struct asking){.method = KW_METHOD_SUSPEND_KEY,
                           .body = &body->base,
                           .role = KW_ROLE_OPERATOR,
                           .caller = fx.operator_id};
}

/* --- the way in --- */

Test(orchestrator, refuses_a_capsule_of_another_cell)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_STATUS,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id,
                                  .cell = "c2"};

    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_CAPSULE_INVALID));
}

Test(orchestrator, refuses_a_capsule_a_second_time)
{
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, orch_released_device(&fx)->device);
    struct kw_buf packed = {0};

    packed.len = keyward__v1__get_device_access_request__get_packed_size(&body);
    packed.data = malloc(packed.len);
    keyward__v1__get_device_access_request__pack(&body, packed.data);
    asking.capsule = orch_capsule(&fx, &asking, kw_buf_bytes(&packed));
    free(packed.data);
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_CAPSULE_REPLAYED));
}

Test(orchestrator, refuses_a_capsule_for_another_body)
{
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, orch_released_device(&fx)->device);

    asking.capsule = orch_capsule(&fx, &asking, kw_bytes_str("something else"));
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_CAPSULE_INVALID));
}

Test(orchestrator, does_not_know_methods_that_end_further_out)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    struct asking asking = {.method = KW_METHOD_GET_PARTNER,
                            .body = &body.base,
                            .role = KW_ROLE_OPERATOR,
                            .caller = fx.operator_id};

    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_METHOD_UNKNOWN));
    asking.method = KW_METHOD_RECEIPTS;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_METHOD_UNKNOWN));
}

/* --- provisioning --- */

Test(orchestrator, creates_a_batch_with_batch_chunk_and_totals)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 3);
    const Keyward__V1__CreateBatchResponse *last;
    struct asked asked;

    faults_off(); /* counts receipts */
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    cr_assert(eq(sz, asked.message_count, 3));
    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, 3));
    last = (const Keyward__V1__CreateBatchResponse *)orch_message(
        &fx, &asked, 2, &keyward__v1__create_batch_response__descriptor);
    cr_assert(eq(u32, last->totals->sent_count, 3));
    cr_assert(
        eq(int, last->totals->batch->state, KEYWARD__V1__BATCH_STATE__BATCH_STATE_PROVISIONING));
    cr_assert(asked.outcome != NULL && asked.outcome->seq == 1 && !asked.outcome->replayed);
}

Test(orchestrator, answers_a_resumed_batch_with_the_same_deliveries)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 3);
    const Keyward__V1__BatchChunk *a;
    const Keyward__V1__BatchChunk *b;
    struct asked first;
    struct asked second;

    faults_off(); /* counts the core's calls */
    first = orch_ask(&fx, &asking);
    second = orch_ask(&fx, &asking);
    a = orch_chunk(&fx, &first);
    b = orch_chunk(&fx, &second);
    cr_assert(eq(u32, fx.core.calls, 1));
    cr_assert(second.outcome->replayed);
    for (size_t i = 0; i < a->n_items; i++) {
        cr_assert(eq(str, a->items[i]->key, b->items[i]->key));
        cr_assert(kw_bytes_equal(kw_bytes_field(a->items[i]->wrapped_key),
                                 kw_bytes_field(b->items[i]->wrapped_key)));
    }
}

Test(orchestrator, makes_only_the_keys_of_a_range_that_are_missing)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 5);
    struct asked asked;

    asking.count = 3;
    cr_assert(eq(sz, orch_ask(&fx, &asking).message_count, 2)); /* no totals yet */
    body.start_index = 2;
    asking.first = 2;
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(sz, fx.core.last_new_keys, 2));
    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, 3));
    cr_assert(eq(u32, orch_chunk(&fx, &asked)->first_index, 2));
    cr_assert(eq(sz, asked.message_count, 3));
}

Test(orchestrator, does_not_leave_holes_in_a_batch)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 5);
    struct asked asked;

    body.start_index = 2;
    asking.first = 2;
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, asked.field, "start_index"));
}

Test(orchestrator, refuses_a_batch_id_with_another_lot)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 2);

    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    body.lot = (char *)(uintptr_t) "LOT 2";
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_REQUEST_ID_REUSED));
}

Test(orchestrator, validates_a_batch_without_making_it)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 2);
    struct asked asked;
    const Keyward__V1__CreateBatchResponse *only;

    body.validate_only = true;
    asked = orch_ask(&fx, &asking);
    only = answer_of(&asked, &keyward__v1__create_batch_response__descriptor);
    cr_assert(eq(sz, asked.message_count, 1));
    cr_assert(eq(str, only->batch->name, ""));
    cr_assert(eq(u32, fx.core.calls, 0));
}

Test(orchestrator, delivers_nothing_under_an_unconfirmed_transport_key)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 2);

    MUST(kw_id_random(&asking.caller, err)); /* a station without any */
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NOT_FOUND));
    cr_assert(eq(u32, fx.core.calls, 0));
}

Test(orchestrator, releases_what_is_confirmed_and_counts_the_rest)
{
    Keyward__V1__ReleaseBatchRequest body = KEYWARD__V1__RELEASE_BATCH_REQUEST__INIT;
    struct asking asking = {.method = KW_METHOD_RELEASE_BATCH,
                            .body = &body.base,
                            .role = KW_ROLE_STATION,
                            .caller = fx.station,
                            .count = 256};
    const Keyward__V1__ReleaseBatchResponse *response;
    const Keyward__V1__BatchChunk *chunk;
    const char *batch;
    struct asked asked;

    chunk = orch_make_batch(&fx, 3, &batch);
    body.request_id = orch_request_id(&fx);
    body.name = (char *)(uintptr_t)batch;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_STATE_CONFLICT)); /* none confirmed */
    orch_confirm(&fx, chunk->items[0]->device, "SN 1");
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__release_batch_response__descriptor);
    cr_assert(eq(u32, response->activated_count, 1));
    cr_assert(eq(u32, response->unconfirmed_count, 2));
    cr_assert(eq(u32, response->batch->released_count, 1));
    cr_assert(eq(sz, fx.core.last_keys, 1));
}

Test(orchestrator, does_not_deliver_released_keys_to_the_station_again)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 1);
    struct asked asked = orch_ask(&fx, &asking);
    const Keyward__V1__CreateBatchResponse *first =
        answer_of(&asked, &keyward__v1__create_batch_response__descriptor);

    orch_confirm(&fx, orch_chunk(&fx, &asked)->items[0]->device, "SN 1");
    orch_release(&fx, first->batch->name);
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_STATE_CONFLICT));
}

Test(orchestrator, hides_another_stations_batch)
{
    Keyward__V1__GetBatchRequest body = KEYWARD__V1__GET_BATCH_REQUEST__INIT;
    struct asking asking = {.method = KW_METHOD_GET_BATCH,
                            .body = &body.base,
                            .role = KW_ROLE_STATION,
                            .caller = fx.station};
    const char *batch;

    (void)orch_make_batch(&fx, 1, &batch);
    body.name = (char *)(uintptr_t)batch;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    MUST(kw_id_random(&asking.caller, err));
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NOT_FOUND));
}

/* --- use --- */

Test(orchestrator, gives_a_partner_an_envelope_with_its_receipt)
{
    struct asked asked = ask_access(orch_released_device(&fx)->device);
    const Keyward__V1__GetDeviceAccessResponse *response =
        answer_of(&asked, &keyward__v1__get_device_access_response__descriptor);
    struct kw_id receipt;

    MUST(kw_id_from_bytes(kw_bytes_field(asked.outcome->receipt_id), &receipt, err));
    cr_assert(eq(str, response->envelope->receipt, orch_name(&fx, KW_RESOURCE_RECEIPT, receipt)));
    cr_assert(eq(u64, asked.outcome->seq, fx.core.chain.seq));
    cr_assert(
        kw_bytes_equal(kw_bytes_field(asked.outcome->head), KW_BYTES_OF(fx.core.chain.head.bytes)));
}

Test(orchestrator, refuses_a_key_that_is_not_active)
{
    const char *batch;
    const Keyward__V1__BatchChunk *chunk = orch_make_batch(&fx, 1, &batch);
    unsigned before = fx.core.calls;

    cr_assert(eq(int, ask_access(chunk->items[0]->device).reason, KW_E_KEY_STATE));
    cr_assert(eq(u32, fx.core.calls, before));
}

Test(orchestrator, says_nothing_of_the_state_of_a_device_out_of_scope)
{
    Keyward__V1__GetDeviceAccessRequest body;
    const char *batch;
    const Keyward__V1__BatchChunk *chunk = orch_make_batch(&fx, 1, &batch);
    struct asking asking = access_ask(&body, chunk->items[0]->device);
    unsigned calls = fx.core.calls;
    struct kw_resource_ids ids;

    MUST(kw_resource_parse(KW_RESOURCE_BATCH, batch, &ids, err));
    asking.batch = ids.id[0];
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_KEY_STATE)); /* covered, not released */
    asking.batch.bytes[0] ^= 1;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_SCOPE_MISMATCH));
    asking.batch = KW_ID_NONE;
    asking.product = fx.product;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_KEY_STATE)); /* covered, not released */
    asking.product.bytes[0] ^= 1;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_SCOPE_MISMATCH));
    cr_assert(eq(u32, fx.core.calls, calls));
}

Test(orchestrator, never_passes_on_an_envelope_for_another_device)
{
    const char *device = orch_released_device(&fx)->device;

    fx.core.fault = CORE_SWAPS_DEVICE;
    cr_assert(eq(int, ask_access(device).reason, KW_E_INTERNAL));
    cr_assert(eq(int, ask_access(device).reason, KW_E_NONE)); /* the receipt was kept: no gap */
}

Test(orchestrator, keeps_the_receipt_of_a_use_the_core_refused)
{
    const char *device = orch_released_device(&fx)->device;
    struct asked asked;

    fx.core.fault = CORE_REFUSES;
    fx.core.refusal = KW_E_KEY_STATE;
    asked = ask_access(device);
    cr_assert(eq(int, asked.reason, KW_E_KEY_STATE));
    cr_assert(asked.outcome != NULL && asked.outcome->seq == fx.core.chain.seq);
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
}

Test(orchestrator, answers_each_item_of_a_batch_for_itself)
{
    Keyward__V1__BatchGetDeviceAccessRequest body =
        KEYWARD__V1__BATCH_GET_DEVICE_ACCESS_REQUEST__INIT;
    Keyward__V1__BatchAccessItem items[2] = {KEYWARD__V1__BATCH_ACCESS_ITEM__INIT,
                                             KEYWARD__V1__BATCH_ACCESS_ITEM__INIT};
    Keyward__V1__BatchAccessItem *list[2] = {&items[0], &items[1]};
    Keyward__V1__GetDeviceAccessRequest gets[2];
    const struct asking asking = {.method = KW_METHOD_BATCH_GET_DEVICE_ACCESS,
                                  .body = &body.base,
                                  .role = KW_ROLE_PARTNER,
                                  .caller = fx.partner};
    const Keyward__V1__BatchGetDeviceAccessResponse *response;
    struct kw_id unknown;
    struct asked asked;

    faults_off(); /* an item that fails does not fail the call */
    MUST(kw_id_random(&unknown, err));
    (void)access_ask(&gets[0], orch_name(&fx, KW_RESOURCE_DEVICE, unknown));
    (void)access_ask(&gets[1], orch_released_device(&fx)->device);
    for (size_t i = 0; i < 2; i++) {
        items[i].item_id = 10 + i;
        items[i].request_case = KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_GET;
        items[i].get = &gets[i];
    }
    body.items = list;
    body.n_items = 2;
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__batch_get_device_access_response__descriptor);
    cr_assert(eq(sz, response->n_results, 2));
    cr_assert(eq(u64, response->results[0]->item_id, 10));
    cr_assert(eq(int, response->results[0]->error->code, KW_GRPC_NOT_FOUND));
    cr_assert(response->results[1]->envelope != NULL);
}

/* --- exactly once --- */

Test(orchestrator, replays_a_mutation_with_its_disabling_fact)
{
    Keyward__V1__SuspendKeyRequest body;
    struct asking asking = suspend_ask(&body, orch_released_device(&fx)->key);
    struct asked first = orch_ask(&fx, &asking);
    struct asked second = orch_ask(&fx, &asking);
    const Keyward__V1__SuspendKeyResponse *a =
        answer_of(&first, &keyward__v1__suspend_key_response__descriptor);
    const Keyward__V1__SuspendKeyResponse *b =
        answer_of(&second, &keyward__v1__suspend_key_response__descriptor);

    cr_assert(eq(str, a->suspension, b->suspension));
    cr_assert(not(first.outcome->replayed));
    cr_assert(second.outcome->replayed);
    cr_assert(eq(sz, second.outcome->n_disabled, 1));
    cr_assert(kw_bytes_equal(kw_bytes_field(first.outcome->disabled[0]),
                             kw_bytes_field(second.outcome->disabled[0])));
}

Test(orchestrator, refuses_a_request_id_with_another_body)
{
    Keyward__V1__SuspendKeyRequest body;
    struct asking asking = suspend_ask(&body, orch_released_device(&fx)->key);

    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    body.justification = (char *)(uintptr_t) "stolen";
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_REQUEST_ID_REUSED));
}

Test(orchestrator, leaves_a_validated_request_id_unused)
{
    Keyward__V1__SuspendKeyRequest body;
    struct asking asking = suspend_ask(&body, orch_released_device(&fx)->key);
    struct asked asked;

    body.validate_only = true;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    body.validate_only = false;
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    cr_assert(not(asked.outcome->replayed));
}

/* --- facts --- */

Test(orchestrator, suspends_and_lifts)
{
    const Keyward__V1__BatchItem *device = orch_released_device(&fx);
    Keyward__V1__LiftKeySuspensionsRequest lift = KEYWARD__V1__LIFT_KEY_SUSPENSIONS_REQUEST__INIT;
    const struct asking lifting = {.method = KW_METHOD_LIFT_KEY_SUSPENSIONS,
                                   .body = &lift.base,
                                   .role = KW_ROLE_OPERATOR,
                                   .caller = fx.operator_id};
    Keyward__V1__SuspendKeyRequest body;
    struct asking asking = suspend_ask(&body, device->key);
    struct asked asked = orch_ask(&fx, &asking);
    const Keyward__V1__SuspendKeyResponse *suspended =
        answer_of(&asked, &keyward__v1__suspend_key_response__descriptor);
    char *suspension = suspended->suspension;

    cr_assert(suspended->key->suspended);
    cr_assert(eq(int, ask_access(device->device).reason, KW_E_KEY_STATE));
    lift.request_id = orch_request_id(&fx);
    lift.name = device->key;
    lift.justification = body.justification;
    lift.suspensions = &suspension;
    lift.n_suspensions = 1;
    cr_assert(eq(int, orch_ask(&fx, &lifting).reason, KW_E_NONE));
    cr_assert(eq(int, ask_access(device->device).reason, KW_E_NONE));
}

static Keyward__V1__DeviceState state_of(const char *device)
{
    Keyward__V1__GetDeviceRequest body = KEYWARD__V1__GET_DEVICE_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_DEVICE,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};
    const Keyward__V1__GetDeviceResponse *response;
    struct asked asked;

    body.selector_case = KEYWARD__V1__GET_DEVICE_REQUEST__SELECTOR_NAME;
    body.name = (char *)(uintptr_t)device;
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__get_device_response__descriptor);
    return response->device->state;
}

struct delivery_job {
    struct kw_store_job job;
    struct kw_id key;
    size_t len;
    bool done;
};

static struct kw_result delivery_run(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct delivery_job *delivery = (struct delivery_job *)job;
    struct kw_key_row row;
    bool found;

    KW_TRY(kw_key_find(tx, delivery->key, fx.arena, &row, &found, err));
    cr_assert(found);
    delivery->len = row.delivery.len;
    return KW_OK;
}

static void delivery_done(struct kw_store_job *job)
{
    cr_assert(kw_ok(job->result), "%s", job->error.message);
    ((struct delivery_job *)job)->done = true;
}

/* How much of the key is stored for its station. */
static size_t delivery_len(const char *key)
{
    struct delivery_job job = {.job = {.run = delivery_run, .done = delivery_done}};
    struct kw_resource_ids ids;

    MUST(kw_resource_parse(KW_RESOURCE_KEY, key, &ids, err));
    job.key = ids.id[1];
    MUST(kw_store_read(fx.orch.store, &job.job, err));
    EVENTUALLY(&fx, job.done);
    return job.len;
}

Test(orchestrator, activates_one_key_and_releases_its_device)
{
    Keyward__V1__CreateBatchRequest create;
    struct asking creating = orch_batch_ask(&fx, &create, 1);
    struct asked created = orch_ask(&fx, &creating);
    const Keyward__V1__BatchItem *device = orch_chunk(&fx, &created)->items[0];
    Keyward__V1__ActivateKeyRequest body = KEYWARD__V1__ACTIVATE_KEY_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_ACTIVATE_KEY,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};
    const Keyward__V1__ActivateKeyResponse *activated;
    struct asked asked;

    body.request_id = orch_request_id(&fx);
    body.name = device->key;
    body.justification = (char *)(uintptr_t) "the station is gone";
    orch_confirm(&fx, device->device, "SN 1");
    cr_assert(lt(sz, 0, delivery_len(device->key)));
    asked = orch_ask(&fx, &asking);
    activated = answer_of(&asked, &keyward__v1__activate_key_response__descriptor);
    cr_assert(eq(int, activated->key->phase, KEYWARD__V1__KEY_PHASE__KEY_PHASE_ACTIVE));
    cr_assert(eq(int, state_of(device->device), KEYWARD__V1__DEVICE_STATE__DEVICE_STATE_RELEASED));
    cr_assert(eq(int, ask_access(device->device).reason, KW_E_NONE));
    cr_assert(eq(sz, delivery_len(device->key), 0)); /* the station gets it no more */
    cr_assert(eq(int, orch_ask(&fx, &creating).reason, KW_E_STATE_CONFLICT));
}

Test(orchestrator, refuses_what_authz_knows_to_be_disabled)
{
    const Keyward__V1__BatchItem *device = orch_released_device(&fx);
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, device->device);
    struct kw_resource_ids ids;
    struct kw_fact fact = {.kind = KW_FACT_COMPROMISED,
                           .time_ms = 1,
                           .actor = kw_bytes_str("spiffe://test/operator/"
                                                 "opr_aaaaaaaaaaaaaaaaaaaaaaaaaa")};

    MUST(kw_resource_parse(KW_RESOURCE_KEY, device->key, &ids, err));
    fact.key = ids.id[1];
    asking.disabled = &fact;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_KEY_STATE));
}

Test(orchestrator, erases_a_destroyed_key_and_keeps_its_facts)
{
    const Keyward__V1__BatchItem *device = orch_released_device(&fx);
    Keyward__V1__SuspendKeyRequest suspend;
    struct asking suspending = suspend_ask(&suspend, device->key);
    Keyward__V1__DestroyKeyRequest body = KEYWARD__V1__DESTROY_KEY_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_DESTROY_KEY,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};
    const Keyward__V1__DestroyKeyResponse *destroyed;
    struct asked asked;

    body.request_id = orch_request_id(&fx);
    body.name = device->key;
    body.justification = (char *)(uintptr_t) "end of life";
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_KEY_STATE)); /* in use: stop it first */
    cr_assert(eq(int, orch_ask(&fx, &suspending).reason, KW_E_NONE));
    asked = orch_ask(&fx, &asking);
    destroyed = answer_of(&asked, &keyward__v1__destroy_key_response__descriptor);
    cr_assert(destroyed->key->destroyed);
    cr_assert(eq(sz, destroyed->key->n_facts, 4)); /* protected, activated, suspended, destroyed */
    cr_assert(eq(int, ask_access(device->device).reason, KW_E_KEY_STATE));
}

Test(orchestrator, refuses_a_stale_etag)
{
    Keyward__V1__SuspendKeyRequest body;
    struct asking asking = suspend_ask(&body, orch_released_device(&fx)->key);

    body.etag = (char *)(uintptr_t) "0000";
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_ETAG_MISMATCH));
}

/* --- receipts --- */

Test(orchestrator, acknowledges_receipts_that_are_durable)
{
    faults_off(); /* counts receipts */
    (void)orch_released_device(&fx);
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
    cr_assert(eq(u64, fx.core.acked, 3)); /* batch, confirmation, release */
}

Test(orchestrator, tells_the_durable_head_when_the_witness_lags)
{
    const char *device = orch_released_device(&fx)->device;
    struct asked asked;

    fx.core.fault = CORE_FAILS;
    fx.core.refusal = KW_E_RECEIPT_LAG;
    asked = ask_access(device);
    cr_assert(eq(int, asked.reason, KW_E_RECEIPT_LAG));
    cr_assert(asked.outcome != NULL);
    cr_assert(eq(u64, asked.outcome->seq, fx.core.chain.seq));
    cr_assert(
        kw_bytes_equal(kw_bytes_field(asked.outcome->head), KW_BYTES_OF(fx.core.chain.head.bytes)));
    cr_assert(eq(sz, asked.outcome->receipt_id.len, 0));
}

Test(orchestrator, withholds_an_answer_until_the_receipts_before_it_are_here)
{
    const char *device = orch_released_device(&fx)->device;
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, device);
    struct asked asked;

    fx.core.fault = CORE_LATE_RECEIPT;
    orch_ask_start(&fx, &asking, &asked);
    EVENTUALLY(&fx, fx.core.late.len > 0);
    for (int i = 0; i < 20; i++) {
        orch_turn(&fx);
    }
    cr_assert(not(asked.over));
    core_send_late(&fx.core);
    EVENTUALLY(&fx, asked.over);
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    EVENTUALLY(&fx, fx.core.acked == fx.core.chain.seq);
}

Test(orchestrator, stops_when_a_receipt_never_comes)
{
    const char *device = orch_released_device(&fx)->device;

    fx.core.fault = CORE_SKIPS_A_SEQ;
    cr_assert(eq(int, ask_access(device).reason, KW_E_PEER_UNAVAILABLE));
    cr_assert(not(kw_core_link_ready(fx.orch.link)));
    cr_assert(eq(int, ask_access(device).reason, KW_E_PEER_UNAVAILABLE));
}

Test(orchestrator, stops_when_a_receipt_is_on_another_head)
{
    const char *device = orch_released_device(&fx)->device;

    fx.core.fault = CORE_WRONG_PREV;
    cr_assert(eq(int, ask_access(device).reason, KW_E_PEER_UNAVAILABLE));
    cr_assert(not(kw_core_link_ready(fx.orch.link)));
}

Test(orchestrator, stops_when_an_answer_has_no_receipt)
{
    const char *device = orch_released_device(&fx)->device;

    fx.core.fault = CORE_NO_RECEIPT;
    cr_assert(eq(int, ask_access(device).reason, KW_E_PEER_UNAVAILABLE));
    cr_assert(not(kw_core_link_ready(fx.orch.link)));
}

Test(orchestrator, stops_when_a_checkpoint_signs_another_head)
{
    (void)orch_released_device(&fx);
    core_send_checkpoint(&fx.core, true);
    core_send_checkpoint(&fx.core, false);
    EVENTUALLY(&fx, !kw_core_link_ready(fx.orch.link));
}

Test(orchestrator, revokes_when_the_core_does_not_serve)
{
    Keyward__V1__SuspendKeyRequest body;
    struct asking asking = suspend_ask(&body, orch_released_device(&fx)->key);

    core_send_checkpoint(&fx.core, false);
    EVENTUALLY(&fx, !kw_core_link_ready(fx.orch.link));
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
}

Test(orchestrator, passes_on_that_the_hsm_is_not_available)
{
    const char *device = orch_released_device(&fx)->device;

    fx.core.fault = CORE_FAILS;
    fx.core.refusal = KW_E_HSM_UNAVAILABLE;
    cr_assert(eq(int, ask_access(device).reason, KW_E_HSM_UNAVAILABLE));
    cr_assert(kw_core_link_ready(fx.orch.link));
}

Test(orchestrator, stores_what_happened_when_nobody_waits_any_more)
{
    const char *device = orch_released_device(&fx)->device;
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, device);
    struct asked asked;

    orch_ask_start(&fx, &asking, &asked);
    EVENTUALLY(&fx, fx.core.calls == 4);
    kw_hop_cancel(asked.call);
    EVENTUALLY(&fx, fx.core.acked == 4 && fx.orch.in_flight == 0);
}
