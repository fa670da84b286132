/* A fenced cell's late revocations: bundled there, brought here by an operator, in force here and everywhere. */
#include "common/feed/change_table.h"
#include "common/feed/feed_orphans.h"
#include "common/feed/intent.h"
#include "common/feed/lane_table.h"
#include "common/feed/orphans.h"
#include "common/sync/store_record.h"
#include "common/sync/version_vector.h"
#include "tests/component/authz_cells.h"

#include <keyward/v1/status_service.pb-c.h>

static struct authz_fixture a; /* is fenced at b, and goes on */
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

TestSuite(authz_orphans, .init = init, .fini = done, .timeout = 120);

static enum kw_reason access_at(struct authz_fixture *cell)
{
    struct access_story story;

    authz_access_story(cell, &story, device);
    story.question.caller = &a.partner;
    return authz_ask(cell, &story.question).reason;
}

static void reinstate(const struct actor *partner)
{
    Keyward__V1__ReinstatePartnerRequest body = KEYWARD__V1__REINSTATE_PARTNER_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_REINSTATE_PARTNER, .body = &body.base, .caller = &a.officer};

    body.request_id = authz_request_id(&a);
    body.name = partner->name;
    body.justification = (char *)(uintptr_t) "cleared";
    cr_assert(eq(int, authz_ask(&a, &question).reason, KW_E_NONE));
}

/* --- the fence --- */

static struct kw_result said_so_far(const struct kw_feed_tx *feed_tx, const void *what,
                                    struct kw_error *err)
{
    uint8_t *vector = (uint8_t *)(uintptr_t)what;
    struct kw_id lane;
    uint64_t seq;

    KW_TRY(kw_feed_said(feed_tx, &lane, &seq, err));
    kw_copy(vector, lane.bytes, KW_ID_LEN);
    kw_be64_store(vector + KW_ID_LEN, seq);
    return KW_OK;
}

static struct kw_result write_fence(const struct kw_feed_tx *feed_tx, const void *what,
                                    struct kw_error *err)
{
    struct kw_intent row =
        kw_intent(&kw_store_record, kw_id_bytes(&a.authz->feed.options.store), feed_tx->arena);

    kw_intent_u64(&row, KW_STORE_FIELD_STATE, KW_STORE_FENCED);
    kw_intent_bytes(&row, KW_STORE_FIELD_FENCE, KW_BYTES(what, KW_VECTOR_ENTRY_LEN));
    return kw_intent_say(&row, feed_tx, NULL, err);
}

static uint8_t fence[KW_VECTOR_ENTRY_LEN]; /* a vector */

/* What a has said so far is honoured. */
static void fence_a(void)
{
    feed_cell_meet(&cell_a, &cell_b);
    feed_cell_do(&cell_a, said_so_far, fence);
    feed_cell_do(&cell_b, write_fence, fence);
}

/* --- the bundle --- */

static struct kw_result take_out(const struct kw_feed_tx *feed_tx, const void *what,
                                 struct kw_error *err)
{
    struct kw_buf *file = (struct kw_buf *)(uintptr_t)what;
    struct kw_feed_orphans count;

    return kw_feed_orphans(feed_tx->feed, feed_tx->tx, &cell_a.key, feed_tx->wall_ms, file, &count,
                           err);
}

/* Both parts that are handed in, of the one lane, in one batch. */
struct parts {
    struct kw_buf file;
    struct kw_bytes bundle;
    struct kw_bytes batch;
};

static void bundle_of_a(struct parts *parts)
{
    struct kw_reader r;

    feed_cell_do(&cell_a, take_out, &parts->file);
    r = KW_READER(kw_buf_bytes(&parts->file));
    parts->bundle = kw_get_raw(&r, kw_get_u32(&r));
    parts->batch = kw_get_raw(&r, kw_get_u32(&r));
    cr_assert(not(r.failed));
    cr_assert(eq(sz, r.rest.len, 0));
}

static void parts_done(struct parts *parts)
{
    kw_buf_done(&parts->file);
}

