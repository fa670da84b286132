/* What a fenced store had said beyond its fence: bundled, brought to another, said again as far as it disables. Node 0 is
 * fenced at b and c, and goes on. */
#include "common/base/metrics.h"
#include "common/feed/feed_order.h"
#include "common/feed/feed_orphans.h"
#include "common/feed/feed_replay.h"
#include "common/feed/feed_rows.h"
#include "common/feed/orphans.h"
#include "common/sync/suspension_set.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/lane_order.h"
#include "tests/support/must.h"

#include <stdio.h>

#define NODES 3
#define ARENA (8U << 20)

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];
static struct feed_node *const c = &nodes[2];

static void setup(void)
{
    feed_nodes_init(nodes, NODES);
    for (unsigned i = 0; i < NODES; i++) {
        nodes[i].feed.options.orders = order_trust();
    }
}

static void teardown(void)
{
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_orphans, .init = setup, .fini = teardown, .timeout = 60);

/* --- what a says --- */

static void say_tags(const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set("x"));
    feed_write(a, &record, false);
}

static void say_many(unsigned count)
{
    char key[16];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "m%u", i);
        say_tags(key);
    }
}

static void say_removed(const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_REMOVED, value_first(a->wall_ms, a->id, "gone"));
    feed_write(a, &record, true);
}

/* Two things in one change. */
static void say_both(const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_REMOVED, value_first(a->wall_ms, a->id, "gone"));
    note_set(&record, NOTE_TAGS, value_set("y"));
    feed_write(a, &record, true);
}

/* --- the fence --- */

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static struct kw_result run_obey(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA);
    const struct kw_feed_tx feed_tx = {&job->node->feed, tx, arena, job->node->wall_ms};
    struct kw_feed_obeyed obeyed;

    return kw_feed_obey(&feed_tx, *(const struct kw_bytes *)job->in, false, &obeyed, err);
}

static struct kw_bytes fence_at(uint64_t seq)
{
    return order_fence(a->feed.options.mesh, a->id, order_honours(a->lane, seq), 1);
}

static void obey(struct feed_node *node, struct kw_bytes order)
{
    MUST(feed_do(node, run_obey, &order, NULL, err));
}

/* All know two notes; b and c fence a there, which does not hear of it. */
static void fence_a(void)
{
    say_tags("n1");
    say_tags("n2");
    feed_catch_up(b, a, a->lane);
    feed_catch_up(c, a, a->lane);
    obey(b, fence_at(2));
    obey(c, fence_at(2));
}

/* --- bundles --- */

struct made {
    const struct kw_private_key *key;
    struct kw_buf file;
    struct kw_feed_orphans count;
};

static struct kw_result run_bundle(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct made *made = job->out;

    return kw_feed_orphans(&job->node->feed, tx, made->key, job->node->wall_ms, &made->file,
                           &made->count, err);
}

static struct kw_bytes bundle_by(const struct kw_private_key *key, uint64_t changes)
{
    struct made made = {.key = key};

    MUST(feed_do(a, run_bundle, NULL, &made, err));
    cr_assert_eq(made.count.changes, changes);
    return value_keep(&made.file);
}

/* All that a ever said, in whichever life. */
static uint64_t said_by_a(void)
{
    return (uint64_t)feed_number(a, "SELECT count(*) FROM feed_changes JOIN feed_lanes ON id = lane"
                                    " WHERE role IN (2, 3)");
}

static struct kw_bytes bundle(uint64_t changes)
{
    return bundle_by(feed_key(0), changes);
}

/* The parts of a file: what is signed, and the first batch. */
static struct kw_bytes part_of(struct kw_bytes file, unsigned number)
{
    struct kw_reader r = KW_READER(file);
    struct kw_bytes part = KW_BYTES_NONE;

    for (unsigned i = 0; i <= number; i++) {
        part = kw_get_raw(&r, kw_get_u32(&r));
    }
    cr_assert_not(r.failed);
    return part;
}

/* --- replaying --- */

struct handed {
    struct kw_bytes bundle;
    struct kw_bytes batch;
    bool dry;
};

