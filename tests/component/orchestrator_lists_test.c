/* The orchestrator's lists and evidence: paging, visibility, verification data, status. */
#include "services/orchestrator/core_link.h"
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/device_service.pb-c.h>
#include <keyward/v1/key_service.pb-c.h>
#include <keyward/v1/receipt_service.pb-c.h>
#include <keyward/v1/status_service.pb-c.h>
#include <stdlib.h>

static struct orch_fixture fx;

static void init(void)
{
    orch_fixture_init(&fx);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_lists, .init = init, .fini = done, .timeout = 60);

static void *answer_of(const struct asked *asked, const ProtobufCMessageDescriptor *type)
{
    return (void *)(uintptr_t)orch_message(&fx, asked, 0, type);
}

static struct asking by_operator(enum kw_method_id method, const ProtobufCMessage *body)
{
    return (struct asking){
        .method = method, .body = body, .role = KW_ROLE_OPERATOR, .caller = fx.operator_id};
}

static struct asking list_devices(Keyward__V1__ListDevicesRequest *body, int32_t page_size)
{
    keyward__v1__list_devices_request__init(body);
    body->page_size = page_size;
    return by_operator(KW_METHOD_LIST_DEVICES, &body->base);
}

Test(orchestrator_lists, pages_through_all_devices_once_in_order)
{
    Keyward__V1__ListDevicesRequest body;
    struct asking asking = list_devices(&body, 2);
    const char *batch;
    struct kw_id last = KW_ID_NONE;
    size_t seen = 0;

    (void)orch_make_batch(&fx, 5, &batch);
    for (int page = 0; page < 3; page++) {
        struct asked asked = orch_ask(&fx, &asking);
        const Keyward__V1__ListDevicesResponse *response =
            answer_of(&asked, &keyward__v1__list_devices_response__descriptor);

        for (size_t i = 0; i < response->n_devices; i++) {
            struct kw_resource_ids ids;

            MUST(kw_resource_parse(KW_RESOURCE_DEVICE, response->devices[i]->name, &ids, err));
            cr_assert(lt(int, memcmp(last.bytes, ids.id[0].bytes, KW_ID_LEN), 0));
            last = ids.id[0];
            seen++;
        }
        body.page_token = response->next_page_token;
    }
    cr_assert(eq(sz, seen, 5));
    cr_assert(eq(str, body.page_token, ""));
}

Test(orchestrator_lists, takes_a_token_for_the_same_list_and_caller_only)
{
    Keyward__V1__ListDevicesRequest body;
    struct asking asking = list_devices(&body, 1);
    const Keyward__V1__ListDevicesResponse *response;
    const char *batch;
    struct asked asked;

    (void)orch_make_batch(&fx, 2, &batch);
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__list_devices_response__descriptor);
    body.page_token = response->next_page_token;
    body.batch = (char *)(uintptr_t)batch; /* another filter */
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_PAGE_TOKEN_INVALID));
    body.batch = (char *)(uintptr_t) "";
    MUST(kw_id_random(&asking.caller, err)); /* another caller */
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_PAGE_TOKEN_INVALID));
    asking.caller = fx.operator_id;
    body.page_size = 7; /* the size may change */
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    body.page_token[3] = body.page_token[3] == 'A' ? 'B' : 'A';
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_PAGE_TOKEN_INVALID));
}

Test(orchestrator_lists, shows_a_station_its_own_devices)
{
    Keyward__V1__ListDevicesRequest body;
    struct asking asking = list_devices(&body, 0);
    const Keyward__V1__ListDevicesResponse *response;
    const char *batch;
    struct asked asked;

    (void)orch_make_batch(&fx, 2, &batch);
    asking.role = KW_ROLE_STATION;
    asking.caller = fx.station;
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__list_devices_response__descriptor);
    cr_assert(eq(sz, response->n_devices, 2));
    MUST(kw_id_random(&asking.caller, err));
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__list_devices_response__descriptor);
    cr_assert(eq(sz, response->n_devices, 0));
}

