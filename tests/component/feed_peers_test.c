/* What peers are given, and how long it is kept for them. Three members; node 0 writes. */
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/sync/grow_set.h"
#include "common/sync/store_record.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#include <stdio.h>

#define NODES 3

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];
static struct feed_node *const c = &nodes[2];

static void setup(void)
{
    feed_nodes_init(nodes, NODES);
}

static void teardown(void)
{
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_peers, .init = setup, .fini = teardown, .timeout = 60);

static void write_notes(struct feed_node *node, size_t count)
{
    static unsigned number;

    for (size_t i = 0; i < count; i++) {
        char key[16];
        struct kw_record record;

        (void)snprintf(key, sizeof(key), "n%u", number++);
        record = note(key);
        note_set(&record, NOTE_TAGS, value_set("x"));
        feed_write(node, &record, false);
    }
}

static size_t changes_of(struct kw_bytes batch)
{
    struct kw_lane_batch read;

    MUST(kw_lane_batch_decode(batch, values_arena(), &read, err));
    return read.count;
}

/* --- reading --- */

struct filling {
    size_t count;
    size_t len; /* of each record */
};

static struct kw_result run_fill(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct filling *filling = job->in;
    struct kw_arena *arena = kw_arena_new(64U << 20);
    uint8_t *text = kw_arena_alloc(arena, filling->len);
    struct kw_result result = KW_OK;

    for (size_t i = 0; i < filling->count && kw_ok(result); i++) {
        uint8_t key[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        struct kw_record record = {.table = note_kind.table, .key = KW_BYTES_OF(key), .count = 1};

        record.fields[0] = (struct kw_record_field){
            .number = 9, .rule = KW_RULE_ONCE, .value = KW_BYTES(text, filling->len)};
        result = kw_feed_write(&job->node->feed, tx, &record, false, job->node->wall_ms, arena,
                               NULL, err);
    }
    kw_arena_free(arena);
    return result;
}

static void fill(struct feed_node *node, size_t count, size_t len)
{
    const struct filling filling = {count, len};

    MUST(feed_do(node, run_fill, &filling, NULL, err));
}

Test(feed_peers, a_batch_is_bounded_by_number_and_by_length)
{
    fill(a, KW_BATCH_CHANGES_MAX + 7, 1);
    cr_assert_eq(changes_of(feed_batch(a, a->lane, 0)), KW_BATCH_CHANGES_MAX);
    cr_assert_eq(changes_of(feed_batch(a, a->lane, KW_BATCH_CHANGES_MAX)), 7);
    cr_assert_eq(feed_read_kind(a, a->lane, KW_BATCH_CHANGES_MAX + 7), KW_FEED_READ_HEARTBEAT);
    cr_assert_eq(feed_read_kind(a, a->lane, KW_BATCH_CHANGES_MAX + 8), KW_FEED_READ_NOTHING);
    fill(b, 5, KW_BATCH_LEN_SOFT / 2);
    cr_assert_eq(changes_of(feed_batch(b, b->lane, 0)), 2);
}

Test(feed_peers, the_longest_value_travels)
{
    fill(a, 1, KW_RECORD_VALUE_LEN_MAX);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_seq(b, a->lane), 1);
}

Test(feed_peers, a_relay_cuts_where_the_owner_signed)
{
    write_notes(a, 3);
    feed_catch_up(b, a, a->lane);
    write_notes(a, 4);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(changes_of(feed_batch(b, a->lane, 0)), 7);
    cr_assert_eq(changes_of(feed_batch(b, a->lane, 1)), 6);
    cr_assert_eq(changes_of(feed_batch(b, a->lane, 5)), 2);
    cr_assert_eq(feed_apply(c, feed_batch(b, a->lane, 0)), KW_LANE_NEWS);
    fill(a, KW_BATCH_CHANGES_MAX, 1);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(changes_of(feed_batch(b, a->lane, 0)), 7,
                 "what more there is has no head in reach");
}

