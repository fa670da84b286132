/* Keys for partners: the decision, the capsule that goes in, and what is done with the answer when
 * something was revoked meanwhile. */
#include "tests/component/authz_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/status_service.pb-c.h>

static struct authz_fixture fx;
static char *device;
static struct kw_id device_id;

static void init(void)
{
    authz_fixture_init(&fx);
    device_id = authz_device(&fx, 7, &device);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_access, .init = init, .fini = done, .timeout = 60);

static struct kw_id grant_id(const char *name)
{
    struct kw_resource_ids ids;

    MUST(kw_resource_parse(KW_RESOURCE_PARTNER_GRANT, name, &ids, err));
    return ids.id[1];
}

/* A question that waits inside. */
static struct inside_call *held(struct access_story *story, struct answer *answer)
{
    size_t before = fx.inside.count;

    authz_access_story(&fx, story, device);
    fx.inside.holds = true;
    authz_ask_start(&fx, &story->question, answer);
    EVENTUALLY(&fx, fx.inside.count > before);
    fx.inside.holds = false;
    return inside_last(&fx.inside);
}

/* --- the capsule --- */

Test(authz_access, the_capsule_says_exactly_what_was_decided)
{
    char *grant = authz_grant(&fx, device);
    char caller[KW_SPIFFE_TEXT_SIZE];
    struct kw_spiffe id;
    const struct kw_capsule *capsule;
    struct answer answer = authz_access(&fx, device);

    cr_assert(eq(int, answer.reason, KW_E_NONE));
    capsule = &inside_last(&fx.inside)->capsule; /* verified by common/audit: seal, place, body */
    MUST(kw_spiffe_caller("test", KW_ROLE_PARTNER, fx.partner.id, &id, err));
    cr_assert(kw_bytes_equal(capsule->caller, kw_bytes_str(kw_spiffe_text(&id, caller))));
    cr_assert(
        kw_bytes_equal(KW_BYTES_OF(capsule->fingerprint), KW_BYTES_OF(fx.partner.fingerprint)));
    cr_assert(kw_id_equal(capsule->grant, grant_id(grant)));
    cr_assert(eq(int, capsule->method, KW_METHOD_GET_DEVICE_ACCESS));
    cr_assert(capsule->first == 0 && capsule->count == 0);
    cr_assert(capsule->scope == KW_SCOPE_BODY && kw_id_is_none(capsule->scope_id));
    cr_assert(eq(int, capsule->operation, KW_OPERATION_RELEASE));
    cr_assert(kw_id_equal(capsule->owner, fx.partner.id));
    cr_assert(capsule->epoch == 1 && capsule->ptk_version == 1);
    cr_assert(eq(u64, capsule->authz_epoch, fx.authz->epoch));
    cr_assert(le(u64, capsule->not_after_ms - capsule->issued_ms, KW_CAPSULE_LIFETIME_MS));
    cr_assert(eq(int, capsule->disabled_count, 0));
    cr_assert(eq(sz, inside_last(&fx.inside)->authorization->caller_certificate.len, 0));
}

Test(authz_access, a_product_grants_capsule_names_the_product)
{
    const struct kw_capsule *capsule;

    (void)authz_grant_of_product(&fx);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    capsule = &inside_last(&fx.inside)->capsule;
    cr_assert(capsule->scope == KW_SCOPE_PRODUCT && !kw_id_is_none(capsule->scope_id));
}

Test(authz_access, a_session_needs_the_operation_in_the_grant)
{
    Keyward__V1__DeriveSessionRequest body = KEYWARD__V1__DERIVE_SESSION_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_DERIVE_SESSION, .body = &body.base, .caller = &fx.partner};
    uint8_t nonce[16] = {1};
    struct grant_story story;

    body.selector_case = KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR_DEVICE;
    body.device = device;
    body.epoch = 1;
    body.purpose = (char *)(uintptr_t) "care";
    body.nonce_app = (ProtobufCBinaryData){.data = nonce, .len = sizeof(nonce)};
    body.nonce_pen = body.nonce_app;
    authz_grant_story(&fx, &story, device);
    (void)authz_grant_make(&fx, &story);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NOT_FOUND));
    authz_grant_story(&fx, &story, device);
    story.grant.n_operations = 2;
    (void)authz_grant_make(&fx, &story);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    cr_assert(eq(int, inside_last(&fx.inside)->capsule.operation, KW_OPERATION_DERIVE_SESSION));
}

