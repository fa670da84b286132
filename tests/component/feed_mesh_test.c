/* Stores that exchange batches at random: delayed, lost, doubled, out of order, by any relay, over
 * restarts. When it is quiet, all say the same, in records and in columns. */
#include "services/authz/grant_merge.h"
#include "services/authz/member_merge.h"
#include "tests/support/feed_join_fixture.h"
#include "tests/support/must.h"
#include "tests/support/note.h"

#include <stdio.h>
#include <stdlib.h>

#define SUITE_NODES 5
#define IN_FLIGHT   24
#define KEYS        6

static struct feed_node nodes[SUITE_NODES];
static uint64_t state;

/* What travels; empty: a free place. */
static struct {
    struct kw_buf batch;
    unsigned to;
} flight[IN_FLIGHT];

static struct {
    unsigned written, sent, lost, doubled, news, known, gaps, restarts;
} seen;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 33) % below;
}

static bool stops_member(const struct kw_record *change)
{
    return kw_record_has(change, KW_MEMBER_FIELD_REVOKE_ALL);
}

static bool stops_grant(const struct kw_record *change)
{
    return kw_record_has(change, KW_GRANT_FIELD_REVOKED);
}

static const struct kw_feed_table real_tables[] = {
    {.kind = &kw_member_record, .disables = stops_member},
    {.kind = &kw_grant_record, .disables = stops_grant},
};

/* Notes, which are projected, and two real kinds. */
static struct kw_feed_table tables[4];

static void setup(void)
{
    tables[0] = feed_tables[0];
    tables[1] = feed_tables[1];
    tables[2] = real_tables[0];
    tables[3] = real_tables[1];
}

static void done(void)
{
    for (unsigned i = 0; i < SUITE_NODES; i++) {
        feed_node_done(&nodes[i]);
        nodes[i] = (struct feed_node){0};
    }
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        kw_buf_done(&flight[i].batch);
    }
}

TestSuite(feed_mesh, .init = setup, .fini = done, .timeout = 300);

/* --- writing --- */

static struct kw_bytes key_of(uint32_t n)
{
    struct kw_id id = {{0x77, (uint8_t)n}};
    struct kw_bytes copy;

    MUST(kw_arena_copy(values_arena(), kw_id_bytes(&id), &copy, err));
    return copy;
}

static struct kw_record some_note(struct feed_node *node)
{
    static const char *const tags[] = {"x", "y", "z", "xy", "xz", "yz"};
    char key[8];
    struct kw_record record;

    (void)snprintf(key, sizeof(key), "n%u", draw(KEYS));
    record = note(key);
    switch (draw(4)) {
    case 0:
        note_set(&record, NOTE_TEXT, note_stamped(node, draw(2) == 0 ? "this" : "that"));
        break;
    case 1:
        note_set(&record, NOTE_TAGS, value_set(tags[draw(6)]));
        break;
    case 2:
        note_set(&record, NOTE_COUNT, value_u64(1 + draw(100)));
        break;
    default:
        note_set(&record, NOTE_REMOVED, value_first(1 + draw(1000), node->id, "gone"));
        break;
    }
    return record;
}

static struct kw_record some_member(struct feed_node *node)
{
    struct kw_record record = {.table = KW_TABLE_MEMBERS, .key = key_of(draw(KEYS))};
    struct kw_stamp stamp = kw_feed_stamp(&node->feed, node->wall_ms);

    MUST(kw_record_set(&record, &kw_member_record, KW_MEMBER_FIELD_PROFILE,
                       value_lww(stamp.hlc, stamp.store, "Acme"), err));
    MUST(kw_record_set(&record, &kw_member_record, KW_MEMBER_FIELD_STATUS, value_u64(1 + draw(2)),
                       err));
    MUST(kw_record_set(&record, &kw_member_record, KW_MEMBER_FIELD_REVOKE_ALL,
                       value_vector(draw(4), draw(4) + 1), err));
    MUST(kw_record_set(&record, &kw_member_record, KW_MEMBER_FIELD_SUSPENSIONS,
                       value_suspensions(draw(4), 1 + draw(3)), err));
    return record;
}

static struct kw_record some_grant(struct feed_node *node)
{
    struct kw_record record = {.table = KW_TABLE_GRANTS, .key = key_of(draw(KEYS))};

    MUST(kw_record_set(&record, &kw_grant_record, KW_GRANT_FIELD_PARTNER, key_of(draw(2)), err));
    if (draw(3) == 0) {
        MUST(kw_record_set(&record, &kw_grant_record, KW_GRANT_FIELD_REVOKED,
                           value_first(1 + draw(1000), node->id, "over"), err));
    }
    return record;
}

static bool disables(const struct kw_record *record)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (tables[i].kind->table == record->table) {
            return tables[i].disables(record);
        }
    }
    return false;
}

static void write_some(struct feed_node *node)
{
    struct kw_record record;

    node->wall_ms += draw(20);
    switch (draw(4)) {
    case 0:
        record = some_member(node);
        break;
    case 1:
        record = some_grant(node);
        break;
    default:
        record = some_note(node);
        break;
    }
    feed_write(node, &record, draw(2) == 0 && disables(&record));
    seen.written++;
}

/* --- travelling --- */

