/* Two cells' authz, and what one decides by what was said in the other. */
#include "common/feed/intent.h"
#include "services/authz/grant_table.h"
#include "services/authz/member_merge.h"
#include "tests/component/authz_cells.h"
#include "tests/support/faults.h"

#include <keyward/v1/status_service.pb-c.h>

static struct authz_fixture a;
static struct authz_fixture b;
static struct feed_cell cell_a;
static struct feed_cell cell_b;
static char *device;

static void init(void)
{
    authz_cells_init(&a, &cell_a, &b, &cell_b);
    (void)authz_device(&a, 7, &device);
}

static void done(void)
{
    authz_cells_done(&a, &cell_a, &b, &cell_b);
}

TestSuite(authz_cells, .init = init, .fini = done, .timeout = 120);

/* --- asking either --- */

static enum kw_reason status(struct authz_fixture *cell, const struct actor *caller)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_GET_STATUS, .body = &body.base, .caller = caller};

    return authz_ask(cell, &question).reason;
}

static enum kw_reason access_by(struct authz_fixture *cell, const struct actor *partner)
{
    struct access_story story;

    authz_access_story(cell, &story, device);
    story.question.caller = partner;
    return authz_ask(cell, &story.question).reason;
}

/* By an officer of that cell, whose partner need not be the cell's own. */
static enum kw_reason reinstate(struct authz_fixture *cell, const struct actor *partner)
{
    Keyward__V1__ReinstatePartnerRequest body = KEYWARD__V1__REINSTATE_PARTNER_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_REINSTATE_PARTNER, .body = &body.base, .caller = &cell->officer};

    body.request_id = authz_request_id(cell);
    body.name = partner->name;
    body.justification = (char *)(uintptr_t) "cleared";
    return authz_ask(cell, &question).reason;
}

/* --- members, certificates, officers --- */

Test(authz_cells, who_was_made_a_member_here_may_call_there)
{
    cr_assert(eq(int, status(&b, &a.partner), KW_E_IDENTITY_INVALID));
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, status(&b, &a.partner), KW_E_NONE));
    cr_assert(eq(int, status(&a, &b.partner), KW_E_NONE));
}

Test(authz_cells, an_officer_of_one_cell_acts_in_the_other_and_after_a_restart)
{
    cr_assert(eq(int, status(&b, &a.officer), KW_E_IDENTITY_INVALID));
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, status(&b, &a.officer), KW_E_NONE));
    authz_fixture_restart(&b); /* its directories do not list him */
    cr_assert(eq(int, status(&b, &a.officer), KW_E_NONE));
}

Test(authz_cells, who_is_suspended_here_is_refused_there_at_once)
{
    uint64_t epoch;

    feed_cell_meet(&cell_a, &cell_b);
    epoch = b.authz->epoch;
    cr_assert(eq(int, authz_partner_suspend(&a, &a.partner).reason, KW_E_NONE));
    cr_assert(eq(sz, feed_cell_tell_urgent(&cell_a, &cell_b), 1)); /* its lane is behind */
    cr_assert(eq(int, status(&b, &a.partner), KW_E_IDENTITY_INVALID));
    cr_assert(lt(u64, epoch, b.authz->epoch));
    epoch = b.authz->epoch;
    cr_assert(eq(int, reinstate(&a, &a.partner), KW_E_NONE));
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, status(&b, &a.partner), KW_E_NONE));
    cr_assert(eq(u64, b.authz->epoch, epoch)); /* nothing was disabled by that */
}

Test(authz_cells, a_revocation_may_come_before_the_certificate)
{
    authz_certificate_revoke(&a, &a.partner);
    cr_assert(eq(sz, feed_cell_tell_urgent(&cell_a, &cell_b), 1));
    cr_assert(eq(i64, authz_number(&b, "SELECT count(*) FROM certificates WHERE revoked = 1"), 0));
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(i64, authz_number(&b, "SELECT count(*) FROM certificates WHERE revoked = 1"), 1));
    cr_assert(eq(int, status(&b, &a.partner), KW_E_IDENTITY_INVALID));
}

Test(authz_cells, a_suspension_survives_who_reinstates_without_knowing_it)
{
    feed_cell_meet(&cell_a, &cell_b);
    (void)authz_partner_suspend(&a, &a.partner);
    feed_cell_meet(&cell_a, &cell_b);
    (void)authz_partner_suspend(&b, &a.partner); /* once more, for another reason */
    cr_assert(eq(int, reinstate(&a, &a.partner), KW_E_NONE));
    cr_assert(eq(int, status(&a, &a.partner), KW_E_NONE));
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, status(&a, &a.partner), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, status(&b, &a.partner), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, reinstate(&a, &a.partner), KW_E_NONE)); /* who knows both lifts both */
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, status(&b, &a.partner), KW_E_NONE));
}

