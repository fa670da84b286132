/* What the orchestrator is told and asked that does not fit: answers of a core that are not those to the question are
 * INTERNAL and leave nothing behind but the receipt; questions that do not fit what is stored are refused. */
#include "common/base/limits.h"
#include "services/orchestrator/core_link.h"
#include "services/orchestrator/fact_table.h"
#include "services/orchestrator/receipt_window.h"
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/device_service.pb-c.h>
#include <keyward/v1/key_service.pb-c.h>
#include <keyward/v1/receipt_service.pb-c.h>
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

TestSuite(orchestrator_odd, .init = init, .fini = done, .timeout = 120);

/* --- a core that answers something else --- */

static void no_items(Keyward__Internal__V1__CoreReply *reply)
{
    reply->n_items = 0;
}

static void no_key(Keyward__Internal__V1__CoreReply *reply)
{
    reply->items[0]->key = NULL;
}

static void no_delivery(Keyward__Internal__V1__CoreReply *reply)
{
    reply->items[0]->delivery.len = 0;
}

static void no_facts(Keyward__Internal__V1__CoreReply *reply)
{
    reply->items[0]->n_facts = 0;
}

/* A record that is one, with another key's id in it. */
static void fact_of_another_key(Keyward__Internal__V1__CoreReply *reply)
{
    struct kw_fact fact;
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    ProtobufCBinaryData *told = &reply->items[0]->facts[0]->fact;

    MUST(kw_fact_decode(kw_bytes_field(*told), &fact, err));
    fact.key.bytes[0] ^= 1;
    MUST(kw_fact_encode(&fact, &record, err));
    cr_assert(eq(sz, record.len, told->len));
    kw_copy(told->data, record.data, record.len);
}

static void half_a_fact(Keyward__Internal__V1__CoreReply *reply)
{
    reply->items[0]->facts[0]->fact.len--;
}

static void unknown_reason(Keyward__Internal__V1__CoreReply *reply)
{
    reply->items[0]->reason = (char *)(uintptr_t) "NO_SUCH_REASON";
}

struct oddity {
    const char *name;
    void (*spoil)(Keyward__Internal__V1__CoreReply *reply);
};

/* Asked with each oddity it fails as INTERNAL, and asked again it is done as if nothing had been. */
static void check_each(const struct oddity *oddities, size_t count, const struct asking *asking)
{
    struct asked asked;

    for (size_t i = 0; i < count; i++) {
        fx.core.spoil = oddities[i].spoil;
        asked = orch_ask(&fx, asking);
        cr_assert(eq(int, asked.reason, KW_E_INTERNAL), "%s: %s", oddities[i].name,
                  kw_reason_row(asked.reason)->name);
        cr_assert(asked.outcome == NULL || asked.outcome->n_disabled == 0);
    }
    cr_assert(eq(int, orch_ask(&fx, asking).reason, KW_E_NONE));
}

#define CHECK_EACH(oddities, asking)                                                               \
    check_each(oddities, sizeof(oddities) / sizeof((oddities)[0]), asking)

Test(orchestrator_odd, a_batch_is_made_of_what_was_asked_for)
{
    static const struct oddity oddities[] = {{"no items", no_items},
                                             {"no key", no_key},
                                             {"no delivery", no_delivery},
                                             {"no facts", no_facts},
                                             {"a fact of another key", fact_of_another_key},
                                             {"an unknown reason", unknown_reason}};
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 2);

    CHECK_EACH(oddities, &asking);
}

static struct asking release_ask(Keyward__V1__ReleaseBatchRequest *body, const char *batch)
{
    keyward__v1__release_batch_request__init(body);
    body->request_id = orch_request_id(&fx);
    body->name = (char *)(uintptr_t)batch;
    return (struct asking){.method = KW_METHOD_RELEASE_BATCH,
                           .body = &body->base,
                           .role = KW_ROLE_STATION,
                           .caller = fx.station,
                           .count = KW_CHUNK_ITEMS_MAX};
}

