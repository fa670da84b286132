/* What a receiver makes of a batch: each verdict, and each thing that a hostile or mistaken peer could
 * try. */
#include "common/base/limits.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

static struct kw_lane_finding finding_of(const struct kw_lane_held *held,
                                         const struct kw_lane_batch *batch)
{
    struct kw_lane_finding finding;

    MUST(kw_lane_check(held, batch, &finding, err));
    return finding;
}

/* The verdict, of a batch that is refused: then nothing that is held has changed. */
static enum kw_lane_verdict refusal(const struct kw_lane_held *held,
                                    const struct kw_lane_batch *batch)
{
    struct kw_lane_finding finding = finding_of(held, batch);

    cr_expect(kw_lane_point_equal(&finding.point, &held->point));
    cr_expect_eq(finding.closed, held->closed);
    cr_expect_eq(finding.skip, 0);
    cr_expect_not(finding.late);
    return finding.verdict;
}

static void expect_news(const struct lane_owner *owner, size_t at, size_t from, size_t to)
{
    struct kw_lane_held held = lane_held(owner, at);
    struct kw_lane_batch batch = lane_batch(owner, from, to);
    struct kw_lane_finding finding = finding_of(&held, &batch);

    cr_expect_eq(finding.verdict, KW_LANE_NEWS, "%zu: %zu..%zu", at, from, to);
    cr_expect_eq(finding.skip, at - from);
    cr_expect(kw_lane_point_equal(&finding.point, &owner->points[to]));
    cr_expect_eq(finding.closed, lane_closed(to));
    cr_expect_not(finding.late);
}

Test(lane_check, what_continues_is_news_from_where_it_is_new)
{
    struct lane_owner owner = lane_owner_new(8);

    for (size_t at = 0; at < 8; at++) {
        for (size_t from = 0; from <= at; from++) {
            expect_news(&owner, at, from, 8);
        }
    }
}

Test(lane_check, a_duplicate_and_a_replay_are_known)
{
    struct lane_owner owner = lane_owner_new(8);

    for (size_t from = 0; from <= 8; from++) {
        for (size_t to = from; to <= 8; to++) {
            struct kw_lane_held held = lane_held(&owner, 8);
            struct kw_lane_batch batch = lane_batch(&owner, from, to);

            cr_expect_eq(refusal(&held, &batch), KW_LANE_KNOWN, "its chain is not kept");
            held.chain_there = owner.points[to].chain;
            cr_expect_eq(refusal(&held, &batch), KW_LANE_KNOWN, "its chain is kept");
        }
    }
}

Test(lane_check, missing_changes_are_a_gap_and_move_nothing)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 3);

    for (size_t from = 4; from <= 8; from++) {
        struct kw_lane_batch batch = lane_batch(&owner, from, 8);

        cr_assert_eq(refusal(&held, &batch), KW_LANE_GAP, "%zu", from);
    }
}

/* --- heartbeats --- */

static struct kw_lane_batch heartbeat(const struct lane_owner *owner, size_t seq, uint64_t closed)
{
    struct kw_lane_batch batch = {.from = owner->points[seq],
                                  .head_record = lane_head(owner, seq, closed)};
    struct kw_buf record = {0};

    MUST(kw_lane_batch_encode(&batch, &record, err));
    return lane_batch_read(value_keep(&record));
}

Test(lane_check, a_heartbeat_moves_closed_alone)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 8);
    struct kw_lane_batch batch = heartbeat(&owner, 8, 4000);
    struct kw_lane_finding finding = finding_of(&held, &batch);

    cr_assert_eq(finding.verdict, KW_LANE_KNOWN);
    cr_assert(kw_lane_point_equal(&finding.point, &held.point));
    cr_assert_eq(finding.closed, 4000);
}

Test(lane_check, the_heartbeat_of_an_empty_lane_moves_closed_too)
{
    struct lane_owner owner = lane_owner_new(0);
    struct kw_lane_held held = lane_held(&owner, 0);
    struct kw_lane_batch batch = heartbeat(&owner, 0, 4000);
    struct kw_lane_finding finding = finding_of(&held, &batch);

    cr_assert_eq(finding.verdict, KW_LANE_KNOWN);
    cr_assert_eq(finding.closed, 4000);
}

Test(lane_check, closed_never_falls)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch old = heartbeat(&owner, 6, 1);
    struct kw_lane_batch news = lane_batch(&owner, 6, 8);
    struct kw_lane_finding finding;

    cr_assert_eq(refusal(&held, &old), KW_LANE_KNOWN);
    held.closed = 4000;
    finding = finding_of(&held, &news);
    cr_assert_eq(finding.verdict, KW_LANE_NEWS);
    cr_assert_eq(finding.closed, 4000);
}