static struct answer hand_in_as(const struct actor *caller, const struct parts *parts, bool dry)
{
    Keyward__V1__ReplayOrphansRequest body = KEYWARD__V1__REPLAY_ORPHANS_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_REPLAY_ORPHANS, .body = &body.base, .caller = caller};

    body.request_id = authz_request_id(&b);
    body.validate_only = dry;
    body.bundle = kw_field_bytes(parts->bundle);
    body.batch = kw_field_bytes(parts->batch);
    return authz_ask(&b, &question);
}

static const Keyward__V1__ReplayOrphansResponse *hand_in(const struct parts *parts, bool dry)
{
    struct answer answer = hand_in_as(&b.officer, parts, dry);

    cr_assert(eq(int, answer.reason, KW_E_NONE));
    return authz_message(&answer, &keyward__v1__replay_orphans_response__descriptor);
}

/* --- said again --- */

Test(authz_orphans, a_late_revocation_is_in_force_and_a_late_grant_is_not)
{
    KW_SCOPED(parts_done) struct parts parts = {0};
    char *grant = authz_grant(&a, device);
    const Keyward__V1__ReplayOrphansResponse *said;
    int64_t audited;

    fence_a();
    (void)authz_grant_revoke(&a, grant);
    (void)authz_grant(&a, device);
    bundle_of_a(&parts);
    cr_assert(eq(int, access_at(&b), KW_E_NONE));
    audited = authz_number(&b, "SELECT count(*) FROM audit");
    cr_assert(eq(u32, hand_in(&parts, true)->said, 1), "it would be");
    cr_assert(eq(int, access_at(&b), KW_E_NONE));
    said = hand_in(&parts, false);
    cr_assert(eq(u32, said->said, 1));
    cr_assert(eq(str, said->layer, "authz"));
    cr_assert(eq(int, access_at(&b), KW_E_NOT_FOUND));
    cr_assert(eq(i64, authz_number(&b, "SELECT count(*) FROM grants"), 1));
    cr_assert(eq(i64, authz_number(&b, "SELECT count(*) FROM audit"), audited + 1));
    cr_assert(eq(u32, hand_in(&parts, false)->said, 0), "twice is once");
}

static struct kw_id fenced_lane(void)
{
    struct kw_id lane;

    cr_assert(kw_ok(kw_id_from_bytes(KW_BYTES(fence, KW_ID_LEN), &lane, NULL)));
    return lane;
}

static uint64_t first_beyond(void)
{
    return kw_vector_get(KW_BYTES_OF(fence), fenced_lane()) + 1;
}

/* The first change beyond the fence is gone there. */
static struct kw_result lose_first(const struct kw_feed_tx *feed_tx, const void *what,
                                   struct kw_error *err)
{
    struct kw_lane_point first = {.seq = first_beyond()};
    bool found;

    (void)what;
    KW_TRY(kw_change_chain(feed_tx->tx, fenced_lane(), first.seq, first.chain, &found, err));
    cr_assert(found);
    return kw_lane_row_set_floor(feed_tx->tx, fenced_lane(), &first, err);
}

Test(authz_orphans, what_is_missing_is_told_and_the_rest_is_in_force)
{
    KW_SCOPED(parts_done) struct parts parts = {0};
    char *grant = authz_grant(&a, device);
    const Keyward__V1__ReplayOrphansResponse *said;

    fence_a();
    (void)authz_grant(&a, device);
    (void)authz_grant_revoke(&a, grant);
    feed_cell_do(&cell_a, lose_first, NULL);
    bundle_of_a(&parts);
    said = hand_in(&parts, false);
    cr_assert(eq(u32, said->said, 1));
    cr_assert(eq(u64, said->missing_first, first_beyond()));
    cr_assert(eq(u64, said->missing_last, said->missing_first));
    cr_assert(kw_bytes_equal(kw_bytes_field(said->lane), KW_BYTES(fence, KW_ID_LEN)));
    cr_assert(eq(int, access_at(&b), KW_E_NOT_FOUND));
}

Test(authz_orphans, what_is_left_is_told_by_table_and_digest)
{
    KW_SCOPED(parts_done) struct parts parts = {0};
    const Keyward__V1__ReplayOrphansResponse *said;
    bool grants = false;

    fence_a();
    (void)authz_grant(&a, device);
    bundle_of_a(&parts);
    said = hand_in(&parts, false);
    cr_assert(eq(u32, said->said, 0));
    for (size_t i = 0; i < said->n_changes; i++) {
        const Keyward__V1__OrphanChange *change = said->changes[i];

        cr_assert(eq(sz, change->key_digest.len, KW_SHA256_LEN));
        cr_assert(lt(i64, 0, change->time->seconds));
        grants = grants || (strcmp(change->table, "grants") == 0 &&
                            change->state == KEYWARD__V1__ORPHAN_STATE__ORPHAN_STATE_LEFT);
    }
    cr_assert(grants);
}