Test(orchestrator_odd, a_release_activates_what_was_asked_for)
{
    static const struct oddity oddities[] = {{"no items", no_items},
                                             {"no facts", no_facts},
                                             {"a fact of another key", fact_of_another_key},
                                             {"half a fact", half_a_fact},
                                             {"an unknown reason", unknown_reason}};
    Keyward__V1__ReleaseBatchRequest body;
    const char *batch;
    const Keyward__V1__BatchChunk *chunk = orch_make_batch(&fx, 1, &batch);
    struct asking asking = release_ask(&body, batch);

    orch_confirm(&fx, chunk->items[0]->device, "SN 1");
    CHECK_EACH(oddities, &asking);
}

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

static void garbled_envelope(Keyward__Internal__V1__CoreReply *reply)
{
    reply->items[0]->envelope.len--;
}

Test(orchestrator_odd, a_use_has_one_envelope)
{
    static const struct oddity oddities[] = {{"no items", no_items},
                                             {"an unknown reason", unknown_reason},
                                             {"half an envelope", garbled_envelope}};
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, orch_released_device(&fx)->device);

    CHECK_EACH(oddities, &asking);
}

/* --- a chunk of uses --- */

struct chunk {
    Keyward__V1__BatchGetDeviceAccessRequest body;
    Keyward__V1__BatchAccessItem items[3];
    Keyward__V1__BatchAccessItem *list[3];
    Keyward__V1__GetDeviceAccessRequest get;
    Keyward__V1__DeriveSessionRequest derive;
    struct asking asking;
};

/* A use, a derivation, and an item that asks nothing. */
static void chunk_init(struct chunk *chunk, const char *device)
{
    static uint8_t nonce[KW_ID_LEN] = {1};

    (void)access_ask(&chunk->get, device);
    keyward__v1__derive_session_request__init(&chunk->derive);
    chunk->derive.selector_case = KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR_DEVICE;
    chunk->derive.device = (char *)(uintptr_t)device;
    chunk->derive.epoch = 1;
    chunk->derive.purpose = (char *)(uintptr_t) "care";
    chunk->derive.nonce_app = (ProtobufCBinaryData){.data = nonce, .len = sizeof(nonce)};
    chunk->derive.nonce_pen = chunk->derive.nonce_app;
    keyward__v1__batch_get_device_access_request__init(&chunk->body);
    for (size_t i = 0; i < 3; i++) {
        keyward__v1__batch_access_item__init(&chunk->items[i]);
        chunk->items[i].item_id = i;
        chunk->list[i] = &chunk->items[i];
    }
    chunk->items[0].request_case = KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_GET;
    chunk->items[0].get = &chunk->get;
    chunk->items[1].request_case = KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_DERIVE;
    chunk->items[1].derive = &chunk->derive;
    chunk->body.items = chunk->list;
    chunk->body.n_items = 3;
    chunk->asking = (struct asking){.method = KW_METHOD_BATCH_GET_DEVICE_ACCESS,
                                    .body = &chunk->body.base,
                                    .role = KW_ROLE_PARTNER,
                                    .caller = fx.partner};
}

static const Keyward__V1__BatchGetDeviceAccessResponse *results_of(const struct asked *asked)
{
    return (const Keyward__V1__BatchGetDeviceAccessResponse *)orch_message(
        &fx, asked, 0, &keyward__v1__batch_get_device_access_response__descriptor);
}

Test(orchestrator_odd, a_chunk_is_answered_item_by_item_or_not_at_all)
{
    static const struct oddity oddities[] = {{"no items", no_items}};
    struct chunk chunk;
    struct asked asked;

    faults_off(); /* below */
    chunk_init(&chunk, orch_released_device(&fx)->device);
    CHECK_EACH(oddities, &chunk.asking);
    asked = orch_ask(&fx, &chunk.asking);
    cr_assert(eq(sz, results_of(&asked)->n_results, 3));
    cr_assert(results_of(&asked)->results[0]->envelope != NULL);
    cr_assert(eq(int, results_of(&asked)->results[2]->error->code, KW_GRPC_INVALID_ARGUMENT));
}

