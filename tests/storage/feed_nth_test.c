/* Each allocation of a job of the feed fails once, ours and SQLite's: the transaction does nothing, says
 * why, and works the next time. Node 0 writes, node 1 hears. */
#include "common/feed/feed_admit.h"
#include "common/feed/feed_freshness.h"
#include "common/feed/feed_holdings.h"
#include "tests/support/feed_join_fixture.h"
#include "tests/support/lane_voucher.h"
#include "tests/support/must.h"
#include "tests/support/note.h"
#include "tests/support/nth.h"

#include <stdio.h>

static struct feed_node nodes[2];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];
static unsigned number; /* of what is written */

static void setup(void)
{
    nth_sqlite_install();
    for (unsigned i = 0; i < 2; i++) {
        feed_node_init(&nodes[i], i);
    }
    feed_introduce(nodes, 2);
    feed_node_close(a);
    a->table_count = feed_tables_new;
    feed_node_open(a);
}

static void teardown(void)
{
    feed_node_done(a);
    feed_node_done(b);
}

TestSuite(feed_nth, .init = setup, .fini = teardown, .timeout = 500);

static struct kw_record new_note(void)
{
    char key[16];
    struct kw_record record;

    (void)snprintf(key, sizeof(key), "n%u", number++);
    record = note(key);
    note_set(&record, NOTE_TAGS, value_set("x"));
    note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, (struct kw_id){{1}}, "gone"));
    return record;
}

/* One that is applied, one that is held in part, one that b can't read. */
static struct kw_bytes three_changes(void)
{
    struct kw_record plain = new_note();
    struct kw_record ahead = new_note();
    struct kw_record later = new_note();

    a->wall_ms = b->wall_ms + 60000;
    note_set(&ahead, NOTE_TEXT, note_stamped(a, "later"));
    later.table = later_kind.table;
    feed_write(a, &plain, false);
    feed_write(a, &ahead, false);
    feed_write(a, &later, false);
    return feed_batch(a, a->lane, feed_seq(b, a->lane));
}

struct trial {
    const char *name;
    void (*prepare)(void);
    struct kw_result (*act)(struct kw_error *err);
    void (*after)(void); /* what holds once it was done */
};

static struct kw_bytes batch;
static struct kw_record intent;

/* A store that gave up is opened again, as its process would be started again. */
static void revive(void)
{
    if (!kw_store_alive(b->store.store)) {
        feed_node_close(b);
        feed_node_open(b);
    }
}

static void attempt(struct nth *nth)
{
    const struct trial *trial = nth->context;
    uint8_t before[KW_SHA256_LEN];
    uint8_t after[KW_SHA256_LEN];
    struct kw_error error = {0};
    struct kw_result result;

    trial->prepare();
    feed_state(b, before);
    nth_arm(nth);
    result = trial->act(&error);
    cr_assert(nth_disarm(nth) || kw_ok(result), "%s: %s", trial->name, error.message);
    if (!kw_ok(result)) {
        cr_assert(result.reason == KW_E_MEMORY || !kw_store_alive(b->store.store),
                  "%s %llu (%s): %s", trial->name, (unsigned long long)nth->n, nth_failed(),
                  error.message);
        revive();
        feed_state(b, after);
        cr_assert(kw_bytes_equal(KW_BYTES_OF(before), KW_BYTES_OF(after)),
                  "%s %llu (%s): half done", trial->name, (unsigned long long)nth->n, nth_failed());
        result = trial->act(&error);
        cr_assert(kw_ok(result), "%s, again: %s", trial->name, error.message);
    }
    trial->after();
}

static void run(const struct trial *trial)
{
    struct nth nth = {.what = trial->name,
                      .kind = &nth_calls,
                      .attempt = attempt,
                      .context = (void *)(uintptr_t)trial,
                      .sparse = 5};
    uint64_t attempts = nth_run(&nth);

    test_note("%s: %llu attempts", trial->name, (unsigned long long)attempts);
    cr_assert_gt(attempts, 5);
    feed_verify_lanes(b);
}

/* --- applying --- */

static void prepare_batch(void)
{
    batch = three_changes();
}

static struct kw_result apply_batch(struct kw_error *err)
{
    return feed_try_apply(b, batch, err);
}

/* Nothing went where it does not belong: want of memory is no reason for quarantine. */
static void all_is_taken(void)
{
    uint64_t seq = feed_seq(b, a->lane);

    cr_assert_eq(seq, feed_seq(a, a->lane));
    cr_assert_eq((uint64_t)feed_number(b, "SELECT count(*) FROM feed_quarantine"), seq / 3);
    cr_assert_eq((uint64_t)feed_number(b, "SELECT count(*) FROM feed_held"), seq / 3);
    cr_assert_eq((uint64_t)feed_number(b, "SELECT count(*) FROM notes"), seq / 3 * 2);
}

Test(feed_nth, applying)
{
    static const struct trial trial = {"apply", prepare_batch, apply_batch, all_is_taken};

    run(&trial);
}

/* --- releasing --- */

static void prepare_held(void)
{
    MUST(feed_try_apply(b, three_changes(), err));
    b->wall_ms += 120000;
}

static struct kw_result release(struct kw_error *err)
{
    return feed_try_release(b, err);
}