Test(authz_access, the_answer_tells_the_receipt_and_nothing_of_the_chain)
{
    struct answer answer;

    (void)authz_grant(&fx, device);
    answer = authz_access(&fx, device);
    cr_assert(eq(sz, answer.outcome->receipt_id.len, KW_ID_LEN));
    cr_assert(answer.outcome->head.len == 0 && answer.outcome->seq == 0 &&
              answer.outcome->core_boot.len == 0);
}

Test(authz_access, a_key_without_its_receipt_is_withheld)
{
    struct answer answer;

    (void)authz_grant(&fx, device);
    fx.inside.hides_receipts = true;
    answer = authz_access(&fx, device);
    cr_assert(eq(int, answer.reason, KW_E_INTERNAL));
    cr_assert(eq(sz, answer.message_count, 0));
    fx.inside.claims_replay = true; /* a read is never one */
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_INTERNAL));
}

/* --- refusals --- */

static struct answer refused(void)
{
    size_t before = fx.inside.count;
    struct answer answer = authz_access(&fx, device);

    cr_assert(eq(sz, fx.inside.count, before)); /* nothing went in */
    return answer;
}

Test(authz_access, every_missing_permission_looks_the_same)
{
    struct grant_story story;
    struct answer none = refused();
    struct answer others[3];
    char *grant;

    faults_off(); /* counts denials */
    authz_grant_story(&fx, &story, device);
    story.grant.purpose = (char *)(uintptr_t) "research";
    (void)authz_grant_make(&fx, &story);
    others[0] = refused();
    grant = authz_grant(&fx, device);
    (void)authz_grant_revoke(&fx, grant);
    others[1] = refused();
    authz_grant_story(&fx, &story, device);
    story.request.parent = fx.other.name;
    (void)authz_grant_make(&fx, &story);
    others[2] = refused();
    for (size_t i = 0; i < 3; i++) {
        cr_assert(none.reason == KW_E_NOT_FOUND && others[i].reason == KW_E_NOT_FOUND);
        cr_assert(eq(str, none.description, others[i].description));
        cr_assert(eq(str, none.field, others[i].field));
    }
    authz_denials_await(&fx, 4);
    cr_assert(eq(str, authz_text_of(&fx, "SELECT detail FROM denials WHERE seq = 1"), "no_grant"));
    cr_assert(eq(str, authz_text_of(&fx, "SELECT detail FROM denials WHERE seq = 2"),
                 "purpose_not_granted"));
}

Test(authz_access, a_device_that_is_not_there_looks_like_one_without_grant)
{
    struct answer without = refused();
    struct answer absent;

    (void)authz_grant(&fx, device);
    fx.inside.refusals = 1;
    fx.inside.refusal = KW_E_NOT_FOUND; /* what the orchestrator says of a device it has not */
    absent = authz_access(&fx, device);
    cr_assert(eq(int, absent.reason, without.reason));
    cr_assert(eq(str, absent.description, without.description));
    cr_assert(eq(str, absent.field, without.field));
}

Test(authz_access, a_malformed_question_names_its_field)
{
    struct access_story story;
    struct answer answer;

    authz_access_story(&fx, &story, device);
    story.request.epoch = 0;
    answer = authz_ask(&fx, &story.question);
    cr_assert(eq(int, answer.reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, answer.field, "epoch"));
    authz_access_story(&fx, &story, "devices/x");
    answer = authz_ask(&fx, &story.question);
    cr_assert(eq(str, answer.field, "device"));
}

/* --- several grants --- */