Test(authz_orphans, a_late_suspension_is_in_force_and_a_late_reinstatement_is_not)
{
    KW_SCOPED(parts_done) struct parts parts = {0};

    (void)authz_partner_suspend(&a, &a.partner);
    fence_a();
    (void)authz_partner_suspend(&a, &a.other);
    reinstate(&a.partner);
    bundle_of_a(&parts);
    cr_assert(eq(i64, authz_number(&b, "SELECT count(*) FROM members WHERE suspended = 1"), 1));
    cr_assert(eq(u32, hand_in(&parts, false)->said, 1));
    cr_assert(eq(i64, authz_number(&b, "SELECT count(*) FROM members WHERE suspended = 1"), 2));
}

Test(authz_orphans, an_answer_under_way_is_dropped_when_the_revocation_comes)
{
    KW_SCOPED(parts_done) struct parts parts = {0};
    char *grant = authz_grant(&a, device);
    struct access_story story;
    struct answer answer = {0};
    struct inside_call *held;

    fence_a();
    (void)authz_grant_revoke(&a, grant);
    bundle_of_a(&parts);
    authz_access_story(&b, &story, device);
    story.question.caller = &a.partner;
    b.inside.holds = true;
    authz_ask_start(&b, &story.question, &answer);
    EVENTUALLY(&b, b.inside.count == 1);
    held = inside_last(&b.inside);
    b.inside.holds = false;
    (void)hand_in(&parts, false);
    inside_answer(held);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NOT_FOUND));
}

/* --- refused --- */

Test(authz_orphans, they_are_handed_in_by_operators_alone)
{
    KW_SCOPED(parts_done) struct parts parts = {0};

    fence_a();
    (void)authz_grant(&a, device);
    bundle_of_a(&parts);
    cr_assert(eq(int, hand_in_as(&b.auditor, &parts, false).reason, KW_E_PERMISSION_DENIED));
    cr_assert(eq(int, hand_in_as(&b.partner, &parts, false).reason, KW_E_PERMISSION_DENIED));
}

Test(authz_orphans, each_refusal_has_a_name)
{
    KW_SCOPED(parts_done) struct parts parts = {0};
    struct parts none = {.bundle = kw_bytes_str("none"), .batch = kw_bytes_str("none")};

    (void)authz_grant(&a, device);
    feed_cell_meet(&cell_a, &cell_b);
    bundle_of_a(&parts);
    cr_assert(eq(int, hand_in_as(&b.officer, &parts, false).reason, KW_E_STATE_CONFLICT),
              "it is not fenced");
    cr_assert(eq(int, hand_in_as(&b.officer, &none, false).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, hand_in_as(&b.officer, &none, true).field, "bundle"));
}

static void garbled(struct inside_call *call)
{
    call->messages[0] = kw_bytes_str("\xff");
}

/* A store that nobody here has heard of; and an orchestrator that fails. */
Test(authz_orphans, a_bundle_of_nobody_is_told_and_what_the_orchestrator_says_must_be_an_answer)
{
    struct kw_orphans nobody = {.mesh = b.authz->feed.options.mesh, .store = {{7}}};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct parts parts = {.batch = kw_bytes_str("none")};

    MUST(kw_orphans_sign(&nobody, &cell_a.key, &record, err));
    parts.bundle = kw_buf_bytes(&record);
    cr_assert(eq(int, hand_in_as(&b.officer, &parts, false).reason, KW_E_NOT_FOUND));
    b.inside.refusals = 1;
    b.inside.refusal = KW_E_STORE_UNAVAILABLE;
    cr_assert(eq(int, hand_in_as(&b.officer, &parts, false).reason, KW_E_STORE_UNAVAILABLE));
    b.inside.spoil = garbled;
    cr_assert(ne(int, hand_in_as(&b.officer, &parts, false).reason, KW_E_NONE));
}
