/* Keys and pens: disabling facts, of which authz keeps its own copy; batches in ranges; and
 * evidence that passes through. */
#include "common/audit/head.h"
#include "tests/component/authz_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/key_service.pb-c.h>
#include <keyward/v1/provisioning_service.pb-c.h>
#include <keyward/v1/receipt_service.pb-c.h>
#include <keyward/v1/station_service.pb-c.h>

static struct authz_fixture fx;
static char *device;
static struct kw_id device_id;
static const struct kw_id key_id = {{9, 9, 9}};

static void init(void)
{
    authz_fixture_init(&fx);
    device_id = authz_device(&fx, 7, &device);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_keys, .init = init, .fini = done, .timeout = 60);

/* --- disabling facts --- */

static struct kw_bytes fact_of(enum kw_fact_kind kind)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const struct kw_fact fact = {.key = key_id,
                                 .kind = kind,
                                 .time_ms = 1,
                                 .capsule = {{1}},
                                 .actor = kw_bytes_str("spiffe://test/operator/opr_a")};
    struct kw_bytes copy;

    MUST(kw_fact_encode(&fact, &record, err));
    MUST(kw_arena_copy(fx.arena, kw_buf_bytes(&record), &copy, err));
    return copy;
}

static struct answer report_compromise(struct kw_bytes fact, bool validate_only)
{
    Keyward__V1__ReportKeyCompromiseRequest body = KEYWARD__V1__REPORT_KEY_COMPROMISE_REQUEST__INIT;
    const struct kw_resource_ids ids = {.id = {device_id, key_id}};
    char name[KW_RESOURCE_NAME_SIZE];
    const struct question question = {
        .method = KW_METHOD_REPORT_KEY_COMPROMISE, .body = &body.base, .caller = &fx.officer};

    body.request_id = authz_request_id(&fx);
    body.validate_only = validate_only;
    body.name = kw_resource_name(KW_RESOURCE_KEY, &ids, name);
    body.justification = (char *)(uintptr_t) "found on the street";
    fx.inside.disabled = fact;
    return authz_ask(&fx, &question);
}

static bool carries_the_fact(void)
{
    const struct kw_capsule *capsule = &inside_last(&fx.inside)->capsule;
    struct kw_key_state state = {0};

    MUST(kw_capsule_disabled_fold(capsule, key_id, &state, err));
    return state.compromised && capsule->disabled_count == 1;
}

Test(authz_keys, a_disabling_fact_is_kept_and_carried_from_then_on)
{
    uint64_t epoch = fx.authz->epoch;

    (void)authz_grant(&fx, device);
    cr_assert(eq(int, report_compromise(fact_of(KW_FACT_COMPROMISED), false).reason, KW_E_NONE));
    cr_assert(lt(u64, epoch, fx.authz->epoch));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM disabling_facts"), 1));
    fx.inside.disabled = KW_BYTES_NONE; /* the orchestrator may forget it: authz does not */
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    cr_assert(carries_the_fact());
    authz_fixture_restart(&fx);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    cr_assert(carries_the_fact());
}

Test(authz_keys, the_fact_of_a_repeated_call_is_kept_once)
{
    (void)report_compromise(fact_of(KW_FACT_COMPROMISED), false);
    (void)report_compromise(fact_of(KW_FACT_COMPROMISED), false);
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM disabling_facts"), 1));
}

Test(authz_keys, what_was_known_goes_with_every_later_change_of_the_key)
{
    (void)report_compromise(fact_of(KW_FACT_COMPROMISED), false);
    (void)report_compromise(fact_of(KW_FACT_COMPROMISED), false);
    cr_assert(carries_the_fact());
    cr_assert(eq(int, inside_last(&fx.inside)->capsule.operation, KW_OPERATION_REPORT_COMPROMISE));
    cr_assert(eq(int, inside_last(&fx.inside)->capsule.scope, KW_SCOPE_BODY));
}