/* --- grants --- */

Test(authz_cells, a_grant_made_here_is_used_there_until_it_is_revoked_here)
{
    char *grant = authz_grant(&a, device);

    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, access_by(&b, &a.partner), KW_E_NONE));
    cr_assert(eq(int, authz_grant_revoke(&a, grant).reason, KW_E_NONE));
    cr_assert(eq(sz, feed_cell_tell_urgent(&cell_a, &cell_b), 1));
    cr_assert(eq(int, access_by(&b, &a.partner), KW_E_NOT_FOUND));
}

/* By a clock that is ahead. */
static struct kw_result revoke_ahead(const struct kw_feed_tx *feed_tx, const void *what,
                                     struct kw_error *err)
{
    struct kw_resource_ids ids;

    KW_TRY(kw_resource_parse(KW_RESOURCE_PARTNER_GRANT, what, &ids, err));
    return kw_grant_revoke(feed_tx, ids.id[1], feed_tx->wall_ms + 60000, "first", err);
}

Test(authz_cells, a_revocation_keeps_its_words_when_it_is_said_again_by_a_clock_that_is_behind)
{
    static const char kept[] = "SELECT count(*) FROM grants WHERE revoke_justification = 'first'";
    char *grant = authz_grant(&a, device);

    feed_cell_meet(&cell_a, &cell_b);
    feed_cell_do(&cell_b, revoke_ahead, grant);
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, authz_grant_revoke(&a, grant).reason, KW_E_NONE));
    cr_assert(eq(sz, feed_cell_tell_urgent(&cell_a, &cell_b), 1)); /* it is said again */
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(i64, authz_number(&a, kept), 1));
    cr_assert(eq(i64, authz_number(&b, kept), 1));
}

Test(authz_cells, an_answer_under_way_there_is_dropped_when_the_revocation_comes)
{
    char *grant = authz_grant(&a, device);
    struct access_story story;
    struct answer answer = {0};

    feed_cell_meet(&cell_a, &cell_b);
    authz_access_story(&b, &story, device);
    story.question.caller = &a.partner;
    b.inside.holds = true;
    authz_ask_start(&b, &story.question, &answer);
    EVENTUALLY(&b, b.inside.count == 1);
    (void)authz_grant_revoke(&a, grant);
    cr_assert(eq(sz, feed_cell_tell_urgent(&cell_a, &cell_b), 1));
    inside_answer(inside_last(&b.inside));
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NOT_FOUND));
    cr_assert(eq(sz, answer.message_count, 0));
}

static struct kw_result revoke_all(const struct kw_feed_tx *feed_tx, const void *what,
                                   struct kw_error *err)
{
    const struct kw_id *partner = what;
    struct kw_intent intent = kw_intent(&kw_member_record, kw_id_bytes(partner), feed_tx->arena);

    kw_intent_count(&intent, KW_MEMBER_FIELD_REVOKE_ALL, feed_tx->feed->options.store, 1);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

Test(authz_cells, all_grants_revoked_there_reaches_one_that_is_made_here_meanwhile)
{
    feed_cell_meet(&cell_a, &cell_b);
    feed_cell_do(&cell_b, revoke_all, &a.partner.id);
    (void)authz_grant(&a, device); /* in no knowledge of it */
    cr_assert(eq(int, access_by(&a, &a.partner), KW_E_NONE));
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, access_by(&a, &a.partner), KW_E_NOT_FOUND));
    cr_assert(eq(int, access_by(&b, &a.partner), KW_E_NOT_FOUND));
    cr_assert(eq(i64, authz_number(&a, "SELECT count(*) FROM grants WHERE overruled = 1"), 1));
    (void)authz_grant(&a, device); /* and now in knowledge of it */
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, access_by(&a, &a.partner), KW_E_NONE));
    cr_assert(eq(int, access_by(&b, &a.partner), KW_E_NONE));
}

Test(authz_cells, a_fact_known_here_is_in_the_capsules_of_the_other_cell)
{
    (void)authz_grant(&a, device);
    authz_facts_put(&a, 7, 1, 2);
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, access_by(&b, &a.partner), KW_E_NONE));
    cr_assert(eq(int, inside_last(&b.inside)->capsule.disabled_count, 2));
}

