/* What happens to a PostgreSQL database that several instances share, as the feed sees it: one of them stands still in the
 * middle of a transaction, and the server is replaced by an older copy of itself. F35 and F37 of docs/faults.md. */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/sync/store_record.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/must.h"
#include "tests/support/postgres.h"

#include <stdio.h>

#define WRITERS 2

static struct feed_node nodes[WRITERS]; /* instances on one database */
static struct feed_node other;          /* another store */

static void teardown(void)
{
    feed_node_done(&other);
    for (unsigned i = WRITERS; i-- > 0;) {
        feed_node_done(&nodes[i]);
    }
}

TestSuite(feed_faults, .fini = teardown, .timeout = 120);

static struct kw_result try_tag(struct feed_node *node, const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set("x"));
    return feed_try_write(node, &record, false, NULL);
}

static void tag(struct feed_node *node, const char *key)
{
    cr_assert_eq(try_tag(node, key).reason, KW_E_NONE, "%s", key);
}

static long notes(void)
{
    return (long)feed_number(&nodes[1], "SELECT count(*) FROM notes");
}

/* --- F35: one that stands still --- */

#define OTHERS_CHANGES 20

static unsigned refused; /* of the other's changes */

/* The server ends a transaction that nobody goes on with, after KW_PG_IDLE_MS. */
static void wait_for_the_end(void)
{
    const uint64_t end_ns = kw_clock_mono_ns() + 20ULL * 1000000000;

    while (postgres_sql(nodes[0].store.url,
                        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                        " AND application_name = 'keyward'") > 0) {
        REQUIRE(kw_clock_mono_ns() < end_ns, "it is never ended");
    }
}

/* Within the transaction of the first, which has its lane and a row. */
static struct kw_result stand_still(struct kw_tx *tx, const struct kw_record *merged,
                                    struct kw_arena *arena, struct kw_error *err)
{
    (void)tx;
    (void)merged;
    (void)arena;
    (void)err;
    for (int i = 0; i < OTHERS_CHANGES; i++) {
        char key[24];

        (void)snprintf(key, sizeof(key), "other %d", i);
        refused += !kw_ok(try_tag(&nodes[1], key));
    }
    wait_for_the_end();
    return KW_OK;
}

static struct kw_result run_two(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_table tables[] = {feed_tables[0], feed_tables[1]};
    const struct kw_feed_table *whole = job->node->feed.options.tables;
    struct kw_record records[2] = {note("first"), note("second")};
    struct kw_result written = KW_OK;

    for (int i = 0; i < 2 && kw_ok(written); i++) {
        note_set(&records[i], NOTE_TAGS, value_set("x"));
        written = kw_feed_write(&job->node->feed, tx, &records[i], false, job->node->wall_ms,
                                values_arena(), NULL, err);
        tables[1].project = stand_still;
        job->node->feed.options.tables = tables; /* with the second */
    }
    job->node->feed.options.tables = whole;
    return written;
}

Test(feed_faults, one_that_stands_still_is_ended_and_the_others_go_on_meanwhile)
{
    feed_node_init(&nodes[0], 0);
    feed_node_join(&nodes[1], &nodes[0], 1);
    cr_assert_eq(feed_do(&nodes[0], run_two, NULL, NULL, NULL).reason, KW_E_STORE_UNAVAILABLE);
    cr_assert_eq(refused, 0, "another writer waits for nobody");
    cr_assert_eq(feed_seq(&nodes[1], nodes[1].lane), OTHERS_CHANGES);
    cr_assert_eq(feed_seq(&nodes[1], nodes[0].lane), 0, "nothing of it is there");
    cr_assert_eq(notes(), OTHERS_CHANGES);
    tag(&nodes[0], "first");
    cr_assert_eq(feed_seq(&nodes[1], nodes[0].lane), 1);
    feed_verify_lanes(&nodes[1]);
}

/* --- F37: an older copy in the place of the database --- */

static void open_all(void)
{
    for (unsigned i = 0; i < WRITERS; i++) {
        feed_node_open(&nodes[i]);
    }
}

