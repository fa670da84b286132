/* Do two stores hold the same rows, and what is done if not: sums kept with every change, scrubbing,
 * comparing, mending. Node 0 writes, node 1 hears. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed/digest_sum.h"
#include "common/sync/store_record.h"
#include "tests/support/feed_join_fixture.h"
#include "tests/support/must.h"

#include <stdio.h>

#define NOTES    900
#define LAST_KEY "(SELECT key FROM feed_records WHERE kind = 900 ORDER BY key DESC LIMIT 1)"

static struct feed_node nodes[3]; /* the last is made by who needs it */
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];

static void setup(void)
{
    feed_nodes_init(nodes, 2);
}

static void teardown(void)
{
    feed_nodes_done(nodes, 2);
}

TestSuite(feed_digest, .init = setup, .fini = teardown, .timeout = 120);

static void write_tags(struct feed_node *node, const char *key, const char *tags)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set(tags));
    feed_write(node, &record, false);
}

static void write_many(struct feed_node *node, unsigned count)
{
    char key[16];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "n%u", i);
        write_tags(node, key, "x");
    }
}

static bool roots_equal(uint16_t table)
{
    uint8_t roots[2][KW_SHA256_LEN];

    feed_root(a, table, roots[0]);
    feed_root(b, table, roots[1]);
    return kw_bytes_equal(KW_BYTES_OF(roots[0]), KW_BYTES_OF(roots[1]));
}

static bool rows_equal(void)
{
    uint8_t records[2][KW_SHA256_LEN];
    uint8_t notes[2][KW_SHA256_LEN];

    feed_digest(a, records[0], notes[0]);
    feed_digest(b, records[1], notes[1]);
    return kw_bytes_equal(KW_BYTES_OF(records[0]), KW_BYTES_OF(records[1]));
}

static bool reaches_equal(void)
{
    uint8_t reaches[2][KW_SHA256_LEN];

    feed_reach(a, reaches[0]);
    feed_reach(b, reaches[1]);
    return kw_bytes_equal(KW_BYTES_OF(reaches[0]), KW_BYTES_OF(reaches[1]));
}

static void exchange(void)
{
    feed_catch_up(b, a, a->lane);
    feed_catch_up(a, b, b->lane);
}

/* --- sums --- */

Test(feed_digest, sums_are_of_256_bits)
{
    uint8_t sum[KW_SHA256_LEN] = {0};
    uint8_t one[KW_SHA256_LEN] = {[KW_SHA256_LEN - 1] = 1};
    uint8_t most[KW_SHA256_LEN];
    uint8_t zeros[KW_SHA256_LEN] = {0};

    for (size_t i = 0; i < sizeof(most); i++) {
        most[i] = 0xff;
    }
    kw_sum_take(sum, one);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(sum), KW_BYTES_OF(most)));
    kw_sum_add(sum, one);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(sum), KW_BYTES_OF(zeros)));
    kw_sum_add(sum, most);
    kw_sum_add(sum, most);
    kw_sum_take(sum, most);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(sum), KW_BYTES_OF(most)));
}

static uint64_t state = 11;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 33) % below;
}

Test(feed_digest, digests_are_equal_as_long_as_rows_are)
{
    static const char *const tags[] = {"x", "y", "z", "xy", "xz", "yz"};
    unsigned equal = 0;
    unsigned apart = 0;

    for (unsigned i = 0; i < 150; i++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "n%u", draw(5));
        write_tags(&nodes[draw(2)], key, tags[draw(6)]);
        if (draw(3) == 0) {
            exchange();
        }
        cr_assert_eq(roots_equal(NOTES), rows_equal(), "step %u", i);
        cr_assert(roots_equal(NOTES) || !reaches_equal());
        equal += roots_equal(NOTES);
        apart += !roots_equal(NOTES);
    }
    cr_assert(equal > 5 && apart > 5, "%u times equal, %u apart", equal, apart);
    exchange();
    cr_assert(roots_equal(NOTES) && roots_equal(KW_TABLE_STORES) && reaches_equal());
    cr_assert_eq(feed_scrub(a, NULL) + feed_scrub(b, NULL), 0, "what was kept is what is there");
}