/* Some lane that `from` has, from somewhere near what `to` has, to be there at some time. */
static void send_some(unsigned count)
{
    unsigned from = draw(count);
    unsigned to = (from + 1 + draw(count - 1)) % count;
    struct kw_id lane = nodes[draw(count)].lane;
    uint64_t after = feed_seq(&nodes[to], lane);
    unsigned place = draw(IN_FLIGHT);
    struct kw_bytes batch;

    after = after > 3 ? after - 2 + draw(4) : after;
    batch = feed_batch(&nodes[from], lane, after);
    seen.lost += flight[place].batch.len > 0;
    kw_buf_clear(&flight[place].batch);
    flight[place].to = to;
    MUST(kw_buf_append(&flight[place].batch, batch, err));
    seen.sent++;
}

static void receive_some(void)
{
    unsigned place = draw(IN_FLIGHT);
    enum kw_lane_verdict verdict;

    if (flight[place].batch.len == 0) {
        return;
    }
    verdict = feed_apply(&nodes[flight[place].to], kw_buf_bytes(&flight[place].batch));
    cr_assert(verdict == KW_LANE_NEWS || verdict == KW_LANE_KNOWN || verdict == KW_LANE_GAP, "%s",
              kw_lane_verdict_name(verdict));
    seen.news += verdict == KW_LANE_NEWS;
    seen.known += verdict == KW_LANE_KNOWN;
    seen.gaps += verdict == KW_LANE_GAP;
    if (draw(3) == 0) {
        seen.doubled++;
        return;
    }
    kw_buf_clear(&flight[place].batch);
}

static void restart(struct feed_node *node)
{
    feed_node_close(node);
    feed_node_open(node);
    seen.restarts++;
}

static void step(unsigned count)
{
    switch (draw(8)) {
    case 0:
    case 1:
        write_some(&nodes[draw(count)]);
        break;
    case 2:
    case 3:
    case 4:
        send_some(count);
        break;
    default:
        receive_some();
        break;
    }
    if (draw(100) == 0) {
        restart(&nodes[draw(count)]);
    }
}

/* --- until it is quiet --- */

static void settle(unsigned count)
{
    for (unsigned to = 0; to < count; to++) {
        nodes[to].wall_ms = FEED_WALL + 3600000;
        for (unsigned of = 0; of < count; of++) {
            unsigned relay = (of + 1) % count == to ? of : (of + 1) % count;

            feed_catch_up(&nodes[to], &nodes[relay], nodes[of].lane);
            feed_catch_up(&nodes[to], &nodes[of], nodes[of].lane);
        }
        (void)feed_release(&nodes[to]);
    }
}

/* What lanes bring needs no repair. */
static void expect_equal_digests(struct feed_node *node)
{
    uint8_t reaches[2][KW_SHA256_LEN];

    feed_reach(&nodes[0], reaches[0]);
    feed_reach(node, reaches[1]);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(reaches[0]), KW_BYTES_OF(reaches[1])));
    for (size_t i = 0; i < node->table_count; i++) {
        cr_assert_eq(feed_compare(node, &nodes[0], node->tables[i].kind->table).nodes, 0);
    }
}

static void expect_all_alike(unsigned count)
{
    uint8_t first[2][KW_SHA256_LEN];

    feed_digest(&nodes[0], first[0], first[1]);
    for (unsigned i = 0; i < count; i++) {
        uint8_t other[2][KW_SHA256_LEN];

        feed_digest(&nodes[i], other[0], other[1]);
        cr_assert(kw_bytes_equal(KW_BYTES_OF(first), KW_BYTES_OF(other)), "node %u is another", i);
        cr_assert_eq(feed_number(&nodes[i], "SELECT count(*) FROM feed_held"), 0);
        cr_assert_eq(feed_number(&nodes[i], "SELECT count(*) FROM feed_quarantine"), 0);
        feed_verify_lanes(&nodes[i]);
        expect_equal_digests(&nodes[i]);
    }
    cr_assert_eq(feed_scrub(&nodes[0], NULL), 0);
}

static void run(unsigned count, unsigned steps, uint64_t seed)
{
    state = seed;
    for (unsigned i = 0; i < count; i++) {
        nodes[i].table_count = 0;
        feed_node_init(&nodes[i], i);
        feed_node_close(&nodes[i]);
        nodes[i].tables = tables;
        nodes[i].table_count = 4;
        nodes[i].wall_ms += draw(2000); /* some are ahead of others by more than is taken */
        feed_node_open(&nodes[i]);
    }
    feed_introduce(nodes, count);
    for (unsigned i = 0; i < steps; i++) {
        step(count);
    }
    settle(count);
    expect_all_alike(count);
    test_note("%u stores: %u changes, %u batches, %u lost, %u doubled, %u news, %u known, %u gaps, "
              "%u restarts",
              count, seen.written, seen.sent, seen.lost, seen.doubled, seen.news, seen.known,
              seen.gaps, seen.restarts);
}

/* KEYWARD_MESH_SEEDS: so many, else one. */
static void run_seeds(unsigned count, unsigned steps)
{
    const char *text = getenv("KEYWARD_MESH_SEEDS");
    uint64_t seeds = text != NULL ? strtoull(text, NULL, 10) : 1;

    for (uint64_t seed = count; seed < count + seeds; seed++) {
        test_note("seed %llu", (unsigned long long)seed);
        run(count, steps, seed);
        done();
    }
    cr_assert(seen.lost > 0 && seen.doubled > 0 && seen.gaps > 0 && seen.known > 0);
}

Test(feed_mesh, two_stores_end_up_alike)
{
    run_seeds(2, 500);
}

Test(feed_mesh, five_stores_end_up_alike)
{
    run_seeds(5, 900);
}
