/* What authz is told and asked that does not fit: answers from inside that are not those to the question, and rows that
 * are not there although others say so. Refused, and nothing of it is believed. */
#include "services/authz/capsules.h"
#include "services/authz/inner.h"
#include "tests/component/authz_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/provisioning_service.pb-c.h>
#include <keyward/v1/status_service.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

static struct authz_fixture fx;
static char *device;

static void init(void)
{
    authz_fixture_init(&fx);
    faults_off(); /* what the orchestrator plays once is not for two attempts */
    (void)authz_device(&fx, 7, &device);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_odd, .init = init, .fini = done, .timeout = 60);

/* --- from inside --- */

static void no_message(struct inside_call *call)
{
    call->message_count = 0;
}

static void empty_message(struct inside_call *call)
{
    call->messages[0].len = 0;
}

static void garbled_message(struct inside_call *call)
{
    call->messages[0] = kw_bytes_str("\xff\xff\xff\xff");
}

static void one_message_too_many(struct inside_call *call)
{
    while (call->message_count <= KW_INNER_MESSAGES_MAX) {
        call->messages[call->message_count++] = call->messages[0];
    }
}

/* What is answered so is not believed; asked again it is done. */
static void check_spoiled(const struct question *question, void (*spoil)(struct inside_call *call))
{
    struct answer answer;

    fx.inside.spoil = spoil;
    answer = authz_ask(&fx, question);
    cr_assert(ne(int, answer.reason, KW_E_NONE));
    cr_assert(fx.inside.spoil == NULL && answer.message_count == 0);
    cr_assert(eq(int, authz_ask(&fx, question).reason, KW_E_NONE));
}

static struct question release_question(Keyward__V1__ReleaseBatchRequest *body)
{
    struct kw_id batch;

    MUST(kw_id_random(&batch, err));
    keyward__v1__release_batch_request__init(body);
    body->request_id = authz_request_id(&fx);
    body->name = authz_name(&fx, KW_RESOURCE_BATCH, batch);
    return (struct question){
        .method = KW_METHOD_RELEASE_BATCH, .body = &body->base, .caller = &fx.station};
}

Test(authz_odd, a_range_that_says_nothing_is_not_added_up)
{
    Keyward__V1__ReleaseBatchRequest body;
    struct question question = release_question(&body);

    check_spoiled(&question, no_message);
    question = release_question(&body);
    check_spoiled(&question, empty_message);
    question = release_question(&body);
    check_spoiled(&question, garbled_message);
}

Test(authz_odd, a_status_that_says_nothing_is_not_joined)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_GET_STATUS, .body = &body.base, .caller = &fx.officer};

    check_spoiled(&question, no_message);
    check_spoiled(&question, garbled_message);
}

Test(authz_odd, an_answer_of_more_messages_than_any_has_is_none)
{
    Keyward__V1__ReleaseBatchRequest body;
    const struct question question = release_question(&body);

    fx.inside.spoil = one_message_too_many;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_LIMIT_REACHED)); /* not even kept */
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

/* --- questions --- */

Test(authz_odd, a_call_without_a_request_is_none)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_GET_STATUS, .body = &body.base, .caller = &fx.officer, .no_item = true};

    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ENCODING_INVALID));
}

Test(authz_odd, a_certificate_without_its_member_is_nobodys)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    struct actor ghost;
    const struct question question = {
        .method = KW_METHOD_GET_STATUS, .body = &body.base, .caller = &ghost};

    authz_actor_make(&fx, KW_ROLE_PARTNER, &ghost);
    authz_certificate_put(&fx, &ghost);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_IDENTITY_INVALID));
    authz_actor_done(&ghost);
}

Test(authz_odd, a_member_that_is_of_the_other_kind_is_not_there)
{
    Keyward__V1__GetPartnerRequest body = KEYWARD__V1__GET_PARTNER_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_GET_PARTNER, .body = &body.base, .caller = &fx.officer};

    body.name = authz_name(&fx, KW_RESOURCE_PARTNER, fx.station.id);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NOT_FOUND));
}

Test(authz_odd, a_grant_names_a_batch_and_a_time_that_can_be)
{
    struct grant_story story;
    Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

    authz_grant_story(&fx, &story, device);
    story.grant.scope_case = KEYWARD__V1__GRANT__SCOPE_BATCH;
    story.grant.batch = device;
    cr_assert(eq(str, authz_grant_ask(&fx, &story).field, "grant.batch"));
    authz_grant_story(&fx, &story, device);
    story.grant.start_time = &start;
    start.nanos = -1;
    cr_assert(eq(str, authz_grant_ask(&fx, &story).field, "grant.start_time"));
}

