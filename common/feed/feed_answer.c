/* A row from elsewhere is taken in as a change would be, under a name of its own: its giver's id and
 * its digest. */
#include "common/feed/feed_answer.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/change_table.h"
#include "common/feed/feed_rows.h"
#include "common/feed/feed_take.h"
#include "common/feed/record_table.h"

struct kw_result kw_feed_judge_answer(const struct kw_feed *feed, struct kw_tx *tx,
                                      const struct kw_ask *ask, const struct kw_answer *answer,
                                      enum kw_answer_verdict *ret_verdict, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_record store;
    struct kw_result result;
    bool found;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for the row of a store");
    result = kw_feed_find(tx, &kw_store_record, kw_id_bytes(&answer->to.store), arena, &store,
                          &found, err);
    if (kw_ok(result)) {
        result = kw_answer_check(feed->options.mesh, ask, found ? &store : NULL, answer,
                                 ret_verdict, err);
    }
    kw_arena_free(arena);
    KW_TRY(result);
    kw_metric_add(KW_M_FEED_ANSWERS, kw_answer_verdict_name(*ret_verdict), 1);
    if (*ret_verdict != KW_ANSWER_GOOD) {
        KW_LOG(ERROR, "what a store hands over is not believed",
               KW_F_STR("verdict", kw_answer_verdict_name(*ret_verdict)),
               KW_F_HEX("store", kw_id_bytes(&answer->to.store)));
    }
    return KW_OK;
}

/* --- a row --- */

struct taking {
    struct kw_feed *feed;
    struct kw_tx *tx;
    struct kw_id from;
    struct kw_bytes row;
    uint64_t wall_ms;
    struct kw_arena *arena;
};

/* Ours, if it is damaged. */
static struct kw_result find_damaged(const struct taking *t, const struct kw_feed_table **ret_table,
                                     struct kw_record_row *ret_ours, bool *ret_damaged,
                                     struct kw_error *err)
{
    const struct kw_feed_table *table = NULL;
    struct kw_bytes key;
    uint16_t number;

    *ret_damaged = false;
    if (kw_record_peek(t->row, &number, &key)) {
        table = kw_feed_table_of(t->feed, number);
    }
    if (table == NULL) {
        return KW_OK; /* no row: it is for quarantine */
    }
    *ret_table = table;
    KW_TRY(kw_record_row_look(t->tx, table->kind, key, t->arena, ret_ours, ret_damaged, err));
    *ret_damaged = *ret_damaged && ret_ours->damaged;
    return KW_OK;
}

static struct kw_result take(const struct taking *t, struct kw_feed_taken *ret_taken,
                             struct kw_error *err)
{
    struct kw_waiting row = {
        .lane = t->from, .point = {.seq = 1}, .record = t->row, .is_row = true};

    KW_TRY(kw_sha256(t->row, row.point.chain, err));
    return kw_feed_take(t->feed, t->tx, &row, t->wall_ms, ret_taken, err);
}

/* All that is kept of what was ever said of the row. */
static struct kw_result take_logged(const struct taking *t, struct kw_bytes key, uint16_t table,
                                    struct kw_error *err)
{
    struct kw_waiting *changes;
    struct kw_feed_taken taken;
    size_t count;

    KW_TRY(kw_change_list_of(t->tx, table, key, t->arena, &changes, &count, err));
    for (size_t i = 0; i < count; i++) {
        KW_TRY(kw_feed_take(t->feed, t->tx, &changes[i], t->wall_ms, &taken, err));
    }
    return KW_OK;
}

/* In the place of ours; that stays, and is damaged, if what comes is worth nothing: another store is asked. */
static struct kw_result mend(const struct taking *t, const struct kw_feed_table *table,
                             const struct kw_record_row *ours, struct kw_error *err)
{
    struct kw_feed_taken taken;

    KW_TRY(kw_record_row_delete(t->tx, t->feed->options.writer, table->kind, ours, err));
    KW_TRY(take(t, &taken, err));
    KW_ENSURE(taken.how != KW_FEED_TAKEN_QUARANTINE, err, INTERNAL,
              "what should come in the place of a damaged row can't be read");
    KW_ENSURE(!taken.nothing, err, INTERNAL,
              "of what should come in the place of a damaged row nothing is proven");
    return take_logged(t, ours->key, table->kind->table, err);
}

static struct kw_result take_row(const struct taking *t, enum kw_row_news *ret_news,
                                 struct kw_error *err)
{
    const struct kw_feed_table *table = NULL;
    struct kw_feed_taken taken;
    struct kw_record_row ours;
    bool damaged;

    KW_TRY(find_damaged(t, &table, &ours, &damaged, err));
    if (damaged) {
        *ret_news = KW_ROW_MENDED;
        return mend(t, table, &ours, err);
    }
    KW_TRY(take(t, &taken, err));
    *ret_news = taken.news ? KW_ROW_NEWS : KW_ROW_KNOWN;
    return KW_OK;
}

struct kw_result kw_feed_take_row(struct kw_feed *feed, struct kw_tx *tx, struct kw_id from,
                                  struct kw_bytes row, uint64_t wall_ms, enum kw_row_news *ret_news,
                                  struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    const struct taking t = {feed, tx, from, row, wall_ms, arena};
    struct kw_result taken;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a row");
    taken = take_row(&t, ret_news, err);
    kw_arena_free(arena);
    return taken;
}