Test(orchestrator_lists, finds_a_device_by_state_and_serial_number)
{
    Keyward__V1__ListDevicesRequest body;
    struct asking asking = list_devices(&body, 0);
    const Keyward__V1__ListDevicesResponse *response;
    const Keyward__V1__BatchChunk *chunk;
    const char *batch;
    struct asked asked;

    chunk = orch_make_batch(&fx, 3, &batch);
    orch_confirm(&fx, chunk->items[1]->device, "SN 7");
    body.serial_number = (char *)(uintptr_t) "SN 7";
    body.state = KEYWARD__V1__DEVICE_STATE__DEVICE_STATE_CONFIRMED;
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__list_devices_response__descriptor);
    cr_assert(eq(sz, response->n_devices, 1));
    cr_assert(eq(str, response->devices[0]->name, chunk->items[1]->device));
}

Test(orchestrator_lists, lists_the_keys_of_a_device_without_facts)
{
    Keyward__V1__ListKeysRequest body = KEYWARD__V1__LIST_KEYS_REQUEST__INIT;
    struct asking asking = by_operator(KW_METHOD_LIST_KEYS, &body.base);
    const Keyward__V1__BatchItem *device = orch_released_device(&fx);
    const Keyward__V1__ListKeysResponse *response;
    struct asked asked;

    body.parent = device->device;
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__list_keys_response__descriptor);
    cr_assert(eq(sz, response->n_keys, 1));
    cr_assert(eq(str, response->keys[0]->name, device->key));
    cr_assert(eq(int, response->keys[0]->phase, KEYWARD__V1__KEY_PHASE__KEY_PHASE_ACTIVE));
    cr_assert(eq(sz, response->keys[0]->n_facts, 0));
}

Test(orchestrator_lists, pages_through_all_keys_once_in_order)
{
    Keyward__V1__ListKeysRequest body = KEYWARD__V1__LIST_KEYS_REQUEST__INIT;
    struct asking asking = by_operator(KW_METHOD_LIST_KEYS, &body.base);
    const char *batch;
    struct kw_id last = KW_ID_NONE;
    size_t seen = 0;

    (void)orch_make_batch(&fx, 3, &batch);
    body.parent = (char *)(uintptr_t) "devices/-";
    body.page_size = 2;
    do {
        struct asked asked = orch_ask(&fx, &asking);
        const Keyward__V1__ListKeysResponse *response =
            answer_of(&asked, &keyward__v1__list_keys_response__descriptor);

        for (size_t i = 0; i < response->n_keys; i++) {
            struct kw_resource_ids ids;

            MUST(kw_resource_parse(KW_RESOURCE_KEY, response->keys[i]->name, &ids, err));
            cr_assert(lt(int, memcmp(last.bytes, ids.id[1].bytes, KW_ID_LEN), 0));
            last = ids.id[1];
            seen++;
        }
        body.page_token = response->next_page_token;
    } while (body.page_token[0] != '\0');
    cr_assert(eq(sz, seen, 3));
}

/* --- receipts --- */

static const Keyward__V1__ListReceiptsResponse *
list_receipts(enum kw_role role, struct kw_id caller, const char *device)
{
    Keyward__V1__ListReceiptsRequest body = KEYWARD__V1__LIST_RECEIPTS_REQUEST__INIT;
    struct asking asking = {
        .method = KW_METHOD_LIST_RECEIPTS, .body = &body.base, .role = role, .caller = caller};
    struct asked asked;

    body.device = (char *)(uintptr_t)device;
    asked = orch_ask(&fx, &asking);
    return answer_of(&asked, &keyward__v1__list_receipts_response__descriptor);
}

static void use_device(const char *device)
{
    Keyward__V1__GetDeviceAccessRequest body = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_DEVICE_ACCESS,
                                  .body = &body.base,
                                  .role = KW_ROLE_PARTNER,
                                  .caller = fx.partner};

    body.selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    body.device = (char *)(uintptr_t)device;
    body.epoch = 1;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
}

