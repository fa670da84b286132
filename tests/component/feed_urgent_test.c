/* What a hostile store tries with changes ahead of its lane. Node 0 is hostile and has its own key; node
 * 1 hears it. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#define NODES 2

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];

static void setup(void)
{
    feed_nodes_init(nodes, NODES);
}

static void teardown(void)
{
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_urgent, .init = setup, .fini = teardown, .timeout = 60);

static struct kw_record removal(const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, a->id, "gone"));
    return record;
}

static struct kw_record tagged(const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set("x"));
    return record;
}

/* As node a can say it of any number, with any chain. */
static struct kw_bytes forged(uint64_t seq, uint8_t salt, const struct kw_record *record)
{
    struct kw_urgent urgent = {.lane = {.mesh = a->feed.options.mesh,
                                        .store = a->id,
                                        .incarnation = a->incarnation,
                                        .writer = a->writer},
                               .point = {.seq = seq, .chain = {salt}},
                               .change = {.hlc = 1, .urgent = true}};
    struct kw_buf encoded = {0};
    struct kw_buf out = {0};

    MUST(kw_record_encode(record, &encoded, err));
    urgent.change.record = value_keep(&encoded);
    MUST(kw_urgent_sign(&urgent, feed_key(a->number), &out, err));
    return value_keep(&out);
}

static struct kw_bytes fence_at(uint64_t seq)
{
    struct kw_buf fence = {0};

    MUST(kw_buf_append(&fence, kw_id_bytes(&a->lane), err));
    MUST(
        kw_buf_append(&fence, KW_BYTES(((uint8_t[8]){0, 0, 0, 0, 0, 0, 0, (uint8_t)seq}), 8), err));
    return value_keep(&fence);
}

static void fence(uint64_t seq)
{
    struct kw_record row = feed_store_row(a);

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_FENCE, fence_at(seq), err));
    feed_put_row(b, &kw_store_record, &row);
}

static int64_t kept(void)
{
    return feed_number(b, "SELECT count(*) FROM feed_urgents");
}

Test(feed_urgent, a_fenced_store_says_nothing_more_whatever_number_it_gives_it)
{
    struct kw_record record = removal("n");
    struct kw_bytes before;

    feed_write(a, &record, false);
    feed_catch_up(b, a, a->lane);
    record = removal("m");
    before = forged(2, 7, &record);
    cr_assert_eq(feed_apply_urgent(b, before), KW_LANE_NEWS);
    fence(1);
    record = removal("evil");
    for (uint64_t seq = 1; seq <= 3; seq++) {
        cr_assert_eq(feed_apply_urgent(b, forged(seq, 9, &record)), KW_LANE_FENCED);
    }
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 2);
    cr_assert_eq(feed_apply_urgent(b, before), KW_LANE_KNOWN, "it was taken before");
    cr_assert_eq(kept(), 1);
}

Test(feed_urgent, what_disables_nothing_does_not_go_ahead)
{
    struct kw_record record = tagged("n");

    cr_assert_eq(feed_apply_urgent(b, forged(1, 1, &record)), KW_LANE_WAITS);
    record = feed_store_row(b);
    cr_assert_eq(feed_apply_urgent(b, forged(1, 1, &record)), KW_LANE_WAITS, "least of all that");
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 0);
    cr_assert_eq(kept(), 0);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "waits"), 2);
}

/* Its record is `len` bytes long. */
static struct kw_record long_removal(const char *key, size_t len)
{
    struct kw_record record = removal(key);
    KW_SCOPED(kw_buf_done) struct kw_buf bare = {0};
    char *text = kw_arena_alloc(values_arena(), len);

    note_set(&record, NOTE_TEXT, value_lww(FEED_WALL, a->id, ""));
    MUST(kw_record_encode(&record, &bare, err));
    memset(text, 'x', len);
    text[len - bare.len] = 0;
    note_set(&record, NOTE_TEXT, value_lww(FEED_WALL, a->id, text));
    return record;
}