static uint64_t promise_of(struct kw_bytes batch)
{
    struct kw_lane_batch read;

    MUST(kw_lane_batch_decode(batch, values_arena(), &read, err));
    return read.head.closed;
}

Test(feed_peers, a_batch_promises_no_more_than_what_follows_it_keeps)
{
    struct kw_bytes first;

    write_notes(a, 2);
    fill(a, 1, KW_BATCH_LEN_SOFT);
    first = feed_batch(a, a->lane, 0);
    cr_assert_eq(changes_of(first), 3);
    a->wall_ms += 1000;
    write_notes(a, 1);
    (void)feed_sealed(a);
    cr_assert_lt(promise_of(feed_batch(a, a->lane, 0)),
                 (uint64_t)feed_number(a, "SELECT max(hlc) FROM feed_changes"));
    cr_assert_eq(promise_of(feed_batch(a, a->lane, 3)), feed_lane(a, a->lane).closed);
}

Test(feed_peers, a_relay_passes_on_the_last_heartbeat)
{
    struct kw_feed_found found;
    struct kw_bytes record;

    write_notes(a, 1);
    feed_catch_up(b, a, a->lane);
    feed_catch_up(c, a, a->lane);
    a->wall_ms += 100;
    cr_assert_eq(feed_apply(b, feed_sealed(a)), KW_LANE_KNOWN);
    found = feed_found(b, a->lane, 1, &record);
    cr_assert_eq(found.read, KW_FEED_READ_HEARTBEAT);
    cr_assert_eq(found.seq, 1);
    cr_assert_eq(found.closed, feed_lane(a, a->lane).closed);
    cr_assert_eq(promise_of(record), found.closed);
    cr_assert_eq(feed_apply(c, record), KW_LANE_KNOWN);
    cr_assert_eq(feed_lane(c, a->lane).closed, found.closed);
}

Test(feed_peers, our_own_heartbeat_has_what_was_sealed_last)
{
    struct kw_feed_found found;
    struct kw_bytes record;

    found = feed_found(a, a->lane, 0, &record);
    cr_assert_eq(found.read, KW_FEED_READ_HEARTBEAT, "though it has no changes");
    write_notes(a, 1);
    a->wall_ms += 1000;
    (void)feed_sealed(a);
    found = feed_found(a, a->lane, 1, &record);
    cr_assert_eq(found.read, KW_FEED_READ_HEARTBEAT);
    cr_assert_eq(found.closed, feed_lane(a, a->lane).closed);
    cr_assert_eq(feed_read_kind(a, a->lane, 2), KW_FEED_READ_NOTHING, "who has more");
    cr_assert_eq(feed_read_kind(b, a->lane, 0), KW_FEED_READ_NOTHING, "an unknown lane");
}

Test(feed_peers, how_far_a_batch_goes_is_said)
{
    struct kw_feed_found found;
    struct kw_bytes record;

    write_notes(a, 3);
    for (size_t i = 0; i < 2; i++) {
        found = feed_found(i == 0 ? a : b, a->lane, 1, &record);
        cr_assert_eq(found.read, KW_FEED_READ_BATCH, "%zu", i);
        cr_assert_eq(found.seq, 3);
        cr_assert_eq(promise_of(record), found.closed);
        feed_catch_up(b, a, a->lane);
    }
}

/* --- trimming --- */

Test(feed_peers, changes_are_kept_until_every_member_has_them)
{
    write_notes(a, 5);
    cr_assert_eq(feed_trim(a, 100), 0);
    feed_ack(a, b, a->lane, 4);
    cr_assert_eq(feed_trim(a, 100), 0);
    feed_ack(a, c, a->lane, 3);
    cr_assert_eq(feed_trim(a, 2), 2);
    cr_assert_eq(feed_trim(a, 100), 1);
    cr_assert_eq(feed_lane(a, a->lane).floor.seq, 3);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_changes"), 2);
    feed_ack(a, b, a->lane, 1); /* an old one, late */
    feed_ack(a, c, a->lane, 5);
    cr_assert_eq(feed_trim(a, 100), 1);
    feed_ack(a, b, a->lane, UINT64_MAX);
    cr_assert_eq(feed_trim(a, 100), 1);
    write_notes(a, 1);
    cr_assert_eq(feed_seq(a, a->lane), 6);
}