Test(authz_keys, an_answer_is_dropped_when_its_key_was_disabled_meanwhile)
{
    struct access_story story;
    struct answer answer = {0};
    struct inside_call *call;

    (void)authz_grant(&fx, device);
    authz_access_story(&fx, &story, device);
    fx.inside.holds = true;
    authz_ask_start(&fx, &story.question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 1);
    call = inside_last(&fx.inside);
    fx.inside.holds = false;
    (void)report_compromise(fact_of(KW_FACT_COMPROMISED), false);
    fx.inside.disabled = KW_BYTES_NONE;
    inside_answer(call);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_KEY_STATE));
    cr_assert(eq(sz, answer.message_count, 0));
    authz_denials_await(&fx, 1);
}

Test(authz_keys, a_fact_that_is_none_or_enables_is_not_believed)
{
    cr_assert(eq(int, report_compromise(fact_of(KW_FACT_ACTIVATED), false).reason, KW_E_INTERNAL));
    cr_assert(eq(int, report_compromise(kw_bytes_str("nonsense"), false).reason, KW_E_INTERNAL));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM disabling_facts"), 0));
}

Test(authz_keys, what_goes_in_with_a_signature_is_what_the_caller_signed)
{
    struct answer answer = report_compromise(fact_of(KW_FACT_COMPROMISED), false);
    const Keyward__Internal__V1__Authorization *authorization =
        inside_last(&fx.inside)->authorization;

    cr_assert(kw_bytes_equal(kw_bytes_field(authorization->caller_signature), answer.signature));
    cr_assert(
        kw_bytes_equal(kw_bytes_field(authorization->caller_certificate), fx.officer.certificate));
}

/* --- batches --- */

static Keyward__V1__CreateBatchRequest batch_body;

static struct question batch_question(uint32_t count)
{
    keyward__v1__create_batch_request__init(&batch_body);
    batch_body.request_id = authz_request_id(&fx);
    batch_body.product = authz_name(&fx, KW_RESOURCE_PRODUCT, fx.product);
    batch_body.lot = (char *)(uintptr_t) "LOT 1";
    batch_body.count = count;
    return (struct question){
        .method = KW_METHOD_CREATE_BATCH, .body = &batch_body.base, .caller = &fx.station};
}

Test(authz_keys, a_batch_is_made_range_by_range)
{
    const uint32_t firsts[] = {0, 256, 512};
    const uint16_t counts[] = {256, 256, 88};
    struct question question = batch_question(600);
    const Keyward__V1__CreateBatchResponse *part;
    struct answer answer;

    faults_off(); /* counts what goes in */
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(sz, answer.message_count, 5)); /* batch, three chunks, totals */
    part = authz_message_at(&answer, 0, &keyward__v1__create_batch_response__descriptor);
    cr_assert(eq(int, part->part_case, KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_BATCH));
    part = authz_message_at(&answer, 2, &keyward__v1__create_batch_response__descriptor);
    cr_assert(eq(u32, part->chunk->first_index, 256));
    part = authz_message_at(&answer, 4, &keyward__v1__create_batch_response__descriptor);
    cr_assert(eq(int, part->part_case, KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_TOTALS));
    cr_assert(eq(sz, fx.inside.count, 3));
    for (size_t i = 0; i < 3; i++) {
        const struct kw_capsule *capsule = &fx.inside.calls[i]->capsule;

        cr_assert(capsule->first == firsts[i] && capsule->count == counts[i]);
        cr_assert(eq(int, capsule->operation, KW_OPERATION_DELIVER_TO_STATION));
        cr_assert(capsule->scope == KW_SCOPE_PRODUCT && kw_id_equal(capsule->scope_id, fx.product));
        cr_assert(kw_id_equal(capsule->owner, fx.station.id) && capsule->ptk_version == 1);
    }
}

Test(authz_keys, a_batch_that_is_resumed_at_its_end_gives_totals)
{
    struct question question = batch_question(600);
    struct answer answer;

    batch_body.start_index = 600;
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(inside_last(&fx.inside)->capsule.first == 600 &&
              inside_last(&fx.inside)->capsule.count == 0);
}

