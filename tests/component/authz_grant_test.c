/* Partners and grants: made once, read by whom they concern, changed with an eye on the etag; and
 * what a request id does. */
#include "tests/component/authz_fixture.h"

#include <keyward/v1/station_service.pb-c.h>

static struct authz_fixture fx;
static char *device;

static void init(void)
{
    authz_fixture_init(&fx);
    (void)authz_device(&fx, 7, &device);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_grants, .init = init, .fini = done, .timeout = 60);

static struct answer get_grant(const struct actor *caller, const char *name)
{
    Keyward__V1__GetGrantRequest body = KEYWARD__V1__GET_GRANT_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_GET_GRANT, .body = &body.base, .caller = caller};

    body.name = (char *)(uintptr_t)name;
    return authz_ask(&fx, &question);
}

static const Keyward__V1__Grant *grant_in(const struct answer *answer)
{
    return ((const Keyward__V1__GetGrantResponse *)authz_message(
                answer, &keyward__v1__get_grant_response__descriptor))
        ->grant;
}

/* --- request ids --- */

Test(authz_grants, a_request_id_has_one_effect_and_one_answer)
{
    struct grant_story story;
    struct answer first;
    struct answer again;

    authz_grant_story(&fx, &story, device);
    first = authz_grant_ask(&fx, &story);
    again = authz_grant_ask(&fx, &story); /* signed anew, with another not-after */
    cr_assert(first.reason == KW_E_NONE && !first.outcome->replayed);
    cr_assert(again.reason == KW_E_NONE && again.outcome->replayed);
    cr_assert(kw_bytes_equal(first.messages[0], again.messages[0]));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 1));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM audit"), 1));
}

Test(authz_grants, a_request_id_survives_a_restart)
{
    struct grant_story story;
    struct answer first;

    authz_grant_story(&fx, &story, device);
    first = authz_grant_ask(&fx, &story);
    authz_fixture_restart(&fx);
    cr_assert(kw_bytes_equal(first.messages[0], authz_grant_ask(&fx, &story).messages[0]));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 1));
}

Test(authz_grants, a_request_id_with_another_body_is_refused)
{
    struct grant_story story;

    authz_grant_story(&fx, &story, device);
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_NONE));
    story.request.justification = (char *)(uintptr_t) "ticket 2";
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_REQUEST_ID_REUSED));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 1));
    authz_denials_await(&fx, 1);
}

Test(authz_grants, a_request_id_is_its_callers_own)
{
    struct grant_story story;
    struct actor second;
    struct question question = {
        .method = KW_METHOD_CREATE_GRANT, .body = &story.request.base, .caller = &second};
    struct answer answer;

    authz_grant_story(&fx, &story, device);
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_NONE));
    authz_actor_make(&fx, KW_ROLE_OPERATOR, &second);
    authz_certificate_put(&fx, &second);
    answer = authz_ask(&fx, &question); /* the same id and body from somebody else: a grant more */
    cr_assert(answer.reason == KW_E_NONE && !answer.outcome->replayed);
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 2));
    authz_actor_done(&second);
}

Test(authz_grants, two_at_once_with_one_request_id_have_one_effect)
{
    struct grant_story story;
    struct question question = {
        .method = KW_METHOD_CREATE_GRANT, .body = &story.request.base, .caller = &fx.officer};
    struct answer answers[8] = {0};
    size_t replayed = 0;

    authz_grant_story(&fx, &story, device);
    for (size_t i = 0; i < 8; i++) {
        authz_ask_start(&fx, &question, &answers[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        authz_wait(&answers[i]);
        cr_assert(eq(int, answers[i].reason, KW_E_NONE));
        cr_assert(kw_bytes_equal(answers[i].messages[0], answers[0].messages[0]));
        replayed += answers[i].outcome->replayed ? 1 : 0;
    }
    cr_assert(eq(sz, replayed, 7));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 1));
}