static struct kw_result run_replay(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = {&job->node->feed, tx, values_arena(), job->node->wall_ms};
    const struct handed *handed = job->in;

    return kw_feed_replay(&feed_tx, handed->bundle, handed->batch, handed->dry, job->out, err);
}

static enum kw_reason try_parts(struct feed_node *node, struct kw_bytes signed_part,
                                struct kw_bytes batch)
{
    const struct handed handed = {signed_part, batch, false};
    struct kw_replay replay;

    return feed_do(node, run_replay, &handed, &replay, NULL).reason;
}

static enum kw_reason try_replay(struct feed_node *node, struct kw_bytes file)
{
    return try_parts(node, part_of(file, 0), part_of(file, 1));
}

static struct kw_replay replay_as(struct feed_node *node, struct kw_bytes file, bool dry)
{
    const struct handed handed = {part_of(file, 0), part_of(file, 1), dry};
    struct kw_replay replay = {0};

    MUST((dry ? feed_look : feed_do)(node, run_replay, &handed, &replay, err));
    return replay;
}

static struct kw_replay replay(struct feed_node *node, struct kw_bytes file)
{
    return replay_as(node, file, false);
}

static int64_t removed(struct feed_node *node)
{
    return feed_number(node, "SELECT count(*) FROM notes WHERE removed = 1");
}

/* --- the bundle --- */

static struct kw_result count_batches(void *context, const struct kw_orphans *orphans,
                                      struct kw_bytes record, const struct kw_lane_batch *batch,
                                      struct kw_error *err)
{
    uint64_t *changes = context;

    (void)orphans;
    (void)record;
    (void)err;
    *changes += batch->count;
    return KW_OK;
}

static uint64_t changes_in(struct kw_bytes file)
{
    uint64_t changes = 0;

    MUST(kw_orphans_walk(file, count_batches, &changes, err));
    return changes;
}

Test(feed_orphans, a_bundle_has_all_that_lies_beyond_the_fence)
{
    fence_a();
    say_tags("n3");
    say_removed("n1");
    cr_assert_eq(changes_in(bundle(4)), 4, "it has not heard that it is fenced");
    obey(a, order_fence(a->feed.options.mesh, a->id, order_honours(a->lane, 4), 1));
    cr_assert_eq(changes_in(bundle(1)), 1, "the fence itself, which nobody hears from a");
}

Test(feed_orphans, who_has_heard_of_the_fence_begins_there)
{
    fence_a();
    say_tags("n3");
    say_removed("n1");
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(changes_in(bundle(2)), 2);
    cr_assert_eq(replay(b, bundle(2)).said, 1);
}

Test(feed_orphans, a_bundle_of_many_changes_has_many_batches)
{
    fence_a();
    say_many(KW_ORPHAN_BATCH_MAX + 10);
    cr_assert_eq(changes_in(bundle(KW_ORPHAN_BATCH_MAX + 12)), KW_ORPHAN_BATCH_MAX + 12);
    cr_assert_eq(lane_batch_read(part_of(bundle(KW_ORPHAN_BATCH_MAX + 12), 1)).count,
                 KW_ORPHAN_BATCH_MAX);
}

Test(feed_orphans, lanes_of_earlier_lives_are_in_it)
{
    fence_a();
    say_removed("n1");
    feed_new_life(a);
    say_removed("n2");
    cr_assert_eq(said_by_a(), 4);
    cr_assert_eq(changes_in(bundle(said_by_a())), said_by_a());
}

/* --- said again --- */

Test(feed_orphans, what_disables_is_said_again_and_gets_everywhere)
{
    struct kw_replay said;

    fence_a();
    say_removed("n1");
    say_tags("n3");
    said = replay(b, bundle(4));
    cr_assert(said.known);
    cr_assert(kw_id_equal(said.lane, a->lane));
    cr_assert_eq(said.count, 4);
    cr_assert_eq(said.said, 1);
    cr_assert_eq(said.changes[0].how, KW_REPLAYED_HONOURED);
    cr_assert_eq(said.changes[1].how, KW_REPLAYED_HONOURED);
    cr_assert_eq(said.changes[2].how, KW_REPLAYED_SAID);
    cr_assert_eq(said.changes[2].seq, 3);
    cr_assert_not(said.changes[2].in_part);
    cr_assert_eq(said.changes[3].how, KW_REPLAYED_LEFT);
    cr_assert_str_eq(said.changes[3].table, note_kind.name);
    cr_assert_eq(removed(b), 1);
    feed_catch_up(c, b, b->lane);
    cr_assert_eq(removed(c), 1);
    cr_assert_eq(feed_number(c, "SELECT count(*) FROM notes"), 2, "and nothing else");
}