Test(authz_keys, a_station_makes_its_own_products_alone)
{
    struct question question = batch_question(10);

    batch_body.product = authz_name(&fx, KW_RESOURCE_PRODUCT, fx.partner.id);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NOT_FOUND));
    question = batch_question(KW_BATCH_DEVICES_MAX + 1);
    cr_assert(eq(str, authz_ask(&fx, &question).field, "count"));
    question = batch_question(10);
    batch_body.start_index = 11;
    cr_assert(eq(str, authz_ask(&fx, &question).field, "start_index"));
    cr_assert(eq(sz, fx.inside.count, 0));
}

Test(authz_keys, a_range_that_fails_ends_the_stream)
{
    struct question question = batch_question(600);
    struct answer answer = {0};

    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 1);
    inside_answer(inside_last(&fx.inside));
    EVENTUALLY(&fx, fx.inside.count == 2);
    inside_refuse(inside_last(&fx.inside), KW_E_HSM_UNAVAILABLE);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_HSM_UNAVAILABLE));
    cr_assert(eq(sz, answer.message_count, 2)); /* what was made is told */
    cr_assert(eq(sz, fx.inside.count, 2));
}

/* A hop keeps its order: once this is answered, authz has seen everything that was sent before. */
static void pass_behind(void)
{
    Keyward__V1__ListPartnersRequest body = KEYWARD__V1__LIST_PARTNERS_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_LIST_PARTNERS, .body = &body.base, .caller = &fx.officer};

    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

Test(authz_keys, a_station_that_leaves_begins_no_further_range)
{
    struct question question = batch_question(600);
    struct answer answer = {0};

    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 1);
    kw_hop_cancel(answer.call);
    pass_behind();
    cr_assert(not(inside_last(&fx.inside)->cancelled)); /* its keys are made: it is finished */
    inside_answer(inside_last(&fx.inside));
    EVENTUALLY(&fx, fx.authz->calls == 0);
    cr_assert(eq(sz, fx.inside.count, 1));
}

/* The caller takes so long that the station is suspended before the next range. */
Test(authz_keys, a_suspended_station_begins_no_further_range)
{
    Keyward__V1__SuspendStationRequest body;
    const struct question suspend = {
        .method = KW_METHOD_SUSPEND_STATION, .body = &body.base, .caller = &fx.officer};
    struct question question = batch_question(5 * KW_CHUNK_ITEMS_MAX);
    struct answer answer = {.takes_nothing = true};

    fx.inside.chunk_len = 200 * 1024; /* three fill the window, the fourth waits */
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 4);
    for (size_t i = 0; i < 20; i++) {
        authz_turn(&fx);
    }
    keyward__v1__suspend_station_request__init(&body);
    body.request_id = authz_request_id(&fx);
    body.name = fx.station.name;
    body.justification = (char *)(uintptr_t) "stolen";
    cr_assert(eq(int, authz_ask(&fx, &suspend).reason, KW_E_NONE));
    answer.takes_nothing = false;
    kw_hop_consume(answer.call, 400 * 1024);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_IDENTITY_INVALID));
    cr_assert(eq(sz, fx.inside.count, 4));
}

Test(authz_keys, a_release_adds_up_its_ranges)
{
    Keyward__V1__ReleaseBatchRequest body = KEYWARD__V1__RELEASE_BATCH_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_RELEASE_BATCH, .body = &body.base, .caller = &fx.station};
    const Keyward__V1__ReleaseBatchResponse *response;
    struct answer answer;

    faults_off(); /* counts what goes in */
    body.request_id = authz_request_id(&fx);
    body.name = authz_name(&fx, KW_RESOURCE_BATCH, key_id);
    answer = authz_ask(&fx, &question);
    response = authz_message(&answer, &keyward__v1__release_batch_response__descriptor);
    cr_assert(eq(u32, response->activated_count, 600));
    cr_assert(eq(str, response->batch->name, body.name));
    cr_assert(eq(sz, fx.inside.count, 3));
    for (size_t i = 0; i < 3; i++) {
        const struct kw_capsule *capsule = &fx.inside.calls[i]->capsule;

        cr_assert(capsule->first == i * KW_CHUNK_ITEMS_MAX && capsule->count == KW_CHUNK_ITEMS_MAX);
        cr_assert(capsule->scope == KW_SCOPE_BATCH && kw_id_equal(capsule->scope_id, key_id));
        cr_assert(eq(int, capsule->operation, KW_OPERATION_ACTIVATE));
    }
}