Test(feed_digest, a_change_touches_one_bucket_and_is_found_in_three_steps)
{
    struct feed_difference difference;

    write_many(a, 40);
    exchange();
    cr_assert_eq(feed_compare(b, a, NOTES).nodes, 0);
    write_tags(a, "n7", "y");
    difference = feed_compare(b, a, NOTES);
    cr_assert_eq(difference.nodes, KW_DIGEST_LEVELS);
    cr_assert_eq(difference.buckets, 1);
    cr_assert_eq(difference.count, 1);
    cr_assert(kw_bytes_equal(difference.keys[0], kw_bytes_str("n7")));
    cr_assert_not(reaches_equal());
}

static struct kw_result run_bad_node(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    uint8_t digests[KW_DIGEST_FAN][KW_SHA256_LEN];

    return kw_feed_digest_children(tx, *(const struct kw_digest_node *)job->in, digests, err);
}

Test(feed_digest, a_node_that_is_none_is_refused)
{
    static const struct kw_digest_node none[] = {
        {NOTES, 0, 1}, {NOTES, 1, 16}, {NOTES, 2, 256}, {NOTES, 3, 0}, {NOTES, 4, 0}};

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        cr_assert_eq(feed_look(a, run_bad_node, &none[i], NULL, NULL).reason, KW_E_ARGUMENT_INVALID,
                     "%zu", i);
    }
}

/* --- a disk that changes something --- */

static struct kw_result run_flip(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT record FROM feed_records WHERE kind = 900 AND key = $1", &stmt, err));
    kw_bind_blob(stmt, 1, kw_bytes_str(job->in));
    KW_TRY(kw_step(stmt, &row, err));
    KW_TRY(kw_buf_append(&record, kw_col_blob(stmt, 0), err));
    record.data[record.len - 1] ^= 1; /* of a tag: it still reads as a record */
    KW_TRY(kw_sql(tx, "UPDATE feed_records SET record = $2 WHERE kind = 900 AND key = $1", &stmt,
                  err));
    kw_bind_blob(stmt, 1, kw_bytes_str(job->in));
    kw_bind_blob(stmt, 2, kw_buf_bytes(&record));
    return kw_exec(stmt, NULL, err);
}

static void flip(struct feed_node *node, const char *key)
{
    MUST(feed_do(node, run_flip, key, NULL, err));
}

static uint16_t bucket_of(const char *key)
{
    uint16_t bucket;

    MUST(kw_bucket_of(kw_bytes_str(key), &bucket, err));
    return bucket;
}

Test(feed_digest, a_flipped_bit_is_found_and_is_mended_by_a_peer)
{
    struct kw_scrub first = {0};

    write_many(a, 10);
    exchange();
    flip(a, "n3");
    cr_assert(roots_equal(NOTES), "sums know nothing of it");
    cr_assert_eq(feed_scrub(a, &first), 1);
    cr_assert_eq(first.found, KW_SCRUB_ROW);
    cr_assert_eq(first.table, NOTES);
    cr_assert_eq(first.bucket, bucket_of("n3"));
    cr_assert(kw_bytes_equal(first.key, kw_bytes_str("n3")));
    cr_assert_eq(kw_metric_value(KW_M_FEED_DAMAGED, NULL), 1);
    cr_assert_eq(feed_scrub(a, NULL), 0, "it is found once");
    cr_assert_not(roots_equal(NOTES));
    cr_assert_eq(feed_heal(a, b, NOTES), 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_REPAIRED, "equal"), 1);
    cr_assert(roots_equal(NOTES) && rows_equal());
    cr_assert_eq(feed_scrub(a, NULL), 0);
}