Test(feed_orphans, it_goes_ahead_of_our_lane)
{
    struct kw_bytes urgent;

    fence_a();
    say_removed("n1");
    (void)replay(b, bundle(3));
    urgent = feed_urgent(b, b->lane, 1);
    cr_assert_eq(feed_apply_urgent(c, urgent), KW_LANE_NEWS);
    cr_assert_eq(removed(c), 1);
}

Test(feed_orphans, twice_is_once)
{
    struct kw_bytes file;
    struct kw_replay again;
    uint64_t seq;

    fence_a();
    say_removed("n1");
    file = bundle(3);
    cr_assert_eq(replay(b, file).said, 1);
    seq = feed_seq(b, b->lane);
    again = replay(b, file);
    cr_assert_eq(again.said, 0);
    cr_assert_eq(again.changes[2].how, KW_REPLAYED_KNOWN);
    cr_assert_eq(feed_seq(b, b->lane), seq);
    feed_catch_up(c, b, b->lane);
    cr_assert_eq(replay(c, file).said, 0, "whoever said it");
}

Test(feed_orphans, who_only_looks_changes_nothing)
{
    uint8_t before[KW_SHA256_LEN];
    uint8_t after[KW_SHA256_LEN];
    struct kw_replay looked;

    fence_a();
    say_removed("n1");
    feed_state(b, before);
    looked = replay_as(b, bundle(3), true);
    cr_assert_eq(looked.changes[2].how, KW_REPLAYED_SAID, "it would be");
    feed_state(b, after);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(before), KW_BYTES_OF(after)));
}

Test(feed_orphans, of_a_change_only_what_disables_is_said)
{
    struct kw_replay said;

    fence_a();
    say_both("n1");
    said = replay(b, bundle(3));
    cr_assert_eq(said.changes[2].how, KW_REPLAYED_SAID);
    cr_assert(said.changes[2].in_part);
    cr_assert_eq(removed(b), 1);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes WHERE tags = x'0178'"), 2);
}

Test(feed_orphans, a_life_that_nobody_heard_of_is_its_own_by_its_key)
{
    struct kw_bytes file;
    struct kw_reader r;
    struct kw_bytes signed_part;
    size_t said = 0;

    fence_a();
    feed_new_life(a);
    say_removed("n2");
    file = bundle(said_by_a());
    r = KW_READER(file);
    signed_part = kw_get_raw(&r, kw_get_u32(&r));
    while (r.rest.len > 0) {
        const struct handed handed = {signed_part, kw_get_raw(&r, kw_get_u32(&r)), false};
        struct kw_replay one = {0};

        MUST(feed_do(b, run_replay, &handed, &one, err));
        said += one.said;
    }
    cr_assert_eq(said, 1);
    cr_assert_eq(removed(b), 1);
}

/* b held two of a, c four; then c was lost. The second fence honours no more than b has. */
static void fence_a_again(void)
{
    say_tags("n1");
    say_tags("n2");
    feed_catch_up(b, a, a->lane);
    say_removed("n1");
    say_tags("n4");
    obey(b, fence_at(4));
    obey(b, order_fence(a->feed.options.mesh, a->id, order_honours(a->lane, 2), 2));
}

Test(feed_orphans, what_a_later_fence_honours_no_more_is_said)
{
    struct kw_replay said;

    fence_a_again();
    said = replay(b, bundle(4));
    cr_assert_eq(said.changes[1].how, KW_REPLAYED_HONOURED);
    cr_assert_eq(said.changes[2].how, KW_REPLAYED_SAID);
    cr_assert_eq(said.changes[3].how, KW_REPLAYED_LEFT);
    cr_assert_eq(removed(b), 1);
}