#ifdef KW_FAULTS_PLANTED
/* Whatever fails, either the chunk does or every item has an answer. */
Test(orchestrator_odd, whatever_fails_every_item_of_a_chunk_is_answered)
{
    struct chunk chunk;
    struct asked asked;
    size_t places = 0;

    faults_off(); /* an item that fails does not fail the call */
    chunk_init(&chunk, orch_released_device(&fx)->device);
    do {
        EVENTUALLY(&fx, kw_core_link_ready(fx.orch.link));
        faults_arm_at("services/orchestrator/use");
        asked = orch_ask(&fx, &chunk.asking);
        places++;
        cr_assert(ne(int, asked.reason, KW_E_DEADLINE_EXCEEDED));
        cr_assert(asked.reason != KW_E_NONE || results_of(&asked)->n_results == 3);
    } while (faults_disarm());
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    cr_assert(getenv("KEYWARD_FAULTS") != NULL || places > 6); /* else others have been there */
}
#endif

/* --- receipts that do not fit --- */

/* The answer is withheld, and the chain is broken: nothing more is asked of this core. */
static void check_broken(const char *device)
{
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, device);

    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_PEER_UNAVAILABLE));
}

Test(orchestrator_odd, a_receipt_far_ahead_breaks_the_chain)
{
    const char *device = orch_released_device(&fx)->device;

    faults_off(); /* it never succeeds */
    fx.core.chain.seq += KW_RECEIPT_WINDOW_LEN + 1;
    check_broken(device);
    cr_assert(not(kw_core_link_ready(fx.orch.link)));
}

Test(orchestrator_odd, a_receipt_of_another_core_is_none)
{
    const char *device = orch_released_device(&fx)->device;

    faults_off(); /* it never succeeds */
    fx.core.chain.core.bytes[0] ^= 1;
    check_broken(device);
}

#ifdef KW_FAULTS_PLANTED
/* What the walk leaves out, since a chain does not mend: whatever fails while a receipt is taken, its answer is
 * withheld. */
Test(orchestrator_odd, a_receipt_that_cannot_be_taken_lets_no_answer_out)
{
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, orch_released_device(&fx)->device);
    struct asked asked;

    faults_off(); /* below */
    faults_arm_at("services/orchestrator/core_receipts.c");
    asked = orch_ask(&fx, &asking);
    cr_assert(faults_disarm());
    cr_assert(eq(int, asked.reason, KW_E_MEMORY));
    cr_assert(eq(sz, asked.message_count, 0));
}
#endif

/* --- questions that do not fit --- */

Test(orchestrator_odd, a_device_is_found_by_its_name_or_its_id)
{
    Keyward__V1__GetDeviceRequest body = KEYWARD__V1__GET_DEVICE_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_DEVICE,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};
    struct kw_resource_ids ids;

    body.selector_case = KEYWARD__V1__GET_DEVICE_REQUEST__SELECTOR_NAME;
    body.name = orch_released_device(&fx)->device;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    MUST(kw_resource_parse(KW_RESOURCE_DEVICE, body.name, &ids, err));
    body.name = (char *)(uintptr_t) "devices/x";
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_ARGUMENT_INVALID));
    body.selector_case = KEYWARD__V1__GET_DEVICE_REQUEST__SELECTOR_DEVICE_ID;
    body.device_id = kw_field_bytes(kw_id_bytes(&ids.id[0]));
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    body.device_id.len--;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_ARGUMENT_INVALID));
    MUST(kw_id_random(&ids.id[0], err));
    body.device_id.len++;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NOT_FOUND));
}

Test(orchestrator_odd, a_key_is_shown_to_who_names_it_right)
{
    const Keyward__V1__BatchItem *device = orch_released_device(&fx);
    Keyward__V1__GetKeyRequest body = KEYWARD__V1__GET_KEY_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_KEY,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};
    struct kw_resource_ids ids;
    char text[KW_RESOURCE_NAME_SIZE];

    body.name = device->key;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    MUST(kw_resource_parse(KW_RESOURCE_KEY, device->key, &ids, err));
    ids.id[0].bytes[0] ^= 1; /* another device's */
    (void)kw_resource_name(KW_RESOURCE_KEY, &ids, text);
    body.name = text;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NOT_FOUND));
    body.name = (char *)(uintptr_t) "keys/x";
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_ARGUMENT_INVALID));
}