/* Or every cell would keep, and send to every other, a thousand records of any length. */
Test(feed_urgent, what_is_long_does_not_go_ahead)
{
    struct kw_record record = long_removal("n", KW_URGENT_CHANGE_LEN_MAX + 1);

    cr_assert_eq(feed_apply_urgent(b, forged(1, 1, &record)), KW_LANE_WAITS);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 0);
    cr_assert_eq(kept(), 0);
    record = long_removal("n", KW_URGENT_CHANGE_LEN_MAX);
    cr_assert_eq(feed_apply_urgent(b, forged(1, 1, &record)), KW_LANE_NEWS);
}

Test(feed_urgent, what_is_long_is_written_and_goes_with_its_lane)
{
    struct kw_record record = long_removal("n", KW_URGENT_CHANGE_LEN_MAX + 1);

    feed_write(a, &record, true);
    cr_assert_eq(feed_urgent(a, a->lane, 0).len, 0);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes WHERE removed = 1"), 1);
    record = long_removal("m", KW_URGENT_CHANGE_LEN_MAX);
    feed_write(a, &record, true);
    cr_assert_gt(feed_urgent(a, a->lane, 1).len, 0);
}

Test(feed_urgent, nor_is_it_written)
{
    struct kw_record record = tagged("n");

    cr_assert_eq(feed_try_write(a, &record, true, NULL).reason, KW_E_ARGUMENT_INVALID);
    cr_assert_eq(feed_seq(a, a->lane), 0);
    record = removal("n");
    feed_write(a, &record, true);
}

Test(feed_urgent, a_copy_is_known_without_a_look_at_its_signature)
{
    struct kw_record record = removal("n");
    struct kw_bytes urgent = forged(1, 1, &record);
    uint8_t copy[1024];

    cr_assert_eq(feed_apply_urgent(b, urgent), KW_LANE_NEWS);
    kw_copy(copy, urgent.data, urgent.len);
    copy[urgent.len - 1] ^= 1;
    cr_assert_eq(feed_apply_urgent(b, KW_BYTES(copy, urgent.len)), KW_LANE_KNOWN);
    copy[4 + 52 + 8] ^= 1; /* the chain: it is another one */
    cr_assert_eq(feed_apply_urgent(b, KW_BYTES(copy, urgent.len)), KW_LANE_UNSIGNED);
}

Test(feed_urgent, one_that_its_lane_does_not_have_stays_and_is_told)
{
    struct kw_record record = removal("n");
    struct kw_bytes rival = forged(1, 1, &record);

    cr_assert_eq(feed_apply_urgent(b, rival), KW_LANE_NEWS);
    record = removal("m");
    feed_write(a, &record, true);
    cr_assert_eq(feed_apply_urgent(b, feed_urgent(a, a->lane, 0)), KW_LANE_NEWS);
    cr_assert_eq(kept(), 2);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "fork"), 0);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(kept(), 1, "the lane's own is in the lane");
    cr_assert(kw_bytes_equal(feed_urgent(b, a->lane, 0), rival));
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "fork"), 1);
    record = tagged("m");
    feed_write(a, &record, false);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "fork"), 1, "once");
}

static struct kw_result run_all(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf records = {0};
    struct kw_lane_point at = {.seq = 1};
    struct kw_lane_point after = {.seq = 0};
    size_t *count = job->out;

    while (at.seq > 0) {
        KW_TRY(kw_feed_read_urgent(&job->node->feed, tx, a->lane, &after, feed_key(1), &records,
                                   &at, err));
        after = at;
        *count += at.seq > 0;
    }
    return KW_OK;
}

/* Whoever chose its chain well would hide the other one. */
Test(feed_urgent, two_under_one_number_are_both_passed_on)
{
    struct kw_record records[] = {removal("n"), removal("m"), removal("o")};
    size_t count = 0;

    for (uint8_t i = 0; i < 3; i++) {
        cr_assert_eq(feed_apply_urgent(b, forged(1 + i / 2, 9 - i, &records[i])), KW_LANE_NEWS);
    }
    MUST(feed_look(b, run_all, NULL, &count, err));
    cr_assert_eq(count, 3);
}

