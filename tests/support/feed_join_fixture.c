/* Each step is one job, as an owner would run it. */
#include "tests/support/feed_join_fixture.h"

#include "common/feed/feed_compare.h"
#include "common/feed/feed_join.h"
#include "common/feed/feed_repair.h"
#include "common/feed/feed_snapshot.h"
#include "tests/support/must.h"

#define ARENA_MAX (64U << 20)
#define ROWS_MAX  256

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

/* --- joining --- */

static struct kw_result run_join(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_join(&job->node->feed, tx, *(const struct kw_id *)job->in, err);
}

void feed_join(struct feed_node *node, const struct feed_node *donor)
{
    MUST(feed_do(node, run_join, &donor->id, NULL, err));
}

struct asking {
    struct kw_ask ask;
    bool joining;
};

static struct kw_result run_ask(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct asking *asking = job->out;

    return kw_feed_join_ask(tx, values_arena(), &asking->ask, &asking->joining, err);
}

static struct asking look_up(struct feed_node *node)
{
    struct asking asking = {0};

    MUST(feed_look(node, run_ask, NULL, &asking, err));
    return asking;
}

struct kw_ask feed_ask(struct feed_node *node)
{
    struct asking asking = look_up(node);

    REQUIRE(asking.joining, "the node is not joining");
    return asking.ask;
}

bool feed_is_joining(struct feed_node *node)
{
    return look_up(node).joining;
}

static struct kw_result run_answer(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_snapshot(&job->node->feed, tx, job->in, feed_key(job->node->number), job->out,
                            err);
}

struct kw_bytes feed_answer(struct feed_node *donor, const struct kw_ask *ask)
{
    struct kw_buf record = {0};

    MUST(feed_look(donor, run_answer, ask, &record, err));
    return value_keep(&record);
}

struct kw_result feed_try_answer(struct feed_node *donor, const struct kw_ask *ask,
                                 struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    return feed_look(donor, run_answer, ask, &record, err);
}

struct kw_answer feed_answer_read(struct kw_bytes record)
{
    struct kw_answer answer;

    MUST(kw_answer_decode(record, values_arena(), &answer, err));
    return answer;
}

struct taking {
    const struct kw_ask *ask;
    struct kw_bytes record;
    enum kw_answer_verdict verdict;
    bool done;
    size_t repaired;
};

static struct kw_result run_take(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct taking *taking = job->out;
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA_MAX);
    struct kw_answer answer;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    KW_TRY(kw_answer_decode(taking->record, arena, &answer, err));
    return kw_feed_join_take(&job->node->feed, tx, &answer, job->node->wall_ms, &taking->verdict,
                             &taking->done, err);
}

enum kw_answer_verdict feed_take(struct feed_node *node, struct kw_bytes record)
{
    struct taking taking = {.record = record};

    MUST(feed_do(node, run_take, NULL, &taking, err));
    return taking.verdict;
}

struct kw_result feed_try_take(struct feed_node *node, struct kw_bytes record, struct kw_error *err)
{
    struct taking taking = {.record = record};

    return feed_do(node, run_take, NULL, &taking, err);
}

bool feed_join_step(struct feed_node *node, struct feed_node *donor)
{
    struct kw_ask ask = feed_ask(node);
    struct taking taking = {.record = feed_answer(donor, &ask)};

    MUST(feed_do(node, run_take, NULL, &taking, err));
    cr_assert_eq(taking.verdict, KW_ANSWER_GOOD, "%s", kw_answer_verdict_name(taking.verdict));
    return !taking.done;
}

unsigned feed_join_all(struct feed_node *node, struct feed_node *donor)
{
    unsigned steps = 1;

    while (feed_join_step(node, donor)) {
        steps++;
    }
    return steps;
}

/* --- comparing --- */

struct children {
    uint8_t digests[KW_DIGEST_FAN][KW_SHA256_LEN];
};

static struct kw_result run_children(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct children *children = job->out;

    return kw_feed_digest_children(tx, *(const struct kw_digest_node *)job->in, children->digests,
                                   err);
}

static struct kw_result run_root(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_digest_node root = {.table = *(const uint16_t *)job->in};

    return kw_feed_digest(tx, root, job->out, err);
}

void feed_root(struct feed_node *node, uint16_t table, uint8_t ret_root[KW_SHA256_LEN])
{
    MUST(feed_look(node, run_root, &table, ret_root, err));
}

static struct kw_result run_reach(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_reach(tx, job->out, err);
}

void feed_reach(struct feed_node *node, uint8_t ret_reach[KW_SHA256_LEN])
{
    MUST(feed_look(node, run_reach, NULL, ret_reach, err));
}

struct bucket {
    struct kw_row_digest rows[ROWS_MAX];
    size_t count;
};

static struct kw_result run_rows_of(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_digest_node *node = job->in;
    struct bucket *bucket = job->out;

    return kw_feed_digest_rows(tx, node->table, node->index, KW_BYTES_NONE, values_arena(),
                               bucket->rows, ROWS_MAX, &bucket->count, err);
}

static bool has_it(const struct bucket *bucket, const struct kw_row_digest *row)
{
    for (size_t i = 0; i < bucket->count; i++) {
        if (kw_bytes_equal(bucket->rows[i].key, row->key)) {
            return kw_bytes_equal(KW_BYTES_OF(bucket->rows[i].digest), KW_BYTES_OF(row->digest));
        }
    }
    return false;
}