/* 600 pens. */
static struct question release_question(Keyward__V1__ReleaseBatchRequest *body)
{
    keyward__v1__release_batch_request__init(body);
    body->request_id = authz_request_id(&fx);
    body->name = authz_name(&fx, KW_RESOURCE_BATCH, key_id);
    return (struct question){
        .method = KW_METHOD_RELEASE_BATCH, .body = &body->base, .caller = &fx.station};
}

Test(authz_keys, a_batch_that_grows_without_end_is_not_believed)
{
    Keyward__V1__ReleaseBatchRequest body;
    struct question question = release_question(&body);

    faults_off(); /* counts what goes in */
    fx.inside.batch_count = KW_BATCH_DEVICES_MAX + 1;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    cr_assert(eq(sz, fx.inside.count, 1));
    question = release_question(&body);
    fx.inside.batch_count = KW_BATCH_DEVICES_MAX;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

Test(authz_keys, a_release_without_receipt_is_one_that_activated_nothing)
{
    Keyward__V1__ReleaseBatchRequest body;
    struct question question = release_question(&body);

    fx.inside.hides_receipts = true;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    cr_assert(eq(sz, fx.inside.count, 1));
    question = release_question(&body);
    fx.inside.claims_replay = true; /* which has the receipt of the first time */
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    question = release_question(&body);
    fx.inside.claims_replay = false;
    fx.inside.activates_none = true;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

Test(authz_keys, keys_of_a_batch_come_with_a_receipt_or_for_a_second_time)
{
    struct question question = batch_question(10);
    struct answer answer;

    fx.inside.hides_receipts = true;
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_INTERNAL));
    cr_assert(eq(sz, answer.message_count, 0));
    question = batch_question(10);
    fx.inside.claims_replay = true;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    question = batch_question(10);
    batch_body.validate_only = true;
    fx.inside.claims_replay = false;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

Test(authz_keys, a_key_that_was_activated_without_receipt_is_not_told_of)
{
    Keyward__V1__ActivateKeyRequest activate = KEYWARD__V1__ACTIVATE_KEY_REQUEST__INIT;
    const struct kw_resource_ids ids = {.id = {device_id, key_id}};
    char name[KW_RESOURCE_NAME_SIZE];
    const struct question question = {
        .method = KW_METHOD_ACTIVATE_KEY, .body = &activate.base, .caller = &fx.officer};

    activate.request_id = authz_request_id(&fx);
    activate.name = kw_resource_name(KW_RESOURCE_KEY, &ids, name);
    activate.justification = (char *)(uintptr_t) "tested";
    fx.inside.hides_receipts = true;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    activate.validate_only = true;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

Test(authz_keys, a_confirmation_is_checked_and_carries_what_is_known)
{
    Keyward__V1__ConfirmDeviceRequest body = KEYWARD__V1__CONFIRM_DEVICE_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_CONFIRM_DEVICE, .body = &body.base, .caller = &fx.station};
    uint8_t sixteen[16] = {1};

    (void)report_compromise(fact_of(KW_FACT_COMPROMISED), false);
    fx.inside.disabled = KW_BYTES_NONE;
    body.request_id = authz_request_id(&fx);
    body.device = device;
    body.serial_number = (char *)(uintptr_t) "SN 1";
    body.challenge = (ProtobufCBinaryData){.data = sixteen, .len = 15};
    body.tag = (ProtobufCBinaryData){.data = sixteen, .len = 16};
    cr_assert(eq(str, authz_ask(&fx, &question).field, "challenge"));
    body.challenge.len = 16;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    cr_assert(eq(int, inside_last(&fx.inside)->capsule.operation, KW_OPERATION_CONFIRM));
    cr_assert(carries_the_fact());
}

/* --- evidence --- */

static struct question verification_question(Keyward__V1__GetVerificationDataRequest *body)
{
    keyward__v1__get_verification_data_request__init(body);
    return (struct question){
        .method = KW_METHOD_GET_VERIFICATION_DATA, .body = &body->base, .caller = &fx.auditor};
}

Test(authz_keys, verification_data_passes_through)
{
    Keyward__V1__GetVerificationDataRequest body;
    struct question question = verification_question(&body);
    struct answer answer = authz_ask(&fx, &question);

    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(sz, answer.message_count, INSIDE_EVIDENCE_COUNT));
}