Test(orchestrator_odd, a_use_names_its_device_or_its_id)
{
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, orch_released_device(&fx)->device);
    struct kw_resource_ids ids;
    struct asked asked;

    MUST(kw_resource_parse(KW_RESOURCE_DEVICE, body.device, &ids, err));
    body.selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE_ID;
    body.device_id = kw_field_bytes(kw_id_bytes(&ids.id[0]));
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    body.device_id.len--;
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, asked.field, "device_id"));
}

/* --- rows that do not fit --- */

struct misplaced {
    struct kw_store_job job;
    struct kw_id key;
    bool done;
};

/* Under this key, a fact of another one. */
static struct kw_result misplace_run(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct misplaced *misplaced = (struct misplaced *)job;
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_fact_row row = {
        .fact = {.key = misplaced->key,
                 .kind = KW_FACT_COMPROMISED,
                 .time_ms = 1,
                 .actor = kw_bytes_str("spiffe://test/operator/opr_aaaaaaaaaaaaaaaaaaaaaaaaaa")},
        .justification = ""};

    row.fact.key.bytes[0] ^= 1;
    KW_TRY(kw_fact_encode(&row.fact, &record, err));
    row.record = kw_buf_bytes(&record);
    row.fact.key = misplaced->key;
    return kw_fact_put(tx, &row, err);
}

static void misplace_done(struct kw_store_job *job)
{
    cr_assert(kw_ok(job->result), "%s", job->error.message);
    ((struct misplaced *)job)->done = true;
}

Test(orchestrator_odd, a_key_with_a_fact_of_another_is_not_used)
{
    const Keyward__V1__BatchItem *device = orch_released_device(&fx);
    struct misplaced misplaced = {.job = {.run = misplace_run, .done = misplace_done}};
    Keyward__V1__GetDeviceAccessRequest body;
    struct asking asking = access_ask(&body, device->device);
    struct kw_resource_ids ids;
    struct chunk chunk;
    unsigned calls = fx.core.calls;

    faults_off(); /* it never succeeds */
    MUST(kw_resource_parse(KW_RESOURCE_KEY, device->key, &ids, err));
    misplaced.key = ids.id[1];
    MUST(kw_store_write(fx.orch.store, &misplaced.job, err));
    EVENTUALLY(&fx, misplaced.done);
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_INTERNAL));
    chunk_init(&chunk, device->device); /* an item that could not be read is no item refused */
    cr_assert(eq(int, orch_ask(&fx, &chunk.asking).reason, KW_E_INTERNAL));
    cr_assert(eq(u32, fx.core.calls, calls));
}

Test(orchestrator_odd, a_list_of_what_is_no_name_is_refused)
{
    Keyward__V1__ListDevicesRequest body = KEYWARD__V1__LIST_DEVICES_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_LIST_DEVICES,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};
    struct asked asked;

    body.batch = (char *)(uintptr_t) "batches/x";
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, asked.field, "batch"));
}

/* A capsule's range is authz's: one that can't be is refused all the same. */
Test(orchestrator_odd, a_range_that_cannot_be_is_refused)
{
    Keyward__V1__CreateBatchRequest create;
    struct asking creating = orch_batch_ask(&fx, &create, 2);
    Keyward__V1__ReleaseBatchRequest release;
    struct asking releasing;
    const char *batch;

    creating.count = KW_CHUNK_ITEMS_MAX + 1;
    cr_assert(eq(int, orch_ask(&fx, &creating).reason, KW_E_CAPSULE_INVALID));
    (void)orch_make_batch(&fx, 2, &batch);
    releasing = release_ask(&release, batch);
    releasing.first = 1;
    cr_assert(eq(int, orch_ask(&fx, &releasing).reason, KW_E_STATE_CONFLICT)); /* none before */
    orch_confirm(&fx, orch_make_batch(&fx, 1, &batch)->items[0]->device, "SN 2");
    releasing = release_ask(&release, batch);
    releasing.count = 0;
    cr_assert(eq(int, orch_ask(&fx, &releasing).reason, KW_E_CAPSULE_INVALID));
    releasing.count = 1;
    release.etag = (char *)(uintptr_t) "0000";
    cr_assert(eq(int, orch_ask(&fx, &releasing).reason, KW_E_ETAG_MISMATCH));
    MUST(kw_id_random(&releasing.caller, err));
    cr_assert(eq(int, orch_ask(&fx, &releasing).reason, KW_E_NOT_FOUND)); /* another station */
}

