/* Several writers of one database, on PostgreSQL: each has a lane, no number is missing, and what they
 * say about one row at one time is all in it. */
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

/* A mistake in their settings. */
Test(feed_instances, two_that_take_one_lane_wait_for_one_another)
{
    work_together(0, "m");
    cr_assert_eq(feed_number(&nodes[0], "SELECT count(*) FROM feed_lanes WHERE seq = 26"), 1);
}