Test(feed_digest, a_damaged_row_is_not_used_before_it_is_marked_either)
{
    const struct kw_record record = note("n3");
    const struct kw_bytes key = kw_bytes_str("n3");
    struct kw_ask ask = feed_ask_rows(a, NOTES);
    struct kw_bytes batch;

    write_many(a, 4);
    exchange();
    flip(a, "n3");
    cr_assert_eq(feed_try_write(a, &record, false, NULL).reason, KW_E_INTERNAL);
    write_tags(b, "n3", "z");
    batch = feed_batch(b, b->lane, 0);
    cr_assert_eq(feed_try_apply(a, batch, NULL).reason, KW_E_INTERNAL);
    cr_assert_eq(feed_answer_read(feed_rows(a, &ask, &key, 1)).count, 0, "it was given away");
    ask = (struct kw_ask){.purpose = KW_ASK_SNAPSHOT,
                          .store = a->id,
                          .from = {.section = KW_SECTION_ROWS, .table = NOTES}};
    cr_assert_eq(feed_try_answer(a, &ask, NULL).reason, KW_E_INTERNAL);
    (void)feed_scrub(a, NULL);
    cr_assert_eq(feed_heal(a, b, NOTES), 1);
    cr_assert_eq(feed_apply(a, batch), KW_LANE_NEWS, "its lane goes on");
    cr_assert(rows_equal());
}

/* What no peer has is in our log. */
Test(feed_digest, mending_loses_nothing_that_only_we_said)
{
    write_tags(a, "n", "x");
    exchange();
    write_tags(a, "n", "y");
    flip(a, "n");
    (void)feed_scrub(a, NULL);
    cr_assert_eq(feed_heal(a, b, NOTES), 1);
    exchange();
    cr_assert(rows_equal() && roots_equal(NOTES));
    cr_assert_eq(feed_number(b, "SELECT length(tags) FROM notes"), 4, "both tags are in all rows");
    cr_assert_eq(feed_number(a, "SELECT length(tags) FROM notes"), 4);
}

Test(feed_digest, a_row_that_vanished_is_found_and_comes_back)
{
    struct kw_scrub first = {0};

    write_many(a, 5);
    exchange();
    (void)feed_number(a, "DELETE FROM feed_records WHERE key = " LAST_KEY " RETURNING 1");
    cr_assert_eq(feed_scrub(a, &first), 1);
    cr_assert_eq(first.found, KW_SCRUB_SUM);
    cr_assert_eq(first.bucket, bucket_of("n4"));
    cr_assert_eq(feed_heal(a, b, NOTES), 1);
    cr_assert(roots_equal(NOTES) && rows_equal());
}

Test(feed_digest, a_row_that_is_not_where_it_is_counted_is_found)
{
    write_many(a, 5);
    exchange();
    (void)feed_number(a, "UPDATE feed_records SET bucket = 4095 - bucket WHERE key = " LAST_KEY
                         " RETURNING 1");
    cr_assert_eq(feed_scrub(a, NULL), 2, "where it is, and where it is not");
    cr_assert_eq(kw_metric_value(KW_M_FEED_DAMAGED, NULL), 1);
    cr_assert_eq(feed_heal(a, b, NOTES), 1);
    cr_assert(roots_equal(NOTES) && rows_equal());
    cr_assert_eq(feed_scrub(a, NULL), 0);
}

/* Another row's record, whole. */
Test(feed_digest, a_row_that_says_it_is_another_is_found)
{
    write_many(a, 5);
    exchange();
    (void)feed_number(a, "UPDATE feed_records SET (record, digest) = (SELECT record, digest FROM"
                         " feed_records WHERE kind = 900 ORDER BY key LIMIT 1)"
                         " WHERE key = " LAST_KEY " RETURNING 1");
    cr_assert_eq(feed_scrub(a, NULL), 1);
    cr_assert_eq(feed_heal(a, b, NOTES), 1);
    cr_assert(roots_equal(NOTES) && rows_equal());
}

Test(feed_digest, a_sum_that_is_wrong_is_righted)
{
    struct kw_scrub first = {0};

    write_tags(a, "n", "x");
    exchange();
    (void)feed_number(a, "UPDATE feed_digests SET digest = (SELECT chain FROM feed_changes)"
                         " WHERE kind = 900 RETURNING 1");
    cr_assert_not(roots_equal(NOTES));
    cr_assert_eq(feed_scrub(a, &first), 1);
    cr_assert_eq(first.found, KW_SCRUB_SUM);
    cr_assert(roots_equal(NOTES));
    cr_assert_eq(kw_metric_value(KW_M_FEED_DAMAGED, NULL), 0);
}

/* --- what is a fault, and what only early --- */