/* --- quotas --- */

static void grant_with_quota(uint64_t max)
{
    struct grant_story story;

    authz_grant_story(&a, &story, device);
    story.grant.quota = &story.quota;
    story.quota.max_operations = max;
    (void)authz_grant_make(&a, &story);
    feed_cell_meet(&cell_a, &cell_b);
}

static void written(struct authz_fixture *cell, int64_t used)
{
    EVENTUALLY(cell, authz_number(cell, "SELECT coalesce(max(used), 0) FROM quotas") == used);
}

Test(authz_cells, what_both_cells_use_of_a_quota_adds_up)
{
    faults_off(); /* each attempt is one of four */
    grant_with_quota(4);
    cr_assert(eq(int, access_by(&a, &a.partner), KW_E_NONE));
    cr_assert(eq(int, access_by(&a, &a.partner), KW_E_NONE));
    cr_assert(eq(int, access_by(&b, &a.partner), KW_E_NONE));
    written(&a, 2);
    written(&b, 1);
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, access_by(&b, &a.partner), KW_E_NONE)); /* the fourth */
    cr_assert(eq(int, access_by(&b, &a.partner), KW_E_QUOTA_EXCEEDED));
    written(&b, 4);
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, access_by(&a, &a.partner), KW_E_QUOTA_EXCEEDED));
    authz_fixture_restart(&a); /* the same from the table */
    cr_assert(eq(int, access_by(&a, &a.partner), KW_E_QUOTA_EXCEEDED));
}

Test(authz_cells, however_often_it_is_used_here_it_is_told_there)
{
    grant_with_quota(1000);
    cr_assert(eq(int, access_by(&a, &a.partner), KW_E_NONE));
    EVENTUALLY(&a, authz_number(&a, "SELECT count(*) FROM quotas") == 1);
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(i64, authz_number(&b, "SELECT max(used) FROM quotas"),
                 authz_number(&a, "SELECT max(used) FROM quotas")));
}

/* --- the same request in two cells --- */

static struct question create_partner(Keyward__V1__CreatePartnerRequest *body,
                                      Keyward__V1__Partner *partner, const char *name)
{
    keyward__v1__create_partner_request__init(body);
    keyward__v1__partner__init(partner);
    partner->display_name = (char *)(uintptr_t)name;
    partner->contact = (char *)(uintptr_t) "a@acme.example";
    body->partner = partner;
    return (struct question){
        .method = KW_METHOD_CREATE_PARTNER, .body = &body->base, .caller = &a.officer};
}

static struct kw_bytes answered(struct authz_fixture *cell, const struct question *question)
{
    struct answer answer = authz_ask(cell, question);

    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(sz, answer.message_count, 1));
    return answer.messages[0];
}

Test(authz_cells, a_request_done_in_two_cells_has_one_answer_afterwards)
{
    Keyward__V1__CreatePartnerRequest body;
    Keyward__V1__Partner partner;
    struct question question = create_partner(&body, &partner, "Acme");
    struct kw_bytes first;

    feed_cell_meet(&cell_a, &cell_b);
    body.request_id = authz_request_id(&a);
    first = answered(&a, &question);
    cr_assert(not(kw_bytes_equal(answered(&b, &question), first))); /* it has not heard of it */
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(kw_bytes_equal(answered(&a, &question), first));
    cr_assert(kw_bytes_equal(answered(&b, &question), first));
    cr_assert(eq(i64, authz_number(&b, "SELECT count(*) FROM requests"), 1));
}

Test(authz_cells, one_id_for_two_requests_in_two_cells_stands_for_the_earlier)
{
    Keyward__V1__CreatePartnerRequest bodies[2];
    Keyward__V1__Partner partners[2];
    const struct question here = create_partner(&bodies[0], &partners[0], "Acme");
    const struct question there = create_partner(&bodies[1], &partners[1], "Other");
    struct kw_bytes first;

    feed_cell_meet(&cell_a, &cell_b);
    bodies[0].request_id = authz_request_id(&a);
    bodies[1].request_id = bodies[0].request_id;
    first = answered(&a, &here);
    (void)answered(&b, &there);
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(kw_bytes_equal(answered(&b, &here), first));
    cr_assert(eq(int, authz_ask(&b, &there).reason, KW_E_REQUEST_ID_REUSED));
    cr_assert(eq(int, authz_ask(&a, &there).reason, KW_E_REQUEST_ID_REUSED));
}