Test(feed_orphans, and_who_has_heard_of_it_begins_there)
{
    fence_a_again();
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(changes_in(bundle(2)), 2);
    cr_assert_eq(replay(b, bundle(2)).said, 1);
}

/* Its lane may bring it, or never. */
Test(feed_orphans, what_is_honoured_and_is_not_here_is_said)
{
    struct kw_replay said;

    say_tags("n1");
    feed_catch_up(b, a, a->lane);
    say_removed("n1");
    obey(b, fence_at(2));
    said = replay(b, bundle(2));
    cr_assert_eq(said.changes[0].how, KW_REPLAYED_HONOURED);
    cr_assert_eq(said.changes[1].how, KW_REPLAYED_SAID);
    cr_assert_eq(removed(b), 1);
}

/* --- refused --- */

static struct kw_bytes altered(struct kw_bytes bytes, size_t at)
{
    struct kw_buf copy = {0};

    MUST(kw_buf_append(&copy, bytes, err));
    copy.data[at] ^= 1;
    return value_keep(&copy);
}

Test(feed_orphans, of_a_store_that_is_not_fenced_nothing_is_taken)
{
    say_removed("n1");
    cr_assert_eq(try_replay(b, bundle(1)), KW_E_STATE_CONFLICT);
    cr_assert_eq(removed(b), 0);
}

Test(feed_orphans, who_signs_for_another_is_refused)
{
    struct kw_bytes mine;

    fence_a();
    say_removed("n1");
    mine = bundle(3);
    cr_assert_eq(try_replay(b, bundle_by(feed_key(4), 3)), KW_E_SIGNATURE_INVALID);
    cr_assert_eq(try_parts(b, part_of(mine, 0), part_of(bundle_by(feed_key(4), 3), 1)),
                 KW_E_SIGNATURE_INVALID);
    cr_assert_eq(try_parts(b, part_of(bundle_by(feed_key(4), 3), 0), part_of(mine, 1)),
                 KW_E_SIGNATURE_INVALID);
    cr_assert_eq(try_parts(b, altered(part_of(mine, 0), 40), part_of(mine, 1)),
                 KW_E_SIGNATURE_INVALID, "the time that it was made at");
    cr_assert_eq(removed(b), 0);
}

Test(feed_orphans, what_was_altered_is_refused)
{
    struct kw_bytes mine;
    struct kw_bytes batch;

    fence_a();
    say_removed("n1");
    mine = bundle(3);
    batch = part_of(mine, 1);
    cr_assert_eq(try_parts(b, part_of(mine, 0), altered(batch, batch.len - 1)),
                 KW_E_ARGUMENT_INVALID);
    cr_assert_eq(try_parts(b, kw_bytes_str("none"), batch), KW_E_ARGUMENT_INVALID);
    cr_assert_eq(try_parts(b, part_of(mine, 0), kw_bytes_str("none")), KW_E_ARGUMENT_INVALID);
    cr_assert_eq(kw_orphans_walk(altered(mine, mine.len - 1), NULL, NULL, NULL).reason,
                 KW_E_ENCODING_INVALID);
    cr_assert_eq(removed(b), 0);
}

Test(feed_orphans, a_file_that_was_cut_short_is_none)
{
    struct kw_bytes file;

    fence_a();
    say_removed("n1");
    file = bundle(3);
    for (size_t len = 0; len < file.len; len++) {
        cr_assert_neq(kw_orphans_walk(KW_BYTES(file.data, len), NULL, NULL, NULL).reason, KW_E_NONE,
                      "%zu", len);
    }
    MUST(kw_orphans_walk(file, NULL, NULL, err));
}