Test(authz_grants, what_the_gateway_holds_is_released_but_not_sent_again)
{
    struct grant_story story;
    struct question question = {
        .method = KW_METHOD_CREATE_GRANT, .body = &story.request.base, .caller = &fx.officer};
    uint8_t digest[KW_SHA256_LEN];
    struct answer first;
    struct answer again;

    authz_grant_story(&fx, &story, device);
    first = authz_ask(&fx, &question);
    MUST(kw_sha256(first.messages[0], digest, err));
    question.cached_digest = KW_BYTES_OF(digest);
    again = authz_ask(&fx, &question);
    cr_assert(again.reason == KW_E_NONE && again.outcome->replayed);
    cr_assert(eq(sz, again.message_count, 0));
    digest[0] ^= 1; /* poisoned: authz answers itself */
    again = authz_ask(&fx, &question);
    cr_assert(again.outcome->replayed && again.message_count == 1);
    cr_assert(kw_bytes_equal(again.messages[0], first.messages[0]));
}

Test(authz_grants, a_poisoned_cache_makes_nothing_of_a_new_request)
{
    struct grant_story story;
    struct question question = {
        .method = KW_METHOD_CREATE_GRANT, .body = &story.request.base, .caller = &fx.officer};
    const uint8_t digest[KW_SHA256_LEN] = {1};
    struct answer answer;

    authz_grant_story(&fx, &story, device);
    question.cached_digest = KW_BYTES_OF(digest);
    answer = authz_ask(&fx, &question);
    cr_assert(answer.message_count == 1 && !answer.outcome->replayed);
}

Test(authz_grants, what_is_only_validated_leaves_nothing_behind)
{
    struct grant_story story;
    struct answer answer;
    const Keyward__V1__CreateGrantResponse *response;

    authz_grant_story(&fx, &story, device);
    story.request.validate_only = true;
    answer = authz_grant_ask(&fx, &story);
    response = authz_message(&answer, &keyward__v1__create_grant_response__descriptor);
    cr_assert(eq(str, response->grant->name, ""));
    cr_assert(eq(str, response->grant->purpose, "care"));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 0));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM requests"), 0));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM audit"), 0));
    story.request.validate_only = false; /* and its request id is unused */
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_NONE));
}

/* --- grants --- */

Test(authz_grants, a_grant_comes_back_as_it_was_made)
{
    struct grant_story story;
    char *regions[] = {(char *)(uintptr_t) "r1", (char *)(uintptr_t) "r2"};
    const Keyward__V1__Grant *grant;
    struct answer answer;

    authz_grant_story(&fx, &story, device);
    story.grant.n_operations = 2;
    story.grant.regions = regions;
    story.grant.n_regions = 2;
    story.quota.max_operations = 5;
    story.window.seconds = 60;
    story.quota.window = &story.window;
    story.grant.quota = &story.quota;
    answer = get_grant(&fx.officer, authz_grant_make(&fx, &story));
    grant = grant_in(&answer);
    cr_assert(eq(sz, grant->devices->n_devices, 1));
    cr_assert(eq(str, grant->devices->devices[0], device));
    cr_assert(grant->n_operations == 2 && grant->operations[1] == 2);
    cr_assert(grant->n_regions == 2 && strcmp(grant->regions[1], "r2") == 0);
    cr_assert(grant->quota->max_operations == 5 && grant->quota->window->seconds == 60);
    cr_assert(eq(i64, grant->end_time->seconds, story.end.seconds));
    cr_assert(eq(int, grant->state, KEYWARD__V1__GRANT_STATE__GRANT_STATE_ACTIVE));
}

static enum kw_reason changed(void (*change)(struct grant_story *story), const char *field)
{
    struct grant_story story;
    struct answer answer;

    authz_grant_story(&fx, &story, device);
    change(&story);
    answer = authz_grant_ask(&fx, &story);
    cr_assert(eq(str, answer.field, (char *)(uintptr_t)field));
    return answer.reason;
}

static void no_scope(struct grant_story *story)
{
    story->grant.scope_case = KEYWARD__V1__GRANT__SCOPE__NOT_SET;
}

static void device_twice(struct grant_story *story)
{
    story->device_names[1] = story->device_names[0];
    story->devices.n_devices = 2;
}

static void no_device(struct grant_story *story)
{
    story->devices.n_devices = 0;
}

static void no_operation(struct grant_story *story)
{
    story->grant.n_operations = 0;
}

static void operation_twice(struct grant_story *story)
{
    story->operations[1] = story->operations[0];
    story->grant.n_operations = 2;
}

static void unknown_operation(struct grant_story *story)
{
    story->operations[0] = (Keyward__V1__KeyOperation)31;
}

static void loud_purpose(struct grant_story *story)
{
    story->grant.purpose = (char *)(uintptr_t) "Care";
}

