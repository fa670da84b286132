/* Writing: a local change, numbered and chained in the transaction that makes it. The lane comes last,
 * because who has it is alone until the commit; its row comes once, with the end of the job. */
#include "common/base/limits.h"
#include "common/feed/change_table.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_rows.h"
#include "common/feed/join_table.h"

/* So that any row, whatever is merged into it, fits into an answer. */
static struct kw_result check_lengths(const struct kw_feed_table *table,
                                      const struct kw_record *intent, struct kw_error *err)
{
    for (size_t i = 0; i < intent->count; i++) {
        const struct kw_record_field *field = &intent->fields[i];

        KW_ENSURE(field->value.len <= kw_record_kind_field_max(table->kind, field->number), err,
                  BODY_TOO_LARGE, "field %u of %s: %zu bytes", field->number, table->kind->name,
                  field->value.len);
    }
    return KW_OK;
}

/* What others would refuse is not said: they would keep it in quarantine for good. */
static struct kw_result encode(const struct kw_feed *feed, const struct kw_feed_table *table,
                               const struct kw_record *intent, struct kw_buf *out,
                               struct kw_error *err)
{
    struct kw_record read;

    KW_TRY(check_lengths(table, intent, err));
    KW_TRY(kw_record_encode(intent, out, err));
    KW_ENSURE(out->len <= KW_CHANGE_LEN_MAX, err, BODY_TOO_LARGE, "a change of %zu bytes",
              out->len);
    KW_TRY(kw_record_decode(table->kind, kw_buf_bytes(out), &read, err));
    return kw_feed_check(feed, table, &read, err);
}

struct kw_result kw_feed_say(struct kw_feed *feed, struct kw_tx *tx, struct kw_bytes record,
                             bool urgent, uint64_t wall_ms, struct kw_error *err)
{
    struct kw_change_row row = {.change = {.urgent = urgent, .record = record}};
    struct kw_lane_row lane;

    KW_TRY(kw_feed_own_voice(feed, tx, &lane, err));
    row.change.hlc = kw_stamp_next(&feed->clock, wall_ms).hlc;
    row.point = lane.point;
    KW_TRY(kw_lane_advance(&row.point, &row.change, err));
    KW_TRY(kw_change_insert(tx, lane.id, &row, err));
    kw_feed_own_move(feed, &row.point, row.change.hlc);
    kw_feed_lane_grew(feed, tx);
    feed->said++;
    return KW_OK;
}

/* What is to be decided by rows has to wait for them. What disables is right whatever they say; but where our store is
 * fenced that would be said to nobody. */
static struct kw_result may_write(struct kw_feed *feed, struct kw_tx *tx, bool urgent,
                                  struct kw_error *err)
{
    struct kw_own_lane *own = kw_feed_own_lane(feed, tx);
    bool joining;

    KW_ENSURE(!feed->fenced, err, STORE_UNAVAILABLE,
              "our store is fenced: it is no member any more");
    if (urgent || own->may_write) {
        return KW_OK;
    }
    KW_TRY(kw_join_row_any(tx, &joining, err));
    KW_ENSURE(!joining, err, STORE_UNAVAILABLE, "the store is joining: not all rows are here");
    own->may_write = true;
    return KW_OK;
}

struct kw_result kw_feed_put(struct kw_feed *feed, struct kw_tx *tx, const struct kw_record *intent,
                             bool urgent, uint64_t wall_ms, struct kw_arena *arena,
                             struct kw_feed_merged *ret_merged, struct kw_error *err)
{
    const struct kw_feed_table *table = kw_feed_table_of(feed, intent->table);
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_ENSURE(table != NULL, err, ARGUMENT_INVALID, "no table %u is known here", intent->table);
    KW_ENSURE(!urgent || kw_feed_disables(table, intent), err, ARGUMENT_INVALID,
              "an urgent change of %s that disables nothing", table->kind->name);
    KW_TRY(encode(feed, table, intent, &record, err));
    KW_TRY(kw_feed_merge_row(feed, table, tx, intent, arena, ret_merged, err));
    urgent = urgent && record.len <= KW_URGENT_CHANGE_LEN_MAX;
    return ret_merged->changed ? kw_feed_say(feed, tx, kw_buf_bytes(&record), urgent, wall_ms, err)
                               : KW_OK;
}

/* What disabled it may have reached us alone, from a store that is lost, or fenced before it said so: whoever is told that
 * it is disabled can rely on our lane for that, and waits for those that have it. */
static struct kw_result say_again(struct kw_feed *feed, struct kw_tx *tx,
                                  const struct kw_record *intent, uint64_t wall_ms,
                                  struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_TRY(kw_record_encode(intent, &record, err));
    return kw_feed_say(feed, tx, kw_buf_bytes(&record), record.len <= KW_URGENT_CHANGE_LEN_MAX,
                       wall_ms, err);
}

struct kw_result kw_feed_write(struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_record *intent, bool urgent, uint64_t wall_ms,
                               struct kw_arena *arena, struct kw_record *ret_merged,
                               struct kw_error *err)
{
    struct kw_feed_merged merged;

    KW_TRY(may_write(feed, tx, urgent, err));
    KW_TRY(kw_feed_put(feed, tx, intent, urgent, wall_ms, arena, &merged, err));
    if (urgent && !merged.changed) {
        KW_TRY(say_again(feed, tx, intent, wall_ms, err));
    }
    if (ret_merged != NULL) {
        *ret_merged = merged.record;
    }
    return KW_OK;
}

struct kw_result kw_feed_said(const struct kw_feed_tx *feed_tx, struct kw_id *ret_lane,
                              uint64_t *ret_seq, struct kw_error *err)
{
    struct kw_lane_row lane;
    bool found;

    KW_TRY(kw_feed_own_look(feed_tx->feed, feed_tx->tx, &lane, &found, err));
    *ret_lane = found ? lane.id : KW_ID_NONE;
    *ret_seq = found ? lane.point.seq : 0;
    return KW_OK;
}

struct kw_result kw_feed_has_voice(const struct kw_feed_tx *feed_tx, bool *ret_has,
                                   struct kw_error *err)
{
    struct kw_lane_row lane;
    bool found;

    KW_TRY(kw_feed_own_look(feed_tx->feed, feed_tx->tx, &lane, &found, err));
    *ret_has = !found || !lane.forked;
    return KW_OK;
}

struct kw_result kw_feed_change(const struct kw_feed_tx *feed_tx, const struct kw_record *intent,
                                struct kw_record *ret_merged, struct kw_error *err)
{
    const struct kw_feed_table *table = kw_feed_table_of(feed_tx->feed, intent->table);

    return kw_feed_write(feed_tx->feed, feed_tx->tx, intent,
                         table != NULL && kw_feed_disables(table, intent), feed_tx->wall_ms,
                         feed_tx->arena, ret_merged, err);
}
