/* What another instance may have done between two statements of ours, played by a trigger of SQLite. */
#include "common/feed/record_table.h"
#include "common/sync/store_record.h"
#include "tests/support/feed_fixture.h"
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

TestSuite(feed_race, .init = setup, .fini = teardown, .timeout = 60);

static const char *hex(struct kw_bytes bytes)
{
    char *text = kw_arena_alloc(values_arena(), 2 * bytes.len + 1);

    REQUIRE(text != NULL, "no room");
    for (size_t i = 0; i < bytes.len; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    }
    return text;
}

/* When a lane's row is inserted, its store has been fenced. */
static void fence_on_insert(void)
{
    struct kw_record row = feed_store_row(b);
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    uint8_t digest[KW_SHA256_LEN];
    const char *sql;

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_encode(&row, &encoded, err));
    MUST(kw_sha256(kw_buf_bytes(&encoded), digest, err));
    sql = kw_arena_printf(values_arena(),
                          "CREATE TRIGGER fenced AFTER INSERT ON feed_lanes BEGIN UPDATE"
                          " feed_records SET record = x'%s', digest = x'%s' WHERE key = x'%s'; END",
                          hex(kw_buf_bytes(&encoded)), hex(KW_BYTES_OF(digest)), hex(row.key));
    REQUIRE(sql != NULL, "no room");
    (void)feed_number(a, sql);
}

/* A lane that had no row could not be locked by who fenced its store. */
Test(feed_race, a_lane_does_not_begin_beside_a_fence)
{
    struct kw_record record = note("n");

    note_set(&record, NOTE_TAGS, value_set("x"));
    feed_write(b, &record, false);
    fence_on_insert();
    cr_assert_eq(feed_try_apply(a, feed_batch(b, b->lane, 0), NULL).reason, KW_E_STORE_UNAVAILABLE);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM notes"), 0);
    (void)feed_number(a, "DROP TRIGGER fenced");
    cr_assert_eq(feed_apply(a, feed_batch(b, b->lane, 0)), KW_LANE_NEWS, "it was undone");
}

/* --- how often --- */

#define CHANGES 5

static struct kw_result run_many(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    static const char *const keys[CHANGES] = {"a", "b", "c", "d", "e"};

    for (int i = 0; i < CHANGES; i++) {
        struct kw_record record = note(keys[i]);

        note_set(&record, NOTE_TAGS, value_set("x"));
        KW_TRY(kw_feed_write(&job->node->feed, tx, &record, false, job->node->wall_ms,
                             values_arena(), NULL, err));
    }
    return KW_OK;
}

Test(feed_race, a_job_moves_its_lane_once_whatever_it_says)
{
    (void)feed_number(a, "CREATE TABLE moves (seq INTEGER NOT NULL)");
    (void)feed_number(a, "CREATE TRIGGER moved AFTER UPDATE ON feed_lanes BEGIN"
                         " INSERT INTO moves VALUES (new.seq); END");
    MUST(feed_do(a, run_many, NULL, NULL, err));
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM moves"), 1);
    cr_assert_eq(feed_seq(a, a->lane), CHANGES);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_changes"), CHANGES);
    (void)feed_number(a, "DROP TRIGGER moved");
    (void)feed_number(a, "DROP TABLE moves");
}