Test(authz_access, tries_the_next_grant_when_one_does_not_cover_the_device)
{
    char *first = authz_grant_of_product(&fx);
    char *second = authz_grant_of_product(&fx);
    size_t before = fx.inside.count;

    fx.inside.refusals = 1;
    fx.inside.refusal = KW_E_SCOPE_MISMATCH;
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    cr_assert(eq(sz, fx.inside.count, before + 2));
    cr_assert(kw_id_equal(fx.inside.calls[before]->capsule.grant, grant_id(first)));
    cr_assert(kw_id_equal(fx.inside.calls[before + 1]->capsule.grant, grant_id(second)));
}

Test(authz_access, a_device_no_grant_covers_is_not_found)
{
    struct answer answer;

    faults_off(); /* counts what goes in */
    (void)authz_grant_of_product(&fx);
    (void)authz_grant_of_product(&fx);
    fx.inside.refusals = 2;
    fx.inside.refusal = KW_E_SCOPE_MISMATCH;
    answer = authz_access(&fx, device);
    cr_assert(eq(int, answer.reason, KW_E_NOT_FOUND));
    cr_assert(eq(str, answer.description, ""));
    authz_denials_await(&fx, 1);
}

/* --- revoked between decision and reply --- */

static int64_t denied(const char *detail)
{
    authz_denials_await(&fx, 1);
    return strcmp(authz_text_of(&fx, "SELECT detail FROM denials"), detail) == 0 ? 1 : 0;
}

Test(authz_access, an_answer_is_dropped_when_its_grant_was_revoked_meanwhile)
{
    char *grant = authz_grant(&fx, device);
    struct access_story story;
    struct answer answer = {0};
    struct inside_call *call = held(&story, &answer);

    cr_assert(eq(int, authz_grant_revoke(&fx, grant).reason, KW_E_NONE));
    inside_answer(call);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NOT_FOUND));
    cr_assert(eq(sz, answer.message_count, 0));
    cr_assert(eq(i64, denied("grant_revoked"), 1));
}

Test(authz_access, an_answer_is_dropped_when_its_partner_was_suspended_meanwhile)
{
    struct access_story story;
    struct answer answer = {0};
    struct inside_call *call;

    (void)authz_grant(&fx, device);
    call = held(&story, &answer);
    cr_assert(eq(int, authz_partner_suspend(&fx, &fx.partner).reason, KW_E_NONE));
    inside_answer(call);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_IDENTITY_INVALID));
    cr_assert(eq(sz, answer.message_count, 0));
    cr_assert(eq(i64, denied("member_suspended"), 1));
}

Test(authz_access, an_answer_stays_when_something_else_was_revoked)
{
    struct grant_story other;
    struct access_story story;
    struct answer answer = {0};
    struct inside_call *call;
    char *grant;

    (void)authz_grant(&fx, device);
    authz_grant_story(&fx, &other, device);
    other.request.parent = fx.other.name;
    grant = authz_grant_make(&fx, &other);
    call = held(&story, &answer);
    (void)authz_grant_revoke(&fx, grant);
    (void)authz_partner_suspend(&fx, &fx.other);
    inside_answer(call);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(sz, answer.message_count, 1));
}

Test(authz_access, an_operation_that_was_dropped_is_not_given_back)
{
    struct grant_story story;
    struct access_story access;
    struct answer answer = {0};
    struct inside_call *call;
    char *grant;

    authz_grant_story(&fx, &story, device);
    story.grant.quota = &story.quota;
    story.quota.max_operations = 5;
    grant = authz_grant_make(&fx, &story);
    call = held(&access, &answer);
    (void)authz_grant_revoke(&fx, grant);
    inside_answer(call);
    authz_wait(&answer);
    EVENTUALLY(&fx, authz_number(&fx, "SELECT coalesce(max(used), 0) FROM quotas") == 1);
}

/* --- the member's own state --- */

Test(authz_access, nothing_is_delivered_under_an_unconfirmed_transport_key)
{
    (void)authz_grant(&fx, device);
    authz_exec(&fx, "UPDATE members SET confirmed_version = 0");
    cr_assert(eq(int, refused().reason, KW_E_TRANSPORT_KEY_UNCONFIRMED));
}