static void nothing_is_held(void)
{
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_held"), 0);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes WHERE length(text) = 5"),
                 feed_number(b, "SELECT count(*) FROM notes") / 2);
}

Test(feed_nth, releasing)
{
    static const struct trial trial = {"release", prepare_held, release, nothing_is_held};

    run(&trial);
}

/* --- writing --- */

static void prepare_intent(void)
{
    intent = new_note();
}

static struct kw_result write_intent(struct kw_error *err)
{
    return feed_try_write(b, &intent, true, err);
}

static void all_is_numbered(void)
{
    cr_assert_eq((int64_t)feed_seq(b, b->lane), feed_number(b, "SELECT count(*) FROM notes"));
}

Test(feed_nth, writing)
{
    static const struct trial trial = {"write", prepare_intent, write_intent, all_is_numbered};

    run(&trial);
}

/* --- giving and trimming --- */

static void prepare_own(void)
{
    const struct kw_record record = new_note();

    feed_write(b, &record, true);
}

static struct kw_result run_give(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    const struct kw_feed *feed = &job->node->feed;
    const struct kw_lane_point after = {.seq = number - 1};
    struct kw_lane_point at;
    struct kw_feed_found found;
    uint64_t counted;
    size_t trimmed;
    bool said;

    KW_TRY(kw_feed_read(feed, tx, job->node->lane, number - 1, feed_key(1), &out, &found, err));
    KW_TRY(kw_feed_read(feed, tx, job->node->lane, number, feed_key(1), &out, &found, err));
    KW_TRY(kw_feed_read_urgent(feed, tx, job->node->lane, &after, feed_key(1), &out, &at, err));
    KW_TRY(kw_feed_seal(&job->node->feed, tx, job->node->wall_ms, feed_key(1), &out, err));
    KW_TRY(kw_feed_ack(tx, &(struct kw_feed_acker){.store = a->id}, job->node->lane, number,
                       &counted, err));
    KW_TRY(kw_feed_say_holdings(&job->node->feed, tx, job->node->wall_ms, &said, err));
    return kw_feed_trim(feed, tx, 100, &trimmed, err);
}

static struct kw_result give(struct kw_error *err)
{
    return feed_do(b, run_give, NULL, NULL, err);
}

static void all_is_trimmed(void)
{
    cr_assert_eq(feed_lane(b, b->lane).floor.seq, number);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_changes"), 0);
}

Test(feed_nth, giving)
{
    static const struct trial trial = {"give", prepare_own, give, all_is_trimmed};

    run(&trial);
}

/* --- admitting --- */

static struct kw_bytes voucher;

static void prepare_voucher(void)
{
    static struct voucher_owner *owner;
    const struct kw_id seed = {{0x5e, (uint8_t)(number >> 8), (uint8_t)number}};

    if (owner == NULL) {
        owner = voucher_owner_in("us", "a", feed_key(2));
    }
    /* The one before, which has a voucher: a place has only so many. */
    (void)feed_number(b, "DELETE FROM feed_records WHERE kind = 1 AND length(record) > 500"
                         " RETURNING 1");
    number++;
    b->wall_ms = PKI_NOW_MS;
    b->feed.options.vouchers = &owner->trust;
    voucher = voucher_made(owner, b->feed.options.mesh, seed, seed, PKI_NOW_MS);
}

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static struct kw_result run_admit(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_freshness *freshness = job->out;
    enum kw_lane_verdict verdict;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    KW_TRY(kw_feed_admit(&job->node->feed, tx, voucher, job->node->wall_ms, arena, &verdict, err));
    KW_ENSURE(verdict == KW_LANE_NEWS, err, INTERNAL, "%s", kw_lane_verdict_name(verdict));
    return kw_feed_freshness(&job->node->feed, tx, job->node->wall_ms, freshness, err);
}

static struct kw_result admit(struct kw_error *err)
{
    struct kw_freshness freshness;

    return feed_do(b, run_admit, NULL, &freshness, err);
}

static void it_is_a_member(void)
{
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_records WHERE kind = 1"), 3);
}

Test(feed_nth, admitting)
{
    static const struct trial trial = {"admit", prepare_voucher, admit, it_is_a_member};

    run(&trial);
    b->feed.options.vouchers = NULL;
}

/* --- joining and mending --- */

static struct kw_bytes handed;
static struct kw_ask question;

static void prepare_run(void)
{
    const struct kw_record record = new_note();

    feed_write(a, &record, false);
    feed_join(b, a);
    question = feed_ask(b);
    handed = feed_answer(a, &question);
    if (number % 2 == 0) { /* else one run after the other, at each attempt */
        (void)feed_join_step(b, a);
        feed_join(b, a);
        question = feed_ask(b);
        handed = feed_answer(a, &question);
    }
}

static struct kw_result take_run(struct kw_error *err)
{
    return feed_try_take(b, handed, err);
}

static void it_went_on(void)
{
    cr_assert_eq(feed_take(b, handed), KW_ANSWER_UNASKED, "it was taken twice");
}

Test(feed_nth, joining)
{
    static const struct trial trial = {"join", prepare_run, take_run, it_went_on};

    run(&trial);
}