/* Changes 7 and 8 are from 70 and 80, when 75 was closed before. */
Test(lane_check, a_change_older_than_was_promised_is_told_and_applied)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch batch = lane_batch(&owner, 5, 8);
    struct kw_lane_finding finding;

    held.closed = 75;
    finding = finding_of(&held, &batch);
    cr_assert_eq(finding.verdict, KW_LANE_NEWS);
    cr_assert(finding.late);
    held.closed = 70;
    cr_assert_not(finding_of(&held, &batch).late, "one that is as old is not older");
}

/* What is held keeps a peer from hiding changes while it shows life. */
Test(lane_check, heads_without_their_changes_are_a_gap)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch batch = heartbeat(&owner, 8, 4000);

    cr_assert_eq(refusal(&held, &batch), KW_LANE_GAP);
}

/* --- forks --- */

/* A store that forgot what came after change 5, and wrote three others. */
static struct lane_owner rival_of(const struct lane_owner *owner)
{
    struct lane_owner rival = *owner;

    rival.count = 5;
    lane_grow(&rival, 3, ", of the other life");
    return rival;
}

Test(lane_check, a_fork_at_the_held_point_is_one)
{
    struct lane_owner owner = lane_owner_new(8);
    struct lane_owner rival = rival_of(&owner);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch continued = lane_batch(&rival, 6, 8);
    struct kw_lane_batch ended = lane_batch(&rival, 5, 6);
    struct kw_lane_batch beat = lane_batch(&rival, 6, 6);

    cr_assert_eq(refusal(&held, &continued), KW_LANE_FORK, "it begins there");
    cr_assert_eq(refusal(&held, &ended), KW_LANE_FORK, "it ends there");
    cr_assert_eq(refusal(&held, &beat), KW_LANE_FORK, "it is there");
}

Test(lane_check, a_fork_before_the_held_point_is_one)
{
    struct lane_owner owner = lane_owner_new(8);
    struct lane_owner rival = rival_of(&owner);
    struct kw_lane_held held = lane_held(&owner, 7);
    struct kw_lane_batch passing = lane_batch(&rival, 4, 8);
    struct kw_lane_batch ended = lane_batch(&rival, 4, 6);

    cr_assert_eq(refusal(&held, &passing), KW_LANE_FORK, "it passes the held point");
    cr_assert_eq(refusal(&held, &ended), KW_LANE_KNOWN, "it ends where we kept no chain");
    held.chain_there = owner.points[6].chain;
    cr_assert_eq(refusal(&held, &ended), KW_LANE_FORK, "it ends where we kept one");
}

/* Which of the two is true nobody can tell. The one that comes first is held. */
Test(lane_check, a_fork_after_the_held_point_shows_with_the_second_that_comes)
{
    struct lane_owner owner = lane_owner_new(8);
    struct lane_owner rival = rival_of(&owner);
    struct kw_lane_held held = lane_held(&owner, 4);
    struct kw_lane_batch first = lane_batch(&rival, 4, 7);
    struct kw_lane_batch second = lane_batch(&owner, 4, 8);

    cr_assert_eq(finding_of(&held, &first).verdict, KW_LANE_NEWS);
    held.point = finding_of(&held, &first).point;
    held.closed = finding_of(&held, &first).closed;
    cr_assert_eq(refusal(&held, &second), KW_LANE_FORK);
}

Test(lane_check, another_start_is_a_fork)
{
    struct lane_owner owner = lane_owner_new(0);
    struct lane_owner rival = owner;
    struct kw_lane_held held = lane_held(&owner, 0);
    struct kw_lane_batch batch;

    rival.points[0].chain[0] ^= 1;
    lane_grow(&rival, 3, "");
    batch = lane_batch(&rival, 0, 3);
    cr_assert_eq(refusal(&held, &batch), KW_LANE_FORK);
}

Test(lane_check, nobody_but_its_store_can_make_a_lane_fork)
{
    struct lane_owner owner = lane_owner_new(8);
    struct lane_owner forger = rival_of(&owner);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch batch;

    forger.key = lane_key(1);
    batch = lane_batch(&forger, 6, 8);
    cr_assert_eq(refusal(&held, &batch), KW_LANE_STRANGER);
    batch = lane_batch(&forger, 6, 6);
    cr_assert_eq(refusal(&held, &batch), KW_LANE_STRANGER);
}

Test(lane_check, a_lane_that_forked_stays_stopped)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch news = lane_batch(&owner, 6, 8);
    struct kw_lane_batch beat = heartbeat(&owner, 6, 4000);

    held.forked = true;
    cr_assert_eq(refusal(&held, &news), KW_LANE_STOPPED);
    cr_assert_eq(refusal(&held, &beat), KW_LANE_STOPPED);
}

/* --- what was done to the changes on their way --- */