Test(orchestrator_lists, shows_receipts_to_their_caller_and_to_operators)
{
    const char *device = orch_released_device(&fx)->device;
    const Keyward__V1__ListReceiptsResponse *own;
    struct kw_id stranger;

    use_device(device);
    own = list_receipts(KW_ROLE_PARTNER, fx.partner, "");
    cr_assert(eq(sz, own->n_receipts, 1));
    cr_assert(eq(str, own->receipts[0]->caller, orch_name(&fx, KW_RESOURCE_PARTNER, fx.partner)));
    cr_assert(eq(str, own->receipts[0]->device, (char *)(uintptr_t)device));
    cr_assert(eq(u64, own->receipts[0]->sequence, 4));
    cr_assert(
        eq(sz, own->receipts[0]->encoded.len, 0)); /* who suspended what is not its business */
    cr_assert(
        lt(sz, 0, list_receipts(KW_ROLE_OPERATOR, fx.operator_id, "")->receipts[0]->encoded.len));
    MUST(kw_id_random(&stranger, err));
    cr_assert(eq(sz, list_receipts(KW_ROLE_PARTNER, stranger, "")->n_receipts, 0));
    cr_assert(eq(sz, list_receipts(KW_ROLE_OPERATOR, fx.operator_id, "")->n_receipts, 4));
    cr_assert(eq(sz, list_receipts(KW_ROLE_OPERATOR, fx.operator_id, device)->n_receipts, 4));
}

Test(orchestrator_lists, pages_through_all_receipts_once_in_order)
{
    Keyward__V1__ListReceiptsRequest body = KEYWARD__V1__LIST_RECEIPTS_REQUEST__INIT;
    struct asking asking = by_operator(KW_METHOD_LIST_RECEIPTS, &body.base);
    uint64_t last = 0;

    (void)orch_released_device(&fx);
    body.page_size = 1;
    do {
        struct asked asked = orch_ask(&fx, &asking);
        const Keyward__V1__ListReceiptsResponse *response =
            answer_of(&asked, &keyward__v1__list_receipts_response__descriptor);

        cr_assert(eq(sz, response->n_receipts, 1));
        cr_assert(eq(u64, response->receipts[0]->sequence, last + 1));
        last++;
        body.page_token = response->next_page_token;
    } while (body.page_token[0] != '\0');
    cr_assert(eq(u64, last, fx.core.chain.seq));
}

Test(orchestrator_lists, hides_anothers_receipt)
{
    Keyward__V1__GetReceiptRequest body = KEYWARD__V1__GET_RECEIPT_REQUEST__INIT;
    struct asking asking = {.method = KW_METHOD_GET_RECEIPT,
                            .body = &body.base,
                            .role = KW_ROLE_PARTNER,
                            .caller = fx.partner};

    use_device(orch_released_device(&fx)->device);
    body.name = list_receipts(KW_ROLE_PARTNER, fx.partner, "")->receipts[0]->name;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    MUST(kw_id_random(&asking.caller, err));
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NOT_FOUND));
}

static uint64_t store_writes(void)
{
    struct kw_store_stats stats;

    kw_store_stats(fx.orch.store, &stats);
    return stats.writes;
}