/* Some of its batches were taken out. */
Test(feed_orphans, a_file_with_a_gap_is_none)
{
    struct kw_buf holed = {0};
    struct kw_writer w = KW_WRITER(&holed);
    struct kw_bytes file;

    fence_a();
    say_many(2 * KW_ORPHAN_BATCH_MAX);
    file = bundle(2 * KW_ORPHAN_BATCH_MAX + 2);
    kw_put_orphan_part(&w, part_of(file, 0));
    kw_put_orphan_part(&w, part_of(file, 1));
    kw_put_orphan_part(&w, part_of(file, 3));
    MUST(kw_writer_end(&w, err));
    cr_assert_eq(kw_orphans_walk(value_keep(&holed), NULL, NULL, NULL).reason,
                 KW_E_ENCODING_INVALID);
}

Test(feed_orphans, one_of_another_mesh_is_refused)
{
    struct kw_id mesh = {{9}};

    fence_a();
    say_removed("n1");
    a->feed.options.mesh = mesh;
    cr_assert_eq(try_replay(b, bundle(3)), KW_E_BINDING_INVALID);
    a->feed.options.mesh = b->feed.options.mesh;
}

Test(feed_orphans, one_of_a_store_that_nobody_knows_is_somebody_elses)
{
    struct kw_orphans nobody = {.mesh = a->feed.options.mesh, .store = {{7}}};
    struct kw_buf record = {0};
    const struct handed handed = {KW_BYTES_NONE, KW_BYTES_NONE, false};
    struct handed with = handed;
    struct kw_replay replayed = {.known = true};

    MUST(kw_orphans_sign(&nobody, feed_key(0), &record, err));
    with.bundle = value_keep(&record);
    MUST(feed_do(b, run_replay, &with, &replayed, err));
    cr_assert_not(replayed.known);
}

/* What was deleted there lies between: it is told once, and what disables is in force all the same. */
Test(feed_orphans, changes_that_are_missing_after_the_fence_are_told_and_the_rest_is_said)
{
    struct kw_bytes file;
    struct handed second = {.dry = false};
    struct kw_replay said;

    fence_a();
    say_removed("n1");
    say_removed("n2");
    say_many(KW_ORPHAN_BATCH_MAX);
    feed_ack(a, b, a->lane, 3);
    feed_ack(a, c, a->lane, 3);
    cr_assert_eq(feed_trim(a, 1000), 3);
    file = bundle(KW_ORPHAN_BATCH_MAX + 1);
    said = replay(b, file);
    cr_assert_eq(said.said, 1);
    cr_assert_eq(said.missing_first, 3);
    cr_assert_eq(said.missing_last, 3);
    cr_assert_eq(removed(b), 1);
    second.bundle = part_of(file, 0);
    second.batch = part_of(file, 2);
    MUST(feed_do(b, run_replay, &second, &said, err));
    cr_assert_eq(said.missing_last, 0, "it was told");
}

Test(feed_orphans, what_the_lane_brings_is_not_missing)
{
    struct kw_replay said;

    fence_a();
    say_removed("n1");
    feed_ack(a, b, a->lane, 2);
    feed_ack(a, c, a->lane, 2);
    cr_assert_eq(feed_trim(a, 1000), 2);
    said = replay(b, bundle(1));
    cr_assert_eq(said.said, 1);
    cr_assert_eq(said.missing_last, 0);
}

Test(feed_orphans, a_batch_is_part_of_its_bundle)
{
    struct kw_bytes before;

    fence_a();
    say_tags("n3");
    before = bundle(3);
    say_removed("n1");
    cr_assert_eq(try_parts(b, part_of(before, 0), part_of(bundle(4), 1)), KW_E_ARGUMENT_INVALID,
                 "it goes beyond what was signed");
}

Test(feed_orphans, nobody_replays_what_it_said_itself)
{
    fence_a();
    say_removed("n1");
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(try_replay(a, bundle(1)), KW_E_STATE_CONFLICT);
}

/* Other changes are held here under its numbers. */
Test(feed_orphans, what_contradicts_the_lane_that_is_held_is_refused)
{
    fence_a();
    say_removed("n1");
    (void)feed_number(
        b, "UPDATE feed_lanes SET chain = zeroblob(32) WHERE seq = 2 AND role = 1 RETURNING 1");
    cr_assert_eq(try_replay(b, bundle(3)), KW_E_STATE_CONFLICT);
    cr_assert_eq(removed(b), 0);
    (void)feed_number(b, "UPDATE feed_lanes SET chain = (SELECT chain FROM feed_changes WHERE"
                         " lane = id AND feed_changes.seq = 2) WHERE seq = 2 AND role = 1"
                         " RETURNING 1");
}