Test(orchestrator_odd, a_request_in_pieces_or_of_another_caller_is_refused)
{
    Keyward__V1__GetDeviceRequest body = KEYWARD__V1__GET_DEVICE_REQUEST__INIT;
    struct asking asking = {.method = KW_METHOD_GET_DEVICE,
                            .body = &body.base,
                            .role = KW_ROLE_OPERATOR,
                            .caller = fx.operator_id,
                            .in_pieces = true};

    body.selector_case = KEYWARD__V1__GET_DEVICE_REQUEST__SELECTOR_NAME;
    body.name = orch_released_device(&fx)->device;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_ENCODING_INVALID));
    asking.in_pieces = false;
    asking.trust_domain = "elsewhere"; /* sealed by authz all the same */
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_CAPSULE_INVALID));
    asking.trust_domain = NULL;
    asking.role = KW_ROLE_INVITATION;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_PERMISSION_DENIED));
    asking.role = KW_ROLE_OPERATOR;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
}

static enum kw_reason confirm(const char *device, const char *serial, struct kw_id station)
{
    Keyward__V1__ConfirmDeviceRequest body = KEYWARD__V1__CONFIRM_DEVICE_REQUEST__INIT;
    static uint8_t sixteen[16] = {3};
    const struct asking asking = {.method = KW_METHOD_CONFIRM_DEVICE,
                                  .body = &body.base,
                                  .role = KW_ROLE_STATION,
                                  .caller = station};

    body.request_id = orch_request_id(&fx);
    body.device = (char *)(uintptr_t)device;
    body.challenge = (ProtobufCBinaryData){.data = sixteen, .len = sizeof(sixteen)};
    body.tag = body.challenge;
    body.serial_number = (char *)(uintptr_t)serial;
    return orch_ask(&fx, &asking).reason;
}

Test(orchestrator_odd, a_device_is_confirmed_by_its_station_before_its_release_and_once)
{
    const char *batch;
    char *device = orch_make_batch(&fx, 1, &batch)->items[0]->device;
    struct kw_id stranger;

    MUST(kw_id_random(&stranger, err));
    cr_assert(eq(int, confirm(device, "SN 1", stranger), KW_E_NOT_FOUND));
    cr_assert(eq(int, confirm(device, "SN 1", fx.station), KW_E_NONE));
    cr_assert(eq(int, confirm(device, "SN 2", fx.station), KW_E_STATE_CONFLICT));
    orch_release(&fx, batch);
    cr_assert(eq(int, confirm(device, "SN 1", fx.station), KW_E_STATE_CONFLICT));
}

Test(orchestrator_odd, a_suspension_that_is_not_there_is_not_lifted)
{
    Keyward__V1__LiftKeySuspensionsRequest body = KEYWARD__V1__LIFT_KEY_SUSPENSIONS_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_LIFT_KEY_SUSPENSIONS,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};
    char text[KW_ID_TEXT_SIZE];
    char *suspension = text;
    struct kw_id id;

    MUST(kw_id_random(&id, err));
    (void)kw_id_text(KW_ID_SUSPENSION, id, text);
    body.request_id = orch_request_id(&fx);
    body.name = orch_released_device(&fx)->key;
    body.justification = (char *)(uintptr_t) "found";
    body.suspensions = &suspension;
    body.n_suspensions = 1;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NOT_FOUND));
    suspension = (char *)(uintptr_t) "sus_x";
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_ARGUMENT_INVALID));
}

/* A partner sees receipts of its own, however it asks. */
Test(orchestrator_odd, a_partner_lists_nobody_elses_receipts)
{
    Keyward__V1__ListReceiptsRequest body = KEYWARD__V1__LIST_RECEIPTS_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_LIST_RECEIPTS,
                                  .body = &body.base,
                                  .role = KW_ROLE_PARTNER,
                                  .caller = fx.partner};

    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    body.caller = orch_name(&fx, KW_RESOURCE_STATION, fx.station);
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NOT_FOUND));
}