Test(authz_access, a_partner_is_served_in_its_regions_alone)
{
    (void)authz_grant(&fx, device);
    authz_exec(&fx, "UPDATE members SET regions = 'r2,r11'");
    cr_assert(eq(int, refused().reason, KW_E_NOT_FOUND));
    authz_exec(&fx, "UPDATE members SET regions = 'r2,r1'");
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
}

/* --- quotas --- */

static void quota_of(uint64_t max, int64_t window_s)
{
    struct grant_story story;

    faults_off(); /* an attempt that failed may have used it */
    authz_grant_story(&fx, &story, device);
    story.grant.quota = &story.quota;
    story.quota.max_operations = max;
    story.window.seconds = window_s;
    story.quota.window = window_s > 0 ? &story.window : NULL;
    (void)authz_grant_make(&fx, &story);
}

Test(authz_access, a_used_up_quota_says_when_to_come_again)
{
    struct answer answer;

    quota_of(2, 600);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    answer = refused();
    cr_assert(eq(int, answer.reason, KW_E_QUOTA_EXCEEDED));
    cr_assert(eq(int, kw_reason_row(answer.reason)->grpc_code, KW_GRPC_RESOURCE_EXHAUSTED));
    cr_assert(lt(u32, 500000, answer.retry_ms));
    cr_assert(le(u32, answer.retry_ms, 600000));
    authz_denials_await(&fx, 1);
}

Test(authz_access, a_used_up_quota_without_window_says_nothing_of_coming_again)
{
    struct answer answer;

    quota_of(1, 0);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    answer = refused();
    cr_assert(answer.reason == KW_E_QUOTA_EXCEEDED && answer.retry_ms == 0);
}

Test(authz_access, calls_at_once_get_no_more_than_the_quota)
{
    struct access_story story;
    struct answer answers[10] = {0};
    size_t served = 0;

    quota_of(3, 0);
    authz_access_story(&fx, &story, device);
    for (size_t i = 0; i < 10; i++) {
        authz_ask_start(&fx, &story.question, &answers[i]);
    }
    for (size_t i = 0; i < 10; i++) {
        authz_wait(&answers[i]);
        served += answers[i].reason == KW_E_NONE ? 1 : 0;
    }
    cr_assert(eq(sz, served, 3));
}

Test(authz_access, what_failed_inside_does_not_use_the_quota_up)
{
    quota_of(1, 0);
    fx.inside.refusals = 1;
    fx.inside.refusal = KW_E_HSM_BUSY;
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_HSM_BUSY));
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
}

Test(authz_access, a_used_up_quota_is_used_up_after_a_restart)
{
    quota_of(1, 0);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    authz_fixture_restart(&fx);
    cr_assert(eq(int, refused().reason, KW_E_QUOTA_EXCEEDED));
}

Test(authz_access, a_grant_with_operations_left_serves_when_the_first_is_used_up)
{
    quota_of(1, 0);
    quota_of(1, 0);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    cr_assert(eq(int, refused().reason, KW_E_QUOTA_EXCEEDED));
}

/* --- witness --- */

Test(authz_access, the_head_of_the_last_receipt_is_stored_and_carried)
{
    const struct kw_capsule *capsule;

    (void)authz_grant(&fx, device);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    cr_assert(eq(u64, inside_last(&fx.inside)->capsule.witness.seq, 0)); /* none yet */
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    capsule = &inside_last(&fx.inside)->capsule;
    cr_assert(eq(u64, capsule->witness.seq, fx.inside.head.seq - 1));
    cr_assert(kw_id_equal(capsule->witness.core, fx.inside.head.core));
    cr_assert(kw_id_equal(capsule->witness.stream, fx.inside.head.stream));
    EVENTUALLY(&fx, authz_number(&fx, "SELECT coalesce(max(seq), 0) FROM witness") ==
                        (int64_t)fx.inside.head.seq);
    authz_fixture_restart(&fx);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    capsule = &inside_last(&fx.inside)->capsule;
    cr_assert(eq(u64, capsule->witness.seq, fx.inside.head.seq - 1));
}