/* --- what disables --- */

static const struct kw_field_kind held_fields[] = {
    [1] = {"holds", KW_RULE_SUSPENSIONS}, [2] = {"terms", KW_RULE_ONCE}};
static const struct kw_record_kind held_kind = {
    .table = 99, .name = "held", KW_RECORD_FIELDS(held_fields)};

static bool holds(const struct kw_record *change)
{
    return kw_suspensions_in_force(kw_record_value(change, 1));
}

static struct kw_bytes suspensions(unsigned first, unsigned second)
{
    struct kw_buf set = {0};
    struct kw_writer w = KW_WRITER(&set);

    kw_put_suspension(&w, (struct kw_id){{1}}, first);
    kw_put_suspension(&w, (struct kw_id){{2}}, second);
    MUST(kw_writer_end(&w, err));
    return value_keep(&set);
}

static struct kw_record only_disabling(struct kw_bytes set)
{
    const struct kw_feed_table table = {.kind = &held_kind, .disables = holds};
    struct kw_record change = {.table = 99, .key = kw_bytes_str("k")};
    struct kw_record only;

    MUST(kw_record_set(&change, &held_kind, 1, set, err));
    MUST(kw_record_set(&change, &held_kind, 2, kw_bytes_str("t"), err));
    MUST(kw_feed_only_disabling(&a->feed, &table, &change, values_arena(), &only, err));
    return only;
}

Test(feed_orphans, a_suspension_is_set_and_none_is_lifted)
{
    struct kw_record only = only_disabling(suspensions(KW_SUSPENSION_LIFTED, KW_SUSPENSION_SET));

    cr_assert_eq(only.count, 1);
    cr_assert_not(kw_suspensions_has(only.fields[0].value, (struct kw_id){{1}}));
    cr_assert(kw_suspensions_has(only.fields[0].value, (struct kw_id){{2}}));
    cr_assert_eq(only_disabling(suspensions(KW_SUSPENSION_LIFTED, 3)).count, 0);
}

static struct kw_result proves(const void *trust, const struct kw_record *record,
                               struct kw_error *err)
{
    (void)trust;
    KW_ENSURE(kw_record_has(record, 2), err, ENCODING_INVALID, "nobody signed for that");
    return KW_OK;
}

/* As a whole, and only if it disables; without its proof not at all. */
Test(feed_orphans, what_must_be_proven_is_said_with_its_proof_or_not)
{
    const struct kw_feed_table table = {.kind = &held_kind, .disables = holds, .prove = proves};
    struct kw_record change = {.table = 99, .key = kw_bytes_str("k")};
    struct kw_record only;

    MUST(kw_record_set(&change, &held_kind, 1, suspensions(KW_SUSPENSION_SET, 3), err));
    MUST(kw_feed_only_disabling(&a->feed, &table, &change, values_arena(), &only, err));
    cr_assert_eq(only.count, 0);
    MUST(kw_record_set(&change, &held_kind, 2, kw_bytes_str("t"), err));
    MUST(kw_feed_only_disabling(&a->feed, &table, &change, values_arena(), &only, err));
    cr_assert_eq(only.count, 2);
    MUST(kw_record_set(&change, &held_kind, 1, suspensions(KW_SUSPENSION_LIFTED, 3), err));
    MUST(kw_feed_only_disabling(&a->feed, &table, &change, values_arena(), &only, err));
    cr_assert_eq(only.count, 0);
}

/* Of stores an order is brought as an order, and nothing as an orphan. */
Test(feed_orphans, nobody_is_fenced_by_what_a_fenced_store_says)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&c->id)};
    struct kw_replay said;

    fence_a();
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_FENCE_ORDER, value_lww(1, a->id, "x"),
                       err));
    feed_write(a, &row, false);
    said = replay(b, bundle(3));
    cr_assert_eq(said.changes[2].how, KW_REPLAYED_LEFT);
}