/* Changes 4 to 7 of a signed batch are other ones. */
static enum kw_lane_verdict with_changes(size_t a, size_t b, size_t c, size_t d)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 3);
    struct kw_lane_batch batch = lane_batch(&owner, 3, 7);
    struct kw_change changes[] = {owner.changes[a], owner.changes[b], owner.changes[c],
                                  owner.changes[d]};

    batch.changes = changes;
    return finding_of(&held, &batch).verdict;
}

Test(lane_check, changes_reordered_exchanged_or_repeated_are_broken)
{
    cr_assert_eq(with_changes(4, 5, 6, 7), KW_LANE_NEWS);
    cr_assert_eq(with_changes(5, 4, 6, 7), KW_LANE_BROKEN, "reordered");
    cr_assert_eq(with_changes(4, 4, 6, 7), KW_LANE_BROKEN, "repeated");
    cr_assert_eq(with_changes(4, 5, 6, 8), KW_LANE_BROKEN, "exchanged");
}

static enum kw_lane_verdict with_change_4(struct kw_change change)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 3);
    struct kw_lane_batch batch = lane_batch(&owner, 3, 5);
    struct kw_change changes[] = {change, owner.changes[5]};

    batch.changes = changes;
    return refusal(&held, &batch);
}

Test(lane_check, changes_altered_are_broken)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_change change = owner.changes[4];

    change.record = kw_bytes_str("change 9");
    cr_assert_eq(with_change_4(change), KW_LANE_BROKEN, "its record");
    change = owner.changes[4];
    change.urgent = !change.urgent;
    cr_assert_eq(with_change_4(change), KW_LANE_BROKEN, "its urgency");
    change = owner.changes[4];
    change.hlc++;
    cr_assert_eq(with_change_4(change), KW_LANE_BROKEN, "its time");
}

/* The numbers of a batch follow from its head's, so a cut batch claims to begin later. */
Test(lane_check, changes_dropped_or_added_are_broken_or_a_gap)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 3);
    struct kw_lane_batch batch = lane_batch(&owner, 3, 7);
    struct kw_lane_batch dropped = batch;
    struct kw_lane_batch cut = batch;
    struct kw_lane_batch added = batch;

    dropped.count--;
    cr_assert_eq(refusal(&held, &dropped), KW_LANE_BROKEN, "the last, numbers as before");
    cut.count--;
    cut.from.seq++;
    cr_assert_eq(refusal(&held, &cut), KW_LANE_GAP, "the last, numbers moved");
    held = lane_held(&owner, 4);
    cr_assert_eq(refusal(&held, &cut), KW_LANE_BROKEN, "the same, where it seems to continue");
    added.changes = &owner.changes[4];
    added.count++;
    cr_assert_eq(refusal(&held, &added), KW_LANE_BROKEN, "one beyond the head");
}

Test(lane_check, a_false_beginning_is_broken)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 3);
    struct kw_lane_batch batch = lane_batch(&owner, 2, 7);

    batch.from.chain[31] ^= 1;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_BROKEN);
}

/* --- whose it is --- */

Test(lane_check, another_mesh_is_refused)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch batch = lane_batch(&owner, 6, 8);

    held.mesh.bytes[0] ^= 1;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_OTHER_MESH);
}

Test(lane_check, a_store_that_is_no_member_is_a_stranger)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch batch = lane_batch(&owner, 6, 8);
    struct kw_record other = owner.row;

    held.store = NULL;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_STRANGER, "no row");
    other.key = kw_id_bytes(&store_b);
    held.store = &other;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_STRANGER, "another's row");
}

Test(lane_check, an_unknown_incarnation_is_a_stranger)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch batch = lane_batch(&owner, 6, 8);
    struct kw_record row =
        lane_row_with(&owner, KW_STORE_FIELD_INCARNATIONS, lane_set_of(kw_id_bytes(&store_b)));

    held.store = &row;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_STRANGER);
}

Test(lane_check, what_another_key_signed_is_a_strangers)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch batch;

    owner.key = lane_key(1);
    batch = lane_batch(&owner, 6, 8);
    cr_assert_eq(refusal(&held, &batch), KW_LANE_STRANGER, "another store's key");
    batch = lane_batch(&owner, 7, 8);
    cr_assert_eq(refusal(&held, &batch), KW_LANE_STRANGER, "a gap that nobody vouches for");
    batch = heartbeat(&owner, 6, 4000);
    cr_assert_eq(refusal(&held, &batch), KW_LANE_STRANGER, "a heartbeat");
}

/* Instances of one database are numbered; else one key could make lanes without number. */
Test(lane_check, a_writer_that_no_database_has_is_a_stranger)
{
    struct lane_owner owner = lane_owner_new(1);
    struct kw_lane_held held = lane_held(&owner, 0);
    struct kw_lane_batch batch = lane_batch(&owner, 0, 1);

    cr_assert_eq(finding_of(&held, &batch).verdict, KW_LANE_NEWS);
    batch.head.lane.writer = KW_FEED_WRITERS_MAX;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_STRANGER);
    batch.head.lane.writer--;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_UNSIGNED, "it may be one");
}