Test(feed_digest, a_row_that_came_before_its_lane_is_no_fault)
{
    write_tags(a, "n", "x");
    cr_assert_eq(feed_heal(b, a, NOTES), 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_REPAIRED, "apart"), 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_REPAIRED, "equal"), 0);
    exchange();
    cr_assert(rows_equal() && reaches_equal());
}

Test(feed_digest, a_row_that_went_ahead_of_its_lane_is_no_fault)
{
    struct feed_node *c = &nodes[2];
    struct kw_record gone = note("n");

    feed_node_init(c, 2);
    feed_introduce(nodes, 3);
    note_set(&gone, NOTE_REMOVED, value_first(FEED_WALL, c->id, "gone"));
    feed_write(c, &gone, true);
    cr_assert_eq(feed_apply_urgent(b, feed_urgent(c, c->lane, 0)), KW_LANE_NEWS);
    cr_assert_not(rows_equal());
    cr_assert_not(reaches_equal());
    cr_assert_eq(feed_heal(a, b, NOTES), 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_REPAIRED, "apart"), 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_REPAIRED, "equal"), 0);
    feed_node_done(c);
}

/* Its store was fenced before the other had heard it, so the other never takes it: what we say is enough. */
Test(feed_digest, what_was_said_again_is_ahead_of_no_lane_any_more)
{
    struct feed_node *c = &nodes[2];
    struct kw_record gone = note("n");

    feed_node_init(c, 2);
    feed_introduce(nodes, 3);
    note_set(&gone, NOTE_REMOVED, value_first(FEED_WALL, c->id, "gone"));
    feed_write(c, &gone, true);
    cr_assert_eq(feed_apply_urgent(b, feed_urgent(c, c->lane, 0)), KW_LANE_NEWS);
    b->wall_ms += KW_FEED_ORPHAN_MS;
    (void)feed_release(b);
    cr_assert_not(reaches_equal());
    feed_catch_up(a, b, b->lane);
    cr_assert(rows_equal());
    cr_assert(reaches_equal());
    feed_node_done(c);
}

Test(feed_digest, what_waits_for_our_clock_is_no_fault)
{
    struct kw_record record = note("n");

    a->wall_ms = b->wall_ms + 60000;
    note_set(&record, NOTE_TEXT, note_stamped(a, "later"));
    feed_write(a, &record, false);
    exchange();
    cr_assert_eq(feed_seq(b, a->lane), 1);
    cr_assert_not(roots_equal(NOTES) || reaches_equal());
    b->wall_ms = a->wall_ms;
    cr_assert_eq(feed_release(b), 1);
    cr_assert(roots_equal(NOTES) && reaches_equal());
}

/* --- who may say so --- */

static enum kw_answer_verdict repair_with(const struct kw_ask *ask, struct kw_answer answer,
                                          unsigned signer)
{
    struct kw_buf record = {0};
    size_t repaired;
    enum kw_answer_verdict verdict;

    MUST(kw_answer_sign(&answer, feed_key(signer), &record, err));
    verdict = feed_repair(b, ask, value_keep(&record), &repaired);
    cr_assert_eq(repaired > 0, verdict == KW_ANSWER_GOOD);
    return verdict;
}

Test(feed_digest, a_repair_is_an_answer_to_our_question_by_whom_we_asked)
{
    const struct kw_bytes key = kw_bytes_str("n");
    struct kw_ask ask = feed_ask_rows(a, NOTES);
    struct kw_ask other = feed_ask_rows(a, NOTES);
    struct kw_answer answer;

    write_tags(a, "n", "x");
    answer = feed_answer_read(feed_rows(a, &ask, &key, 1));
    cr_assert_eq(repair_with(&other, answer, 0), KW_ANSWER_UNASKED);
    cr_assert_eq(repair_with(&ask, answer, 1), KW_ANSWER_UNSIGNED, "another member's key");
    answer.mesh.bytes[0] ^= 1;
    cr_assert_eq(repair_with(&ask, answer, 0), KW_ANSWER_OTHER_MESH);
    answer.mesh.bytes[0] ^= 1;
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 0);
    cr_assert_eq(repair_with(&ask, answer, 0), KW_ANSWER_GOOD);
}