/* The orchestrator can withhold receipts, but not that authz has seen later ones. */
Test(authz_keys, the_head_authz_saw_last_goes_before_the_evidence)
{
    Keyward__V1__GetVerificationDataRequest body;
    struct question question = verification_question(&body);
    const Keyward__V1__GetVerificationDataResponse *response;
    struct kw_witness head;
    struct answer answer;

    faults_off(); /* an attempt that failed here may have moved the head inside */
    (void)authz_grant(&fx, device);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    answer = authz_ask(&fx, &question);
    cr_assert(eq(sz, answer.message_count, INSIDE_EVIDENCE_COUNT + 1));
    response =
        authz_message_at(&answer, 0, &keyward__v1__get_verification_data_response__descriptor);
    cr_assert(eq(int, response->records[0]->type,
                 KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_HEAD));
    MUST(kw_head_decode(kw_bytes_field(response->records[0]->encoded), &head, err));
    cr_assert(kw_id_equal(head.core, fx.inside.head.core));
    cr_assert(eq(u64, head.seq, fx.inside.head.seq - 1)); /* before this call's own */
}

/* Nobody here has seen another cell's chains. */
Test(authz_keys, no_head_goes_before_another_cells_evidence)
{
    Keyward__V1__GetVerificationDataRequest body;
    struct question question = verification_question(&body);
    char of[] = "eu/z";
    struct answer answer;

    faults_off(); /* as above */
    (void)authz_grant(&fx, device);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    body.of = of;
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(sz, answer.message_count, INSIDE_EVIDENCE_COUNT));
}

static size_t received_len(const struct answer *answer)
{
    size_t len = 0;

    for (size_t m = 0; m < answer->message_count; m++) {
        len += answer->messages[m].len;
    }
    return len;
}

/* The heads of an export. */
static size_t heads_of(const struct answer *answer, struct kw_witness *heads, size_t max)
{
    size_t count = 0;

    for (size_t m = 0; m < answer->message_count; m++) {
        const Keyward__V1__GetVerificationDataResponse *response =
            authz_message_at(answer, m, &keyward__v1__get_verification_data_response__descriptor);

        for (size_t i = 0; i < response->n_records; i++) {
            if (response->records[i]->type ==
                    KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_HEAD &&
                count < max) {
                MUST(kw_head_decode(kw_bytes_field(response->records[i]->encoded), &heads[count++],
                                    err));
            }
        }
    }
    return count;
}

static bool has_head(const struct kw_witness *heads, size_t count, const struct kw_witness *head)
{
    for (size_t i = 0; i < count; i++) {
        if (kw_id_equal(heads[i].core, head->core) && kw_id_equal(heads[i].stream, head->stream) &&
            heads[i].seq == head->seq &&
            kw_bytes_equal(KW_BYTES_OF(heads[i].head), KW_BYTES_OF(head->head))) {
            return true;
        }
    }
    return false;
}

/* The core was replaced twice, so fast that the store has not seen the second one yet. */
Test(authz_keys, the_last_head_of_every_chain_goes_before_the_evidence)
{
    Keyward__V1__GetVerificationDataRequest body;
    struct question question = verification_question(&body);
    struct kw_witness seen[3];
    struct kw_witness heads[8];
    struct answer answer;
    size_t count;

    for (size_t i = 0; i < 3; i++) {
        fx.inside.head = (struct kw_witness){.stream = fx.inside.head.stream};
        memset(fx.inside.head.core.bytes, (int)i + 1, KW_ID_LEN);
        (void)report_compromise(KW_BYTES_NONE, false);
        (void)report_compromise(KW_BYTES_NONE, false);
        seen[i] = fx.inside.head;
        if (i == 0) {
            EVENTUALLY(&fx, authz_number(&fx, "SELECT max(seq) FROM witness") == 2);
        }
    }
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    count = heads_of(&answer, heads, 8);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(has_head(heads, count, &seen[i]), "chain %zu", i);
    }
    EVENTUALLY(&fx, authz_number(&fx, "SELECT count(*) FROM witness WHERE seq >= 2") == 3);
}