Test(lane_check, a_fenced_store_has_no_empty_lanes)
{
    struct lane_owner owner = lane_owner_new(1);
    struct kw_record row = lane_row_fenced(&owner, 1);
    struct kw_lane_held held = lane_held(&owner, 0);
    struct kw_lane_batch batch = heartbeat(&owner, 0, 4000);

    cr_assert_eq(finding_of(&held, &batch).verdict, KW_LANE_KNOWN);
    held.store = &row;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_FENCED);
}

/* A store may have several keys, as it does when one is renewed. */
Test(lane_check, any_of_its_stores_keys_signs)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_record other =
        lane_row_with(&owner, KW_STORE_FIELD_SIGNERS, lane_set_of(lane_signer(lane_key(1))));
    struct kw_lane_batch batch;
    struct kw_record both;

    MUST(kw_record_merge(&owner.row, &other, values_arena(), NULL, &both, err));
    held.store = &both;
    batch = lane_batch(&owner, 6, 8);
    cr_assert_eq(finding_of(&held, &batch).verdict, KW_LANE_NEWS);
    owner.key = lane_key(1);
    batch = lane_batch(&owner, 6, 8);
    cr_assert_eq(finding_of(&held, &batch).verdict, KW_LANE_NEWS);
}

Test(lane_check, a_forged_signature_is_unsigned)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_lane_held held = lane_held(&owner, 6);
    struct kw_lane_batch batch = lane_batch(&owner, 6, 8);
    struct kw_lane_batch other = lane_batch(&owner, 6, 7);

    batch.head.signature = other.head.signature;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_UNSIGNED, "that of another head");
    batch.head.signature = kw_bytes_str("signature");
    cr_assert_eq(refusal(&held, &batch), KW_LANE_UNSIGNED, "none");
}

/* --- fences --- */

Test(lane_check, a_fence_holds_back_what_lies_beyond_it)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_record row = lane_row_fenced(&owner, 7);
    struct kw_lane_held held = lane_held(&owner, 5);
    struct kw_lane_batch within = lane_batch(&owner, 5, 7);
    struct kw_lane_batch beyond = lane_batch(&owner, 5, 8);

    held.store = &row;
    cr_assert_eq(finding_of(&held, &within).verdict, KW_LANE_NEWS);
    cr_assert_eq(refusal(&held, &beyond), KW_LANE_FENCED);
    held = lane_held(&owner, 8);
    held.store = &row;
    cr_assert_eq(refusal(&held, &beyond), KW_LANE_FENCED, "also what was taken before the fence");
}

Test(lane_check, a_fence_is_a_lanes_own)
{
    struct lane_owner owner = lane_owner_new(8);
    struct kw_record row = lane_row_fenced(&owner, 8);
    struct lane_owner second = owner;
    struct kw_lane_held held;
    struct kw_lane_batch batch;

    second.lane.writer++;
    second.count = 0;
    MUST(kw_lane_start(&second.lane, &second.points[0], err));
    lane_grow(&second, 2, "");
    held = lane_held(&second, 0);
    batch = lane_batch(&second, 0, 2);
    cr_assert_eq(finding_of(&held, &batch).verdict, KW_LANE_NEWS);
    held.store = &row;
    cr_assert_eq(refusal(&held, &batch), KW_LANE_FENCED);
}

/* --- the table --- */

Test(lane_check, verdicts_have_names_of_their_own)
{
    for (enum kw_lane_verdict a = 0; a < KW_LANE_VERDICT_END_; a++) {
        for (enum kw_lane_verdict b = 0; b < a; b++) {
            cr_assert_str_neq(kw_lane_verdict_name(a), kw_lane_verdict_name(b));
        }
    }
    cr_assert_str_eq(kw_lane_verdict_name(KW_LANE_FENCED), "fenced");
    cr_assert_str_eq(kw_lane_verdict_name(KW_LANE_VERDICT_END_), "unknown");
}

Test(lane_check, faults_alarm_and_the_course_of_things_does_not)
{
    static const enum kw_lane_verdict quiet[] = {KW_LANE_NEWS, KW_LANE_KNOWN, KW_LANE_GAP,
                                                 KW_LANE_STOPPED};
    size_t alarms = 0;

    for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++) {
        cr_assert_not(kw_lane_verdict_alarms(quiet[i]));
    }
    for (enum kw_lane_verdict verdict = 0; verdict <= KW_LANE_VERDICT_END_; verdict++) {
        alarms += kw_lane_verdict_alarms(verdict);
    }
    cr_assert_eq(alarms, 9, "seven verdicts, and two numbers that are none");
}