static void no_end(struct grant_story *story)
{
    story->grant.end_time = NULL;
}

static void past_end(struct grant_story *story)
{
    story->end.seconds -= 7200;
}

static void endless(struct grant_story *story)
{
    story->end.seconds += 6LL * 366 * 86400;
}

static void no_quota(struct grant_story *story)
{
    story->grant.quota = &story->quota;
}

static void named(struct grant_story *story)
{
    story->grant.etag = (char *)(uintptr_t) "x";
}

static void unjustified(struct grant_story *story)
{
    story->request.justification = (char *)(uintptr_t) "";
}

static void bad_parent(struct grant_story *story)
{
    story->request.parent = (char *)(uintptr_t) "partners/x";
}

Test(authz_grants, a_grant_is_read_strictly)
{
    const struct {
        void (*change)(struct grant_story *story);
        const char *field;
    } rows[] = {
        {no_scope, "grant.scope"},
        {device_twice, "grant.devices"},
        {no_device, "grant.devices"},
        {no_operation, "grant.operations"},
        {operation_twice, "grant.operations"},
        {unknown_operation, "grant.operations"},
        {loud_purpose, "grant.purpose"},
        {no_end, "grant.end_time"},
        {past_end, "grant.end_time"},
        {endless, "grant.end_time"},
        {no_quota, "grant.quota.max_operations"},
        {named, "grant"},
        {unjustified, "justification"},
        {bad_parent, "parent"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert(eq(int, changed(rows[i].change, rows[i].field), KW_E_ARGUMENT_INVALID));
    }
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 0));
}

Test(authz_grants, a_grant_is_for_a_partner_that_is_there)
{
    struct grant_story story;

    authz_grant_story(&fx, &story, device);
    story.request.parent = authz_name(&fx, KW_RESOURCE_PARTNER, fx.station.id);
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_NOT_FOUND));
}

/* --- what is not yours does not exist --- */

static void must_be_alike(const struct answer *absent, const struct answer *others)
{
    cr_assert(eq(int, absent->reason, KW_E_NOT_FOUND));
    cr_assert(eq(int, others->reason, KW_E_NOT_FOUND));
    cr_assert(eq(str, (char *)absent->field, (char *)others->field));
    cr_assert(eq(str, (char *)absent->description, (char *)others->description));
    cr_assert(eq(u32, absent->retry_ms, others->retry_ms));
    cr_assert(eq(sz, absent->message_count, others->message_count));
    cr_assert(absent->outcome == others->outcome); /* there is none */
}

Test(authz_grants, anothers_grant_and_none_are_told_apart_in_the_audit_only)
{
    const struct kw_resource_ids ids = {.id = {fx.other.id, {{1}}}};
    char none[KW_RESOURCE_NAME_SIZE];
    char *name = authz_grant(&fx, device);
    struct answer others = get_grant(&fx.other, name);
    struct answer absent;

    absent = get_grant(&fx.other, kw_resource_name(KW_RESOURCE_PARTNER_GRANT, &ids, none));
    must_be_alike(&absent, &others);
    authz_denials_await(&fx, 2);
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(DISTINCT detail) FROM denials"), 2));
    cr_assert(eq(int, get_grant(&fx.partner, name).reason, KW_E_NONE));
}

Test(authz_grants, a_partner_sees_itself_alone)
{
    Keyward__V1__GetPartnerRequest body = KEYWARD__V1__GET_PARTNER_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_GET_PARTNER, .body = &body.base, .caller = &fx.partner};
    struct answer own;
    struct answer others;
    struct answer absent;

    body.name = fx.partner.name;
    own = authz_ask(&fx, &question);
    body.name = fx.other.name;
    others = authz_ask(&fx, &question);
    body.name = authz_name(&fx, KW_RESOURCE_PARTNER, fx.product);
    absent = authz_ask(&fx, &question);
    cr_assert(eq(int, own.reason, KW_E_NONE));
    must_be_alike(&absent, &others);
}

/* --- revocation --- */