static void close_all(void)
{
    for (unsigned i = 0; i < WRITERS; i++) {
        feed_node_close(&nodes[i]);
    }
}

/* Both instances on a database of its own, which can be copied whole; and a store that hears them. */
static void prepare(void)
{
    struct kw_record row;

    feed_node_init(&nodes[0], 0);
    feed_node_close(&nodes[0]);
    postgres_database(postgres_shared(), "", nodes[0].store.url);
    feed_node_open(&nodes[0]);
    feed_node_join(&nodes[1], &nodes[0], 1);
    feed_node_init(&other, 2);
    row = feed_store_row(&nodes[0]);
    feed_put_row(&other, &kw_store_record, &row);
    feed_put_row(&nodes[0], &kw_store_record, &row); /* what we said is believed by our own row */
    row = feed_store_row(&other);
    feed_put_row(&nodes[0], &kw_store_record, &row);
}

/* As a standby has it that did not hear of what came after. A copy is made of a database that nobody uses. */
static void copy_database(char url[static POSTGRES_URL_SIZE])
{
    const char *name = strchr(nodes[0].store.url, '@') + 2; /* of user@/name?host= */
    char options[80];

    (void)snprintf(options, sizeof(options), "TEMPLATE %.*s", (int)strcspn(name, "?"), name);
    close_all();
    postgres_database(postgres_shared(), options, url);
    open_all();
}

static void promote(const char *url)
{
    close_all();
    for (unsigned i = 0; i < WRITERS; i++) {
        (void)snprintf(nodes[i].store.url, sizeof(nodes[i].store.url), "%s", url);
    }
    open_all();
}

static void other_hears_all(void)
{
    for (unsigned i = 0; i < WRITERS; i++) {
        feed_catch_up(&other, &nodes[i], nodes[i].lane);
    }
}

static void expect_equal_notes(void)
{
    uint8_t records[2][KW_SHA256_LEN];
    uint8_t texts[2][KW_SHA256_LEN];

    feed_digest(&nodes[0], records[0], texts[0]);
    feed_digest(&other, records[1], texts[1]);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(texts[0]), KW_BYTES_OF(texts[1])));
}

/* They know one another's new lanes; nobody has given a number twice. */
static void expect_new_lanes(const struct kw_id *old)
{
    struct kw_record row;

    close_all();
    open_all(); /* the fixture learns which lanes these are */
    row = feed_store_row(&nodes[0]);
    feed_put_row(&other, &kw_store_record, &row);
    other_hears_all();
    for (unsigned i = 0; i < WRITERS; i++) {
        cr_assert_not(kw_id_equal(nodes[i].lane, old[i]));
        cr_assert_eq(feed_seq(&other, nodes[i].lane), 1);
        cr_assert_not(feed_lane(&other, old[i]).stopped);
    }
}

/* What the standby never had comes back from a peer, under the old numbers. */
Test(feed_faults, a_standby_that_was_behind_takes_its_tail_from_a_peer_and_begins_a_new_life)
{
    char standby[POSTGRES_URL_SIZE];
    struct kw_id lanes[WRITERS];

    prepare();
    tag(&nodes[0], "a");
    tag(&nodes[1], "b");
    copy_database(standby);
    tag(&nodes[0], "c");
    tag(&nodes[1], "d");
    other_hears_all();
    promote(standby);
    cr_assert_eq(notes(), 2, "the standby is not behind");
    for (unsigned i = 0; i < WRITERS; i++) {
        lanes[i] = nodes[i].lane;
        feed_catch_up(&nodes[0], &other, lanes[i]);
    }
    cr_assert_eq(notes(), 4);
    tag(&nodes[0], "e");
    tag(&nodes[1], "f");
    cr_assert_eq(feed_number(&nodes[0], "SELECT count(*) FROM feed_lanes WHERE role = 3"), WRITERS);
    cr_assert_eq(feed_number(&nodes[0], "SELECT count(DISTINCT incarnation) FROM feed_lanes"
                                        " WHERE role = 2"),
                 1);
    expect_new_lanes(lanes);
    expect_equal_notes();
    feed_verify_lanes(&other);
    feed_verify_lanes(&nodes[0]);
}