static void compare_rows(struct feed_node *node, struct feed_node *peer,
                         struct kw_digest_node place, struct feed_difference *difference)
{
    struct bucket ours;
    struct bucket theirs;

    MUST(feed_look(node, run_rows_of, &place, &ours, err));
    MUST(feed_look(peer, run_rows_of, &place, &theirs, err));
    difference->buckets++;
    for (size_t i = 0; i < theirs.count; i++) {
        if (!has_it(&ours, &theirs.rows[i])) {
            REQUIRE(difference->count < 64, "many rows differ");
            difference->keys[difference->count++] = theirs.rows[i].key;
        }
    }
}

static void compare_below(struct feed_node *node, struct feed_node *peer,
                          struct kw_digest_node place, struct feed_difference *difference)
{
    struct children ours;
    struct children theirs;

    if (place.level == KW_DIGEST_LEVELS) {
        compare_rows(node, peer, place, difference);
        return;
    }
    MUST(feed_look(node, run_children, &place, &ours, err));
    MUST(feed_look(peer, run_children, &place, &theirs, err));
    difference->nodes++;
    for (unsigned i = 0; i < KW_DIGEST_FAN; i++) {
        const struct kw_digest_node child = {place.table, (uint8_t)(place.level + 1),
                                             (uint16_t)(place.index * KW_DIGEST_FAN + i)};

        if (!kw_bytes_equal(KW_BYTES_OF(ours.digests[i]), KW_BYTES_OF(theirs.digests[i]))) {
            compare_below(node, peer, child, difference);
        }
    }
}

struct feed_difference feed_compare(struct feed_node *node, struct feed_node *peer, uint16_t table)
{
    struct feed_difference difference = {0};
    uint8_t roots[2][KW_SHA256_LEN];

    feed_root(node, table, roots[0]);
    feed_root(peer, table, roots[1]);
    if (!kw_bytes_equal(KW_BYTES_OF(roots[0]), KW_BYTES_OF(roots[1]))) {
        compare_below(node, peer, (struct kw_digest_node){.table = table}, &difference);
    }
    return difference;
}

/* --- mending --- */

struct kw_ask feed_ask_rows(const struct feed_node *peer, uint16_t table)
{
    struct kw_ask ask;

    MUST(kw_feed_ask(peer->id, KW_ASK_REPAIR,
                     &(struct kw_answer_place){.section = KW_SECTION_ROWS, .table = table}, &ask,
                     err));
    return ask;
}

struct wanted {
    const struct kw_ask *ask;
    const struct kw_bytes *keys;
    size_t count;
};

static struct kw_result run_rows(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct wanted *wanted = job->in;

    return kw_feed_rows(&job->node->feed, tx, wanted->ask, wanted->keys, wanted->count,
                        feed_key(job->node->number), job->out, err);
}

struct kw_bytes feed_rows(struct feed_node *peer, const struct kw_ask *ask,
                          const struct kw_bytes *keys, size_t count)
{
    const struct wanted wanted = {ask, keys, count};
    struct kw_buf record = {0};

    MUST(feed_look(peer, run_rows, &wanted, &record, err));
    return value_keep(&record);
}

static struct kw_result run_repair(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct taking *taking = job->out;
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA_MAX);
    struct kw_answer answer;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    KW_TRY(kw_answer_decode(taking->record, arena, &answer, err));
    return kw_feed_repair(&job->node->feed, tx, taking->ask, &answer, job->node->wall_ms,
                          &taking->verdict, &taking->repaired, err);
}

enum kw_answer_verdict feed_repair(struct feed_node *node, const struct kw_ask *ask,
                                   struct kw_bytes record, size_t *ret_repaired)
{
    struct taking taking = {.ask = ask, .record = record};

    MUST(feed_do(node, run_repair, NULL, &taking, err));
    *ret_repaired = taking.repaired;
    return taking.verdict;
}

size_t feed_heal(struct feed_node *node, struct feed_node *peer, uint16_t table)
{
    struct feed_difference difference = feed_compare(node, peer, table);
    struct kw_ask ask = feed_ask_rows(peer, table);
    struct kw_bytes record;
    size_t repaired;

    if (difference.count == 0) {
        return 0;
    }
    record = feed_rows(peer, &ask, difference.keys, difference.count);
    cr_assert_eq(feed_repair(node, &ask, record, &repaired), KW_ANSWER_GOOD);
    return repaired;
}

struct scrubbing {
    struct kw_scrub_place place;
    struct kw_scrub scrub;
};

static struct kw_result run_scrub(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct scrubbing *scrubbing = job->out;

    return kw_feed_scrub(&job->node->feed, tx, values_arena(), &scrubbing->place, &scrubbing->scrub,
                         err);
}

static struct kw_result run_mark(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_scrub *scrub = job->in;

    return kw_feed_scrub_mark(&job->node->feed, tx, scrub->table, scrub->bucket, values_arena(),
                              job->out, err);
}

unsigned feed_scrub(struct feed_node *node, struct kw_scrub *first)
{
    struct scrubbing scrubbing = {0};
    unsigned findings = 0;

    while (!scrubbing.scrub.done) {
        size_t damaged;

        MUST(feed_look(node, run_scrub, NULL, &scrubbing, err));
        if (scrubbing.scrub.found == KW_SCRUB_NOTHING) {
            continue;
        }
        if (findings == 0 && first != NULL) {
            *first = scrubbing.scrub;
        }
        findings++;
        MUST(feed_do(node, run_mark, &scrubbing.scrub, &damaged, err));
    }
    return findings;
}