/* What was made before says what the chain's head was then: perhaps of a core that is gone. */
Test(authz_access, an_old_head_is_no_witness)
{
    struct kw_witness before;
    struct answer answer;

    (void)authz_grant(&fx, device);
    (void)authz_access(&fx, device);
    before = fx.inside.head;
    MUST(kw_id_random(&fx.inside.head.core, err));
    fx.inside.claims_replay = true;
    answer = authz_access(&fx, device);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    (void)authz_access(&fx, device);
    cr_assert(kw_id_equal(inside_last(&fx.inside)->capsule.witness.core, before.core));
}

Test(authz_access, a_lagging_witness_is_cured_by_the_refusal_itself)
{
    size_t before;

    (void)authz_grant(&fx, device);
    before = fx.inside.count;
    fx.inside.refusals = 1;
    fx.inside.refusal = KW_E_RECEIPT_LAG;
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    cr_assert(eq(sz, fx.inside.count, before + 2));
    cr_assert(eq(u64, inside_last(&fx.inside)->capsule.witness.seq, 1));
    fx.inside.refusals = 2; /* twice is an answer */
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_RECEIPT_LAG));
}

/* --- the orchestrator is slow, gone, or the caller is --- */

Test(authz_access, a_caller_that_leaves_takes_its_inner_call_along)
{
    struct access_story story;
    struct answer answer = {0};
    struct inside_call *call;

    (void)authz_grant(&fx, device);
    call = held(&story, &answer);
    kw_hop_cancel(answer.call);
    EVENTUALLY(&fx, call->cancelled);
    EVENTUALLY(&fx, fx.authz->calls == 0);
}

Test(authz_access, a_deadline_ends_the_call_on_every_layer)
{
    struct access_story story;
    struct answer answer = {0};
    struct inside_call *call;

    (void)authz_grant(&fx, device);
    authz_access_story(&fx, &story, device);
    story.question.timeout_ms = 200;
    fx.inside.holds = true;
    authz_ask_start(&fx, &story.question, &answer);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_DEADLINE_EXCEEDED));
    call = inside_last(&fx.inside);
    EVENTUALLY(&fx, call->cancelled);
    EVENTUALLY(&fx, fx.authz->calls == 0);
}

Test(authz_access, without_the_orchestrator_keys_are_unavailable_and_revocation_works)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    const struct question status = {
        .method = KW_METHOD_GET_STATUS, .body = &body.base, .caller = &fx.officer};
    const Keyward__V1__GetStatusResponse *response;
    char *grant = authz_grant(&fx, device);
    struct answer answer;

    authz_inside_lose(&fx);
    answer = authz_access(&fx, device);
    cr_assert(eq(int, answer.reason, KW_E_PEER_UNAVAILABLE));
    cr_assert(eq(int, kw_reason_row(answer.reason)->grpc_code, KW_GRPC_UNAVAILABLE));
    cr_assert(eq(int, authz_grant_revoke(&fx, grant).reason, KW_E_NONE));
    cr_assert(eq(int, authz_partner_suspend(&fx, &fx.partner).reason, KW_E_NONE));
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_IDENTITY_INVALID));
    answer = authz_ask(&fx, &status);
    response = authz_message(&answer, &keyward__v1__get_status_response__descriptor);
    cr_assert(eq(int, response->state, KEYWARD__V1__SERVING_STATE__SERVING_STATE_NOT_SERVING));
    cr_assert(eq(sz, response->n_layers, 2));
    cr_assert(eq(sz, response->n_capabilities, 1));
    cr_assert(eq(int, response->capabilities[0], KEYWARD__V1__CAPABILITY__CAPABILITY_REVOCATION));
}

Test(authz_access, status_joins_its_own_layer_and_the_inner_ones)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    const struct question status = {
        .method = KW_METHOD_GET_STATUS, .body = &body.base, .caller = &fx.partner};
    struct answer answer = authz_ask(&fx, &status);
    const Keyward__V1__GetStatusResponse *response =
        authz_message(&answer, &keyward__v1__get_status_response__descriptor);

    cr_assert(eq(int, response->state, KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING));
    cr_assert(eq(sz, response->n_layers, 2));
    cr_assert(eq(str, response->layers[0]->layer, "authz"));
    cr_assert(eq(str, response->layers[1]->layer, "orchestrator"));
}