Test(authz_grants, a_grant_is_revoked_for_good_and_revoking_again_changes_nothing)
{
    char *name = authz_grant(&fx, device);
    struct answer first = authz_grant_revoke(&fx, name);
    struct answer again = authz_grant_revoke(&fx, name);

    cr_assert(eq(int, first.reason, KW_E_NONE));
    cr_assert(kw_bytes_equal(first.messages[0], again.messages[0]));
    cr_assert(eq(int, grant_in(&first)->state, KEYWARD__V1__GRANT_STATE__GRANT_STATE_REVOKED));
    cr_assert(eq(str, grant_in(&first)->revoke_justification, "over"));
}

Test(authz_grants, an_etag_of_before_is_refused)
{
    Keyward__V1__RevokeGrantRequest body = KEYWARD__V1__REVOKE_GRANT_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_REVOKE_GRANT, .body = &body.base, .caller = &fx.officer};
    struct answer before;

    body.name = authz_grant(&fx, device);
    before = get_grant(&fx.officer, body.name);
    body.etag = grant_in(&before)->etag;
    body.justification = (char *)(uintptr_t) "over";
    body.request_id = authz_request_id(&fx);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    body.request_id = authz_request_id(&fx);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ETAG_MISMATCH));
}

/* --- lists --- */

static struct answer list_grants(const struct actor *caller, Keyward__V1__ListGrantsRequest *body)
{
    const struct question question = {
        .method = KW_METHOD_LIST_GRANTS, .body = &body->base, .caller = caller};

    return authz_ask(&fx, &question);
}

static const Keyward__V1__ListGrantsResponse *grants_in(const struct answer *answer)
{
    return authz_message(answer, &keyward__v1__list_grants_response__descriptor);
}

Test(authz_grants, grants_are_listed_page_by_page_for_whom_they_concern)
{
    Keyward__V1__ListGrantsRequest body = KEYWARD__V1__LIST_GRANTS_REQUEST__INIT;
    size_t seen = 0;

    for (size_t i = 0; i < 5; i++) {
        (void)authz_grant(&fx, device);
    }
    body.parent = fx.partner.name;
    body.page_size = 2;
    for (size_t page = 0; page < 3; page++) {
        struct answer answer = list_grants(&fx.partner, &body);

        seen += grants_in(&answer)->n_grants;
        body.page_token = grants_in(&answer)->next_page_token;
    }
    cr_assert(eq(sz, seen, 5));
    cr_assert(eq(str, body.page_token, ""));
    body.page_size = 0;
    body.parent = (char *)(uintptr_t) "partners/-";
    cr_assert(eq(int, list_grants(&fx.partner, &body).reason, KW_E_NOT_FOUND));
    cr_assert(eq(int, list_grants(&fx.other, &body).reason, KW_E_NOT_FOUND));
    cr_assert(eq(int, list_grants(&fx.auditor, &body).reason, KW_E_NONE));
}

Test(authz_grants, a_page_of_long_grants_ends_early_and_loses_none, .timeout = 120)
{
    Keyward__V1__ListGrantsRequest body = KEYWARD__V1__LIST_GRANTS_REQUEST__INIT;
    char *names[KW_GRANT_DEVICES_MAX];
    size_t seen = 0;
    size_t pages = 0;

    for (size_t i = 0; i < KW_GRANT_DEVICES_MAX; i++) {
        const struct kw_id id = {{(uint8_t)(i >> 8), (uint8_t)i, 1}};

        names[i] = authz_name(&fx, KW_RESOURCE_DEVICE, id);
    }
    for (size_t i = 0; i < 20; i++) {
        struct grant_story story;

        authz_grant_story(&fx, &story, device);
        story.devices.devices = names;
        story.devices.n_devices = KW_GRANT_DEVICES_MAX;
        (void)authz_grant_make(&fx, &story);
    }
    body.parent = fx.partner.name;
    body.page_size = KW_PAGE_SIZE_MAX;
    do {
        struct answer answer = list_grants(&fx.officer, &body);

        cr_assert(le(sz, answer.messages[0].len, KW_BODY_LEN_MAX));
        seen += grants_in(&answer)->n_grants;
        body.page_token = grants_in(&answer)->next_page_token;
        pages++;
    } while (body.page_token[0] != '\0' && pages < 20);
    cr_assert(eq(sz, seen, 20));
    cr_assert(lt(sz, 2, pages));
}