Test(feed_urgent, one_that_comes_after_its_lane_passed_is_told_too)
{
    struct kw_record record = removal("m");

    feed_write(a, &record, true);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_apply_urgent(b, forged(1, 1, &record)), KW_LANE_KNOWN, "it says the same");
    cr_assert_eq(kept(), 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "fork"), 1);
}

Test(feed_urgent, there_are_only_so_many_of_a_store)
{
    struct kw_record record = removal("n");
    static const char fill[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1023)"
        " INSERT INTO feed_urgents (lane, origin, seq, chain, record)" /* of another lane of its */
        " SELECT origin, origin, 1000 + i, chain, record FROM feed_urgents, n WHERE seq = 1"
        " RETURNING 1";

    cr_assert_eq(KW_FEED_URGENTS_MAX, 1024);
    cr_assert_eq(feed_apply_urgent(b, forged(1, 1, &record)), KW_LANE_NEWS);
    (void)feed_number(b, fill);
    cr_assert_eq(kept(), KW_FEED_URGENTS_MAX);
    record = removal("m");
    cr_assert_eq(feed_apply_urgent(b, forged(2, 1, &record)), KW_LANE_WAITS);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 1);
}

/* --- whose lane does not come --- */

/* How many changes of b's lane it said since `before`, when its clock is `ms` further on. */
static uint64_t said_after(uint64_t ms)
{
    uint64_t before = feed_seq(b, b->lane);

    b->wall_ms += ms;
    (void)feed_release(b);
    return feed_seq(b, b->lane) - before;
}

/* Its store may be lost, or fenced at less: then nobody else would ever hear of it. */
Test(feed_urgent, one_whose_lane_does_not_come_is_said_by_who_has_it)
{
    struct kw_record record = removal("n");

    cr_assert_eq(feed_apply_urgent(b, forged(7, 1, &record)), KW_LANE_NEWS);
    cr_assert_eq(said_after(KW_FEED_ORPHAN_MS - 1), 0, "it may be on its way");
    cr_assert_eq(said_after(1), 1);
    cr_assert_eq(said_after(KW_FEED_ORPHAN_MS), 0, "once");
    cr_assert_eq(kept(), 1, "and it is still passed on");
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM notes"), 1, "the store that lost it has it");
    cr_assert_eq(kw_metric_value(KW_M_FEED_RELEASED, "orphan"), 1);
}

/* In our lane it would be our word, for whoever can read it: also when its author is fenced. */
Test(feed_urgent, what_can_not_be_read_here_is_never_said_by_us)
{
    struct kw_record later = {.table = later_kind.table, .key = kw_bytes_str("new")};
    struct kw_record odd = removal("odd");
    struct kw_record bad = removal("bad");

    note_set(&later, NOTE_REMOVED, value_first(2, a->id, "x"));
    odd.fields[0].value = kw_bytes_str("not a first");
    note_set(&bad, NOTE_TEXT, value_lww(FEED_WALL, a->id, "bad"));
    cr_assert_eq(feed_apply_urgent(b, forged(1, 1, &later)), KW_LANE_NEWS);
    cr_assert_eq(feed_apply_urgent(b, forged(2, 1, &odd)), KW_LANE_NEWS);
    cr_assert_eq(feed_apply_urgent(b, forged(3, 1, &bad)), KW_LANE_NEWS);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine"), 3);
    cr_assert_eq(said_after(KW_FEED_ORPHAN_MS), 0);
    cr_assert_eq(kept(), 3, "but all are passed on, and judged by whoever reads them");
    cr_assert_eq(kw_metric_value(KW_M_FEED_RELEASED, "orphan"), 0);
}

Test(feed_urgent, one_whose_lane_came_is_not_said_again)
{
    struct kw_record record = removal("n");

    feed_write(a, &record, true);
    cr_assert_eq(feed_apply_urgent(b, feed_urgent(a, a->lane, 0)), KW_LANE_NEWS);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(said_after(KW_FEED_ORPHAN_MS), 0);
}