Test(feed_peers, who_is_behind_what_was_trimmed_is_told)
{
    write_notes(a, 5);
    feed_ack(a, b, a->lane, 3);
    feed_ack(a, c, a->lane, 3);
    (void)feed_trim(a, 100);
    cr_assert_eq(feed_read_kind(a, a->lane, 2), KW_FEED_READ_TRIMMED);
    cr_assert_eq(changes_of(feed_batch(a, a->lane, 3)), 2);
    cr_assert_eq(changes_of(feed_batch(a, a->lane, 4)), 1);
}

Test(feed_peers, nobody_is_waited_for_beyond_what_is_kept)
{
    a->feed.options.keep_max = 2;
    write_notes(a, 2);
    cr_assert_eq(feed_trim(a, 100), 0, "so much is kept");
    write_notes(a, 3);
    cr_assert_eq(feed_trim(a, 100), 3);
    cr_assert_eq(feed_read_kind(a, a->lane, 2), KW_FEED_READ_TRIMMED);
    cr_assert_eq(changes_of(feed_batch(a, a->lane, 3)), 2);
    feed_ack(a, b, a->lane, 5);
    feed_ack(a, c, a->lane, 4);
    cr_assert_eq(feed_trim(a, 100), 1, "what all have goes all the same");
}

Test(feed_peers, a_trimmed_lane_still_knows_duplicates_and_goes_on)
{
    struct kw_bytes old;

    write_notes(a, 2);
    old = feed_batch(a, a->lane, 0);
    feed_catch_up(b, a, a->lane);
    feed_ack(b, c, a->lane, 2);
    cr_assert_eq(feed_trim(b, 100), 2, "its owner is not asked");
    cr_assert_eq(feed_apply(b, old), KW_LANE_KNOWN);
    write_notes(a, 1);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 1)), KW_LANE_NEWS);
    cr_assert_eq(feed_seq(b, a->lane), 3);
}

static void put_state(struct feed_node *to, const struct feed_node *of, uint64_t state)
{
    struct kw_record row = feed_store_row(of);

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(state), err));
    feed_put_row(to, &kw_store_record, &row);
}

Test(feed_peers, nobody_waits_for_a_fenced_member_but_for_one_in_an_unknown_state)
{
    write_notes(a, 2);
    feed_ack(a, b, a->lane, 2);
    put_state(a, c, KW_STORE_FENCED + 1);
    cr_assert_eq(feed_trim(a, 100), 0);
    put_state(a, c, KW_STORE_JOINING);
    cr_assert_eq(feed_trim(a, 100), 0);
    put_state(a, c, KW_STORE_FENCED);
    cr_assert_eq(feed_trim(a, 100), 2);
}

Test(feed_peers, nothing_is_trimmed_before_the_members_are_known)
{
    struct feed_node alone;

    feed_node_init(&alone, 3);
    write_notes(&alone, 2);
    cr_assert_eq(feed_trim(&alone, 100), 0);
    feed_introduce(&alone, 1);
    cr_assert_eq(feed_trim(&alone, 100), 2, "it is the only one");
    feed_node_done(&alone);
}

Test(feed_peers, a_fenced_store_is_honoured_as_far_as_its_fence_says)
{
    struct kw_record fenced = feed_store_row(a);
    struct kw_buf fence = {0};
    struct kw_writer w = KW_WRITER(&fence);
    struct kw_bytes first;

    write_notes(a, 1);
    first = feed_batch(a, a->lane, 0);
    write_notes(a, 1);
    kw_put_raw(&w, kw_id_bytes(&a->lane));
    kw_put_u64(&w, 1);
    MUST(kw_record_set(&fenced, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_set(&fenced, &kw_store_record, KW_STORE_FIELD_FENCE, value_keep(&fence), err));
    feed_put_row(b, &kw_store_record, &fenced);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_FENCED);
    cr_assert_eq(feed_apply(b, first), KW_LANE_NEWS);
    cr_assert_eq(feed_seq(b, a->lane), 1);
}