Test(authz_odd, a_station_makes_nothing_before_its_transport_key_is_confirmed)
{
    Keyward__V1__CreateBatchRequest body = KEYWARD__V1__CREATE_BATCH_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_CREATE_BATCH, .body = &body.base, .caller = &fx.station};

    body.request_id = authz_request_id(&fx);
    body.product = authz_name(&fx, KW_RESOURCE_PRODUCT, fx.product);
    body.lot = (char *)(uintptr_t) "LOT 1";
    body.count = 1;
    authz_exec(&fx, "UPDATE members SET confirmed_version = 0");
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_TRANSPORT_KEY_UNCONFIRMED));
}

/* --- asked again --- */

static void nothing(void)
{
}

static void forget_grants(void)
{
    authz_exec(&fx, "DELETE FROM grant_devices");
    authz_exec(&fx, "DELETE FROM grants");
}

static void unconfirm(void)
{
    authz_exec(&fx, "UPDATE members SET confirmed_version = 0");
}

/* What a use is answered while which another grant was revoked, so that it is asked again, and something else happened;
 * `scope`: where something fails then. */
static enum kw_reason use_with(void (*meanwhile)(void), const char *scope)
{
    struct access_story story;
    struct answer answer = {0};
    char *other;
    char *grant;

    (void)authz_device(&fx, 8, &other);
    grant = authz_grant(&fx, other);
    authz_access_story(&fx, &story, device);
    fx.inside.holds = true;
    authz_ask_start(&fx, &story.question, &answer);
    EVENTUALLY(&fx, inside_last(&fx.inside) != NULL && inside_last(&fx.inside)->hop != NULL);
    fx.inside.holds = false;
    (void)authz_grant_revoke(&fx, grant);
    meanwhile();
    if (scope != NULL) {
        faults_arm_at(scope);
    }
    inside_answer(inside_last(&fx.inside));
    authz_wait(&answer);
    cr_assert(eq(sz, answer.message_count, answer.reason == KW_E_NONE ? 1 : 0));
    return answer.reason;
}

Test(authz_odd, what_is_gone_when_it_is_asked_again_is_not_delivered)
{
    (void)authz_grant(&fx, device);
    cr_assert(eq(int, use_with(nothing, NULL), KW_E_NONE));
    cr_assert(eq(int, use_with(forget_grants, NULL), KW_E_NOT_FOUND));
    (void)authz_grant(&fx, device);
    cr_assert(eq(int, use_with(unconfirm, NULL), KW_E_TRANSPORT_KEY_UNCONFIRMED));
}

#ifdef KW_FAULTS_PLANTED
Test(authz_odd, what_cannot_be_asked_again_is_not_delivered)
{
    static const char *const scopes[] = {"services/authz/access_item.c",
                                         "services/authz/disabled_table.c"};
    size_t failed = 0;

    (void)authz_grant(&fx, device);
    for (size_t i = 0; i < 2; i++) {
        bool fired = true;

        while (fired) {
            enum kw_reason reason = use_with(nothing, scopes[i]);

            fired = faults_disarm();
            cr_assert(eq(int, reason, fired ? KW_E_MEMORY : KW_E_NONE));
            failed += fired ? 1 : 0;
        }
    }
    cr_assert(getenv("KEYWARD_FAULTS") != NULL || failed >= 4);
}
#endif

/* --- starting --- */

Test(authz_odd, a_key_that_cannot_seal_is_not_taken)
{
    struct kw_capsules capsules = {0};
    struct kw_credentials credentials = {.key = {.curve = KW_CURVE_P384}};

    cr_assert(
        eq(int, kw_capsules_renew(&capsules, &credentials, NULL).reason, KW_E_CONFIG_INVALID));
}

Test(authz_odd, an_officers_file_with_a_path_too_long_is_refused)
{
    char *dir = kw_arena_alloc(fx.arena, 4096);
    size_t len = (size_t)snprintf(dir, 4096, "%s/officers", fx.dir);
    char *name = kw_arena_printf(fx.arena, "officers/%0240d.pem", 0);

    authz_officer_file(&fx, name, &fx.officer);
    while (len < 3900) {
        len += (size_t)snprintf(dir + len, 4096 - len, "/.");
    }
    fx.config.officers_dir = dir;
    cr_assert(eq(int, authz_fixture_start_fails(&fx), KW_E_CONFIG_INVALID));
}