#define MANY_CHAINS 8000 /* more than a call's credit holds */

static void many_chains_put(void)
{
    authz_exec(&fx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)"
                    " INSERT INTO witness (core, stream, seq, head, time_ms)"
                    " SELECT randomblob(16), randomblob(16), i, randomblob(32), i FROM n");
}

Test(authz_keys, heads_of_many_chains_go_page_by_page_as_the_caller_takes_them)
{
    Keyward__V1__GetVerificationDataRequest body;
    struct question question = verification_question(&body);
    static struct kw_witness heads[MANY_CHAINS + 1];
    struct answer answer = {.takes_nothing = true};
    size_t inside = fx.inside.count;

    many_chains_put();
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, answer.message_count > 10);
    cr_assert(eq(sz, fx.inside.count, inside)); /* the evidence waits for its turn */
    answer.takes_nothing = false;
    kw_hop_consume(answer.call, received_len(&answer));
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(sz, heads_of(&answer, heads, MANY_CHAINS + 1), MANY_CHAINS));
    cr_assert(eq(sz, answer.message_count, (MANY_CHAINS + 255) / 256 + 4)); /* and the evidence */
}

Test(authz_keys, a_caller_that_leaves_while_it_owes_credit_for_heads_leaves_nothing_behind)
{
    Keyward__V1__GetVerificationDataRequest body;
    struct question question = verification_question(&body);
    struct answer answer = {.takes_nothing = true};
    size_t before;

    many_chains_put();
    authz_ask_start(&fx, &question, &answer);
    do {
        before = answer.message_count;
        authz_denials_await(&fx, 0); /* some turns of the loop */
    } while (before == 0 || answer.message_count > before);
    kw_hop_cancel(answer.call);
    EVENTUALLY(&fx, fx.authz->calls == 0);
    cr_assert(eq(sz, fx.inside.count, 0));
}

Test(authz_keys, a_caller_that_leaves_while_heads_are_read_leaves_nothing_behind)
{
    Keyward__V1__GetVerificationDataRequest body;
    struct question question = verification_question(&body);
    struct answer answer = {.takes_nothing = true};

    many_chains_put();
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, answer.message_count > 0); /* of many */
    kw_hop_cancel(answer.call);
    EVENTUALLY(&fx, fx.authz->calls == 0);
    cr_assert(eq(sz, fx.inside.count, 0));
}

Test(authz_keys, verification_data_ends_as_the_inner_call_does)
{
    Keyward__V1__GetVerificationDataRequest body;
    struct question question = verification_question(&body);
    struct answer answer = {0};

    fx.inside.refusals = 2;
    fx.inside.refusal = KW_E_STORE_UNAVAILABLE;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_STORE_UNAVAILABLE));
    fx.inside.refusals = 0;
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 2);
    kw_hop_cancel(answer.call);
    EVENTUALLY(&fx, inside_last(&fx.inside)->cancelled && fx.authz->calls == 0);
}

Test(authz_keys, reads_go_in_for_the_caller_they_are_of)
{
    Keyward__V1__ListReceiptsRequest body = KEYWARD__V1__LIST_RECEIPTS_REQUEST__INIT;
    struct question question = {
        .method = KW_METHOD_LIST_RECEIPTS, .body = &body.base, .caller = &fx.partner};
    const struct kw_capsule *capsule;

    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    capsule = &inside_last(&fx.inside)->capsule;
    cr_assert(kw_id_equal(capsule->owner, fx.partner.id));
    cr_assert(capsule->scope == KW_SCOPE_NONE && capsule->ptk_version == 0);
    cr_assert(eq(int, capsule->operation, KW_OPERATION_NONE));
    question.caller = &fx.auditor;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    cr_assert(kw_id_is_none(inside_last(&fx.inside)->capsule.owner));
}