/* --- what peers would refuse --- */

static void fence_a(struct feed_node *at, uint64_t seq)
{
    struct kw_record fenced = feed_store_row(a);
    struct kw_buf fence = {0};
    struct kw_writer w = KW_WRITER(&fence);

    kw_put_raw(&w, kw_id_bytes(&a->lane));
    kw_put_u64(&w, seq);
    MUST(kw_record_set(&fenced, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_set(&fenced, &kw_store_record, KW_STORE_FIELD_FENCE, value_keep(&fence), err));
    feed_put_row(at, &kw_store_record, &fenced);
}

Test(feed_peers, a_relay_cuts_at_the_fence)
{
    for (unsigned i = 0; i < 3; i++) {
        write_notes(a, 1);
        feed_catch_up(c, a, a->lane);
    }
    fence_a(b, 2);
    fence_a(c, 2);
    cr_assert_eq(feed_apply(b, feed_batch(c, a->lane, 0)), KW_LANE_NEWS);
    cr_assert_eq(feed_seq(b, a->lane), 2);
    cr_assert_eq(feed_read_kind(c, a->lane, 2), KW_FEED_READ_NOTHING);
    cr_assert_eq(feed_read_kind(c, a->lane, 3), KW_FEED_READ_NOTHING, "nor how far it is");
}

/* The newer key may be announced by what the older one signed. */
Test(feed_peers, a_relay_cuts_where_the_key_changes)
{
    struct kw_record row = feed_store_row(a);
    struct kw_bytes both;

    write_notes(a, 1);
    feed_catch_up(c, a, a->lane);
    MUST(kw_set_join(lane_set_of(lane_signer(feed_key(0))), lane_set_of(lane_signer(feed_key(4))),
                     KW_SET_ELEMENTS_MAX, values_arena(), &both, err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_SIGNERS, both, err));
    feed_put_row(c, &kw_store_record, &row);
    a->number = 4;
    write_notes(a, 1);
    feed_catch_up(c, a, a->lane);
    cr_assert_eq(changes_of(feed_batch(c, a->lane, 0)), 1);
    cr_assert_eq(feed_apply(b, feed_batch(c, a->lane, 0)), KW_LANE_NEWS);
    cr_assert_eq(feed_apply(b, feed_batch(c, a->lane, 1)), KW_LANE_STRANGER, "it knows one key");
}

/* Another lane of node a, one change at this time by its clock. */
static struct kw_bytes at_hlc(const struct kw_lane *lane, struct kw_lane_point *point, uint64_t hlc)
{
    struct kw_record record = note(hlc == 50 ? "later" : "first");
    struct kw_buf encoded = {0};
    struct kw_change change = {.hlc = hlc};
    struct kw_lane_head head = {.lane = *lane, .closed = 100};
    struct kw_lane_batch batch = {.from = *point, .changes = &change, .count = 1};
    struct kw_buf out = {0};

    note_set(&record, NOTE_TAGS, value_set("x"));
    MUST(kw_record_encode(&record, &encoded, err));
    change.record = value_keep(&encoded);
    MUST(kw_lane_advance(point, &change, err));
    head.point = *point;
    MUST(kw_lane_head_sign(&head, feed_key(0), &out, err));
    batch.head_record = value_keep(&out);
    out = (struct kw_buf){0};
    MUST(kw_lane_batch_encode(&batch, &out, err));
    return value_keep(&out);
}

/* It is late, and applied. Joined to the one before it nobody could read it. */
Test(feed_peers, a_clock_that_falls_between_two_batches_stops_no_relay)
{
    struct kw_lane lane = {a->feed.options.mesh, a->id, a->incarnation, 7};
    struct kw_lane_point point;
    struct kw_id id;

    MUST(kw_lane_start(&lane, &point, err));
    MUST(kw_lane_id(&lane, &id, err));
    cr_assert_eq(feed_apply(b, at_hlc(&lane, &point, 100)), KW_LANE_NEWS);
    cr_assert_eq(feed_apply(b, at_hlc(&lane, &point, 50)), KW_LANE_NEWS);
    feed_catch_up(c, b, id);
    cr_assert_eq(feed_seq(c, id), 2);
    (void)feed_number(b,
                      "DELETE FROM feed_lanes WHERE writer = 7 RETURNING 1"); /* teardown looks */
    (void)feed_number(c, "DELETE FROM feed_lanes WHERE writer = 7 RETURNING 1");
}

static struct kw_result run_read(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_feed_found found;

    return kw_feed_read(&job->node->feed, tx, a->lane, 0, feed_key(job->node->number), &out, &found,
                        err);
}

/* Else peers would find the fault, and cut the link to who is honest. */
Test(feed_peers, what_is_damaged_is_not_given)
{
    write_notes(a, 2);
    feed_catch_up(c, a, a->lane);
    (void)feed_number(a, "UPDATE feed_changes SET hlc = hlc - 1 WHERE seq = 1 RETURNING 1");
    cr_assert_eq(feed_look(a, run_read, NULL, NULL, NULL).reason, KW_E_INTERNAL);
    (void)feed_number(a, "UPDATE feed_changes SET hlc = hlc + 1 WHERE seq = 1 RETURNING 1 + 1");
    MUST(feed_look(a, run_read, NULL, NULL, err));
    MUST(feed_look(c, run_read, NULL, NULL, err));
    (void)feed_number(c, "UPDATE feed_changes SET head = record WHERE seq = 2 RETURNING 1");
    cr_assert_eq(feed_look(c, run_read, NULL, NULL, NULL).reason, KW_E_INTERNAL);
}

/* --- what nobody signs for --- */

Test(feed_peers, an_acknowledgement_of_what_is_to_come_counts_for_nothing_then)
{
    write_notes(a, 1);
    feed_ack(a, b, a->lane, INT64_MAX);
    feed_ack(a, c, a->lane, INT64_MAX);
    write_notes(a, 5);
    cr_assert_eq(feed_trim(a, 100), 1);
    cr_assert_eq(feed_read_kind(a, a->lane, 1), KW_FEED_READ_BATCH);
}

Test(feed_peers, acknowledgements_of_strangers_and_of_unknown_lanes_are_not_kept)
{
    struct kw_record fenced = feed_store_row(c);
    struct feed_node ghost = {.id = {{7}}};

    write_notes(a, 1);
    feed_ack(a, &ghost, a->lane, 1);
    feed_ack(a, b, (struct kw_id){{8}}, 1);
    MUST(kw_record_set(&fenced, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    feed_put_row(a, &kw_store_record, &fenced);
    feed_ack(a, c, a->lane, 1);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_acks"), 0);
    feed_ack(a, b, a->lane, 1);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_acks"), 1);
}

Test(feed_peers, an_acknowledgement_counts_of_the_store_whose_place_it_comes_from)
{
    struct kw_record placed = feed_store_row(b);

    MUST(kw_record_set(&placed, &kw_store_record, KW_STORE_FIELD_PLACE, kw_bytes_str("us/a"), err));
    feed_put_row(a, &kw_store_record, &placed);
    write_notes(a, 2);
    cr_assert_eq(feed_ack_from(a, b, "us/b", a->lane, 2), 0);
    cr_assert_eq(feed_ack_from(a, b, "us/", a->lane, 2), 0);
    cr_assert_eq(feed_ack_from(a, b, "", a->lane, 2), 0);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_acks"), 0);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "stranger"), 3);
    cr_assert_eq(feed_ack_from(a, b, "us/a", a->lane, 1), 1);
    cr_assert_eq(feed_ack_from(a, b, "us/a", a->lane, UINT64_MAX), 2, "what is held");
}