/* Makes many at once: one commit for all. */
static void make_grants(size_t count)
{
    struct answer answers[50] = {0};

    for (size_t made = 0; made < count; made += 50) {
        for (size_t i = 0; i < 50; i++) {
            struct grant_story story;
            const struct question question = {.method = KW_METHOD_CREATE_GRANT,
                                              .body = &story.request.base,
                                              .caller = &fx.officer};

            authz_grant_story(&fx, &story, device);
            authz_ask_start(&fx, &question, &answers[i]);
        }
        for (size_t i = 0; i < 50; i++) {
            authz_wait(&answers[i]);
        }
    }
}

Test(authz_grants, a_page_of_a_thousand_short_grants_fits, .timeout = 120)
{
    Keyward__V1__ListGrantsRequest body = KEYWARD__V1__LIST_GRANTS_REQUEST__INIT;
    struct answer answer;
    size_t first;

    make_grants(KW_PAGE_SIZE_MAX + 50);
    body.parent = fx.partner.name;
    body.page_size = KW_PAGE_SIZE_MAX;
    answer = list_grants(&fx.officer, &body);
    first = grants_in(&answer)->n_grants;
    cr_assert(lt(sz, 500, first)); /* as many as 256 KiB hold */
    body.page_token = grants_in(&answer)->next_page_token;
    answer = list_grants(&fx.officer, &body);
    cr_assert(eq(sz, first + grants_in(&answer)->n_grants, KW_PAGE_SIZE_MAX + 50));
}

/* --- members --- */

Test(authz_grants, a_partner_is_made_once_and_found)
{
    Keyward__V1__CreatePartnerRequest body = KEYWARD__V1__CREATE_PARTNER_REQUEST__INIT;
    Keyward__V1__Partner partner = KEYWARD__V1__PARTNER__INIT;
    const struct question question = {
        .method = KW_METHOD_CREATE_PARTNER, .body = &body.base, .caller = &fx.officer};
    struct answer first;
    const Keyward__V1__CreatePartnerResponse *made;

    body.request_id = authz_request_id(&fx);
    body.partner = &partner;
    partner.display_name = (char *)(uintptr_t) "Nightingale";
    partner.contact = (char *)(uintptr_t) "ops@nightingale.example";
    first = authz_ask(&fx, &question);
    made = authz_message(&first, &keyward__v1__create_partner_response__descriptor);
    cr_assert(eq(int, made->partner->state, KEYWARD__V1__MEMBER_STATE__MEMBER_STATE_INVITED));
    cr_assert(kw_bytes_equal(first.messages[0], authz_ask(&fx, &question).messages[0]));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM members WHERE kind = 1"), 3));
    cr_assert(eq(str, authz_text_of(&fx, "SELECT subject FROM audit"), made->partner->name));
    partner.name = (char *)(uintptr_t) "partners/x"; /* output only */
    body.request_id = authz_request_id(&fx);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ARGUMENT_INVALID));
}

Test(authz_grants, the_audit_holds_what_the_operator_signed)
{
    struct grant_story story;
    struct answer answer;

    authz_grant_story(&fx, &story, device);
    answer = authz_grant_ask(&fx, &story);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(
        eq(i64,
           authz_number(&fx, "SELECT length(body) * 1000000 + length(signature) * 1000 +"
                             " CASE WHEN length(certificate) > 0 THEN 1 ELSE 0 END FROM audit"),
           (int64_t)(protobuf_c_message_get_packed_size(&story.request.base) * 1000000 +
                     answer.signature.len * 1000 + 1)));
}

Test(authz_grants, a_station_is_made_for_products)
{
    Keyward__V1__CreateStationRequest body = KEYWARD__V1__CREATE_STATION_REQUEST__INIT;
    Keyward__V1__Station station = KEYWARD__V1__STATION__INIT;
    char *products[] = {authz_name(&fx, KW_RESOURCE_PRODUCT, fx.product)};
    const struct question question = {
        .method = KW_METHOD_CREATE_STATION, .body = &body.base, .caller = &fx.officer};
    struct answer answer;
    const Keyward__V1__CreateStationResponse *made;

    body.request_id = authz_request_id(&fx);
    body.station = &station;
    station.display_name = (char *)(uintptr_t) "Line 3";
    answer = authz_ask(&fx, &question);
    cr_assert(eq(str, answer.field, "station.products"));
    station.products = products;
    station.n_products = 1;
    answer = authz_ask(&fx, &question);
    made = authz_message(&answer, &keyward__v1__create_station_response__descriptor);
    cr_assert(eq(str, made->station->products[0], products[0]));
}
