/* Several writers of one database, on PostgreSQL: each has a lane, no number is missing, and what they
 * say about one row at one time is all in it. */
#include "common/sync/store_record.h"
#include "tests/support/feed_join_fixture.h"
#include "tests/support/must.h"

#define WRITERS 2
#define LETTERS 13 /* for each */

static struct feed_node nodes[WRITERS];

static void teardown(void)
{
    feed_node_done(&nodes[1]);
    feed_node_done(&nodes[0]);
}

TestSuite(feed_instances, .fini = teardown, .timeout = 120);

struct worker {
    struct feed_node *node;
    struct kw_record intents[LETTERS];
    unsigned failures;
};

static void *work(void *context)
{
    struct worker *worker = context;

    for (unsigned i = 0; i < LETTERS; i++) {
        worker->failures += !kw_ok(feed_try_write(worker->node, &worker->intents[i], false, NULL));
    }
    return NULL;
}

/* Each adds one letter after the other to its note. */
static void prepare(struct worker *worker, unsigned writer, const char *key)
{
    worker->node = &nodes[writer];
    for (unsigned i = 0; i < LETTERS; i++) {
        const char letter[2] = {(char)('a' + (int)(i * WRITERS + writer)), '\0'};

        worker->intents[i] = note(key);
        note_set(&worker->intents[i], NOTE_TAGS, value_set(letter));
    }
}

static void work_together(uint32_t second_writer, const char *second_key)
{
    struct worker workers[WRITERS] = {0};
    pthread_t threads[WRITERS];

    feed_node_init(&nodes[0], 0);
    feed_node_join(&nodes[1], &nodes[0], second_writer);
    for (unsigned i = 0; i < WRITERS; i++) {
        prepare(&workers[i], i, i == 0 ? "n" : second_key);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(workers[i].failures, 0);
    }
    cr_assert_eq(feed_number(&nodes[0], "SELECT sum(length(tags)) FROM notes"),
                 2 * WRITERS * LETTERS);
    feed_verify_lanes(&nodes[0]);
    cr_assert_eq(feed_scrub(&nodes[0], NULL), 0, "their sums are not those of the rows");
}

Test(feed_instances, nothing_that_two_writers_say_of_one_row_is_lost)
{
    work_together(1, "n");
    cr_assert_eq(feed_number(&nodes[0], "SELECT count(*) FROM feed_lanes WHERE seq = 13"), WRITERS);
    cr_assert_eq(feed_number(&nodes[0], "SELECT count(DISTINCT incarnation) FROM feed_lanes"), 1);
}

/* --- what one does while the other applies --- */

static struct feed_node foreign;
static struct kw_result fenced; /* what became of the fence */
static void (*meanwhile)(void);

static struct kw_result run_fence(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_record *fence = job->in;

    return kw_feed_write(&job->node->feed, tx, fence, false, job->node->wall_ms, values_arena(),
                         NULL, err);
}

static void fence_foreign(void)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&foreign.id)};

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    fenced = feed_do(&nodes[1], run_fence, &row, NULL, NULL);
}

/* Between judging a batch and its end. */
static struct kw_result project_meanwhile(struct kw_tx *tx, const struct kw_record *merged,
                                          struct kw_arena *arena, struct kw_error *err)
{
    void (*run)(void) = meanwhile;

    (void)tx;
    (void)merged;
    (void)arena;
    (void)err;
    meanwhile = NULL;
    if (run != NULL) {
        run();
    }
    return KW_OK;
}

static void prepare_foreign(struct kw_feed_table *tables)
{
    struct kw_record row;

    feed_node_init(&nodes[0], 0);
    feed_node_join(&nodes[1], &nodes[0], 1);
    feed_node_init(&foreign, 2);
    row = feed_store_row(&foreign);
    feed_put_row(&nodes[0], &kw_store_record, &row);
    tables[1].project = project_meanwhile;
    nodes[0].feed.options.tables = tables;
}

static void write_foreign(const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set("x"));
    feed_write(&foreign, &record, false);
}

Test(feed_instances, a_fence_waits_for_what_is_being_applied)
{
    struct kw_feed_table tables[] = {feed_tables[0], feed_tables[1]};

    prepare_foreign(tables);
    write_foreign("n");
    feed_catch_up(&nodes[0], &foreign, foreign.lane);
    write_foreign("m");
    meanwhile = fence_foreign;
    cr_assert_eq(feed_apply(&nodes[0], feed_batch(&foreign, foreign.lane, 1)), KW_LANE_NEWS);
    cr_assert_eq(fenced.reason, KW_E_STORE_UNAVAILABLE, "it could not come in between");
    fence_foreign();
    cr_assert_eq(fenced.reason, KW_E_NONE);
    write_foreign("o");
    cr_assert_eq(feed_apply(&nodes[0], feed_batch(&foreign, foreign.lane, 2)), KW_LANE_FENCED);
    feed_node_done(&foreign);
}

static void judge_strangers(void)
{
    foreign.number = 3; /* with a key that is nobody's */
    cr_assert_eq(feed_apply(&nodes[1], feed_batch(&foreign, foreign.lane, 1)), KW_LANE_STRANGER);
    cr_assert_eq(feed_apply_urgent(&nodes[1], feed_urgent(&foreign, foreign.lane, 1)),
                 KW_LANE_STRANGER);
    foreign.number = 2;
}

/* Whoever has no key can't even make somebody wait. */
Test(feed_instances, what_is_refused_without_a_signature_locks_nothing)
{
    struct kw_feed_table tables[] = {feed_tables[0], feed_tables[1]};
    struct kw_record record = note("m");

    prepare_foreign(tables);
    write_foreign("n");
    feed_catch_up(&nodes[0], &foreign, foreign.lane);
    note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, foreign.id, "gone"));
    feed_write(&foreign, &record, true);
    meanwhile = judge_strangers;
    cr_assert_eq(feed_apply(&nodes[0], feed_batch(&foreign, foreign.lane, 1)), KW_LANE_NEWS);
    cr_assert_eq(meanwhile, NULL, "it was judged");
    feed_node_done(&foreign);
}

/* A mistake in their settings. */
Test(feed_instances, two_that_take_one_lane_wait_for_one_another)
{
    work_together(0, "m");
    cr_assert_eq(feed_number(&nodes[0], "SELECT count(*) FROM feed_lanes WHERE seq = 26"), 1);
}