Test(orchestrator_lists, streams_what_a_verifier_needs)
{
    Keyward__V1__GetVerificationDataRequest body = KEYWARD__V1__GET_VERIFICATION_DATA_REQUEST__INIT;
    struct asking asking = by_operator(KW_METHOD_GET_VERIFICATION_DATA, &body.base);
    struct kw_chain_verifier verifier;
    size_t counts[6] = {0};
    uint64_t writes;
    struct asked asked;

    (void)orch_released_device(&fx);
    writes = store_writes();
    core_send_checkpoint(&fx.core, true);
    EVENTUALLY(&fx, store_writes() > writes);
    kw_chain_verify_start(&verifier,
                          &(struct kw_chain){.core = fx.core.boot_id, .stream = fx.core.stream});
    asked = orch_ask(&fx, &asking);
    for (size_t m = 0; m < asked.message_count; m++) {
        const Keyward__V1__GetVerificationDataResponse *page =
            (const Keyward__V1__GetVerificationDataResponse *)orch_message(
                &fx, &asked, m, &keyward__v1__get_verification_data_response__descriptor);

        for (size_t i = 0; i < page->n_records; i++) {
            counts[page->records[i]->type]++;
            if (page->records[i]->type ==
                KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_RECEIPT) {
                enum kw_chain_verdict verdict;

                MUST(kw_chain_verify_receipt(&verifier, kw_bytes_field(page->records[i]->encoded),
                                             &verdict, err));
                cr_assert(eq(int, verdict, KW_CHAIN_OK));
            }
        }
    }
    cr_assert(eq(sz, counts[1], 3)); /* receipts */
    cr_assert(eq(sz, counts[3], 1)); /* checkpoints */
    cr_assert(eq(sz, counts[4], 3)); /* facts: protected, confirmed, activated */
    cr_assert(eq(sz, counts[5], 1)); /* certificates */
}

/* --- status --- */

Test(orchestrator_lists, tells_its_state_together_with_the_cores)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    struct asking asking = by_operator(KW_METHOD_GET_STATUS, &body.base);
    const Keyward__V1__GetStatusResponse *response;
    struct asked asked;

    faults_off(); /* below */
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__get_status_response__descriptor);
    cr_assert(eq(int, response->state, KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING));
    cr_assert(eq(sz, response->n_layers, 2));
    cr_assert(eq(str, response->layers[0]->layer, "orchestrator"));
    cr_assert(eq(str, response->layers[1]->layer, "cryptocore"));
    cr_assert(eq(sz, response->n_capabilities, 3)); /* two of ours, one of the core's */
    cr_assert(
        eq(int, response->capabilities[2], KEYWARD__V1__CAPABILITY__CAPABILITY_DEVICE_ACCESS));
}

#ifdef KW_FAULTS_PLANTED
/* A core that could not be asked is an answer too, so that the walk can't tell that a place has failed. */
Test(orchestrator_lists, whatever_fails_a_state_is_told_whole_or_not_at_all)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    struct asking asking = by_operator(KW_METHOD_GET_STATUS, &body.base);
    const Keyward__V1__GetStatusResponse *response;
    struct asked asked;
    size_t failed = 0;

    faults_off();
    faults_arm_at("services/orchestrator/status.c");
    for (asked = orch_ask(&fx, &asking); faults_disarm(); asked = orch_ask(&fx, &asking)) {
        cr_assert(eq(int, asked.reason, KW_E_MEMORY));
        failed++;
        faults_arm_at("services/orchestrator/status.c");
    }
    response = answer_of(&asked, &keyward__v1__get_status_response__descriptor);
    cr_assert(eq(sz, response->n_layers, 2));
    cr_assert(getenv("KEYWARD_FAULTS") != NULL || failed >= 4); /* else others have been there */
}
#endif

Test(orchestrator_lists, tells_its_state_without_the_core)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    struct asking asking = by_operator(KW_METHOD_GET_STATUS, &body.base);
    const Keyward__V1__GetStatusResponse *response;
    struct asked asked;

    fx.core.fault = CORE_SILENT;
    asking.timeout_ms = 400;
    asked = orch_ask(&fx, &asking);
    response = answer_of(&asked, &keyward__v1__get_status_response__descriptor);
    cr_assert(eq(sz, response->n_layers, 2));
    cr_assert(eq(str, response->layers[0]->layer, "orchestrator"));
    cr_assert(
        eq(int, response->layers[1]->state, KEYWARD__V1__SERVING_STATE__SERVING_STATE_UNREACHABLE));
}
