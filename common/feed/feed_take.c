/* Taking in. Each change has an arena of its own: how much a batch needs depends on rows that are
 * already here, and must not make it fail for good. */
#include "common/feed/feed_take.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/feed_alarm.h"
#include "common/feed/feed_holdings.h"
#include "common/feed/feed_ordered.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_proven.h"
#include "common/feed/feed_rows.h"
#include "common/feed/feed_vouched.h"
#include "common/feed/held_table.h"
#include "common/feed/lane_table.h"
#include "common/feed/quarantine_table.h"
#include "common/sync/lww.h"
#include "common/sync/record_hold.h"
#include "common/sync/stamp_limits.h"
#include "common/sync/store_record.h"

struct taking {
    struct kw_feed *feed;
    struct kw_tx *tx;
    const struct kw_waiting *change;
    uint64_t wall_ms;
    struct kw_arena *arena;
};

/* --- what can be read --- */

/* The table that it says it is of, if that is ours. */
static const struct kw_feed_table *table_of(const struct kw_feed *feed, struct kw_bytes record)
{
    struct kw_bytes key;
    uint16_t number;

    return kw_record_peek(record, &number, &key) ? kw_feed_table_of(feed, number) : NULL;
}

/* Would it say nothing new of its store? */
static struct kw_result is_said(const struct taking *t, const struct kw_record *record,
                                bool *ret_said, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf before = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf after = {0};
    struct kw_record row;
    struct kw_record merged;

    KW_TRY(kw_feed_find(t->tx, &kw_store_record, record->key, t->arena, &row, ret_said, err));
    if (!*ret_said) {
        return KW_OK;
    }
    KW_TRY(kw_record_merge(&row, record, t->arena, NULL, &merged, err));
    KW_TRY(kw_record_encode(&row, &before, err));
    KW_TRY(kw_record_encode(&merged, &after, err));
    *ret_said = kw_bytes_equal(kw_buf_bytes(&before), kw_buf_bytes(&after));
    return KW_OK;
}

/* There may be no room for what a good voucher says: that is no member's to judge, but each owner's. */
static struct kw_result is_vouched(const struct taking *t, const struct kw_record *record,
                                   bool *ret_vouched, struct kw_error *err)
{
    struct kw_voucher voucher;

    KW_TRY(kw_feed_is_vouched(t->feed, record, t->change->hlc, t->wall_ms, t->arena, &voucher,
                              ret_vouched, err));
    return *ret_vouched ? kw_feed_may_vouch(t->feed, t->tx, &voucher, record, t->wall_ms, t->arena,
                                            ret_vouched, err)
                        : KW_OK;
}

/* Where vouchers are believed they say it. */
static bool is_own_life(const struct taking *t, const struct kw_record *record,
                        const struct kw_lane_row *lane)
{
    return t->feed->options.vouchers == NULL && kw_store_record_is_life(record) &&
           kw_bytes_equal(record->key, kw_id_bytes(&lane->store));
}

/* Who belongs to the mesh, and by which keys, is not for one of its members to say. Of our own lane we take
 * whatever we said; of any what we know, what a voucher says, and what an officer's order says. A row was looked at when it
 * was read. Fails: as the store; MEMORY, CRYPTO, INTERNAL, ENCODING_INVALID. */
static struct kw_result may_say(const struct taking *t, const struct kw_record *record,
                                struct kw_error *err)
{
    struct kw_lane_row lane;
    bool may;

    if (t->change->is_row || record->table != KW_TABLE_STORES) {
        return KW_OK;
    }
    KW_TRY(kw_lane_row_find(t->tx, t->change->lane, &lane, &may, err));
    may = may && (kw_id_equal(lane.store, t->feed->options.store) || is_own_life(t, record, &lane));
    if (!may) {
        KW_TRY(is_said(t, record, &may, err));
    }
    if (!may) {
        KW_TRY(is_vouched(t, record, &may, err));
    }
    if (!may) {
        KW_TRY(kw_feed_is_ordered(t->feed, record, t->arena, &may, err));
    }
    KW_ENSURE(may, err, ENCODING_INVALID,
              "a lane may say of stores what a voucher says, and what an officer's order says");
    return KW_OK;
}

/* A row of another table is taken as it is. Fails: as kw_feed_only_proven. */
static struct kw_result read_row(const struct taking *t, const struct kw_feed_table *table,
                                 struct kw_record *ret_record, struct kw_error *err)
{
    struct kw_record row;
    size_t dropped; /* told where the row is read */

    KW_TRY(kw_record_decode_stored(table->kind, t->change->record, &row, &dropped, err));
    if (row.table == KW_TABLE_STORES) {
        return kw_feed_only_proven(t->feed, t->tx, &row, t->wall_ms, t->arena, ret_record, err);
    }
    *ret_record = row;
    return KW_OK;
}

/* Fails: as may_say. */
static struct kw_result read_change(const struct taking *t, const struct kw_feed_table **ret_table,
                                    struct kw_record *ret_record, struct kw_error *err)
{
    const struct kw_feed_table *table = table_of(t->feed, t->change->record);

    KW_ENSURE(table != NULL, err, ENCODING_INVALID, "no record of a table that is known here");
    if (t->change->is_row) {
        KW_TRY(read_row(t, table, ret_record, err));
    } else {
        KW_TRY(kw_record_decode(table->kind, t->change->record, ret_record, err));
    }
    KW_TRY(kw_feed_check(t->feed, table, ret_record, err));
    *ret_table = table;
    return may_say(t, ret_record, err);
}

bool kw_feed_may_hurry(const struct kw_feed *feed, struct kw_bytes record)
{
    const struct kw_feed_table *table = table_of(feed, record);
    struct kw_record change;

    if (record.len > KW_URGENT_CHANGE_LEN_MAX || kw_feed_is_holdings(record)) {
        return false;
    }
    if (table == NULL) {
        return true;
    }
    return table->disables != NULL &&
           (!kw_ok(kw_record_decode(table->kind, record, &change, NULL)) ||
            table->disables(&change));
}

bool kw_feed_may_repeat(const struct kw_feed *feed, struct kw_bytes record)
{
    const struct kw_feed_table *table = table_of(feed, record);
    struct kw_record change;

    return table != NULL && kw_ok(kw_record_decode(table->kind, record, &change, NULL)) &&
           kw_ok(kw_feed_check(feed, table, &change, NULL)) && kw_feed_disables(table, &change);
}

/* --- what waits --- */

/* When the first of these values is to be looked at again. */
static uint64_t due_ms(const struct kw_record *held)
{
    uint64_t due = UINT64_MAX;

    for (size_t i = 0; i < held->count; i++) {
        struct kw_lww lww;

        if (kw_lww_read(held->fields[i].value, &lww)) {
            uint64_t ms = kw_stamp_ms(&lww.stamp) - KW_STAMP_AHEAD_MS_MAX;

            due = ms < due ? ms : due;
        }
    }
    return due;
}

static struct kw_result hold(const struct taking *t, const struct kw_record *held,
                             struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_waiting waiting = {.lane = t->change->lane, .point = t->change->point};

    KW_TRY(kw_record_encode(held, &record, err));
    waiting.record = kw_buf_bytes(&record);
    kw_metric_add(KW_M_FEED_HELD, NULL, 1);
    return kw_held_insert(t->tx, &waiting, due_ms(held), err);
}

/* --- what is applied --- */

/* So that an edit made here from now on is later than what it replaces. */
static void adopt_stamps(const struct taking *t, const struct kw_record *record)
{
    for (size_t i = 0; i < record->count; i++) {
        struct kw_lww lww;

        if (record->fields[i].rule == KW_RULE_LWW && kw_lww_read(record->fields[i].value, &lww)) {
            (void)kw_stamp_receive(&t->feed->clock, &lww.stamp, t->wall_ms);
        }
    }
}

/* ENCODING_INVALID would say that the change can't be read. */
static struct kw_result tell_owner(const struct taking *t, const struct kw_feed_table *table,
                                   const struct kw_record *change, const struct kw_record *merged,
                                   struct kw_error *err)
{
    const struct kw_feed_options *options = &t->feed->options;
    const struct kw_feed_tx feed_tx = {t->feed, t->tx, t->arena, t->wall_ms};
    const struct kw_feed_heard heard = {&feed_tx, change, merged, kw_feed_disables(table, change)};
    struct kw_result followed;

    if (options->heard == NULL) {
        return KW_OK;
    }
    followed = options->heard(options->context, &heard, err);
    KW_ENSURE(followed.reason != KW_E_ENCODING_INVALID, err, INTERNAL,
              "what follows from a change of %s can't be written", table->kind->name);
    return followed;
}

/* Times of vouchers and orders are their signers' word, and part of what is judged: they wait for no clock. */
static bool apart(const struct taking *t, const struct kw_record *record, struct kw_record *ret_now,
                  struct kw_record *ret_held)
{
    if (record->table == KW_TABLE_STORES) {
        *ret_now = *record;
        return false;
    }
    return kw_record_hold(record, t->wall_ms, ret_now, ret_held);
}

static struct kw_result apply(const struct taking *t, const struct kw_feed_table *table,
                              const struct kw_record *record, struct kw_feed_taken *ret_taken,
                              struct kw_error *err)
{
    struct kw_record now;
    struct kw_record held;
    struct kw_feed_merged merged = {.changed = false};
    bool waits = apart(t, record, &now, &held);

    if (now.count > 0 || !waits) {
        KW_TRY(kw_feed_merge_row(t->feed, table, t->tx, &now, t->arena, &merged, err));
    }
    if (merged.changed) {
        KW_TRY(tell_owner(t, table, &now, &merged.record, err));
    }
    if (waits) {
        KW_TRY(hold(t, &held, err));
    }
    if (merged.changed && record->table == KW_TABLE_STORES) {
        KW_TRY(kw_feed_look_at_us(t->feed, t->tx, err));
    }
    adopt_stamps(t, &now);
    *ret_taken = (struct kw_feed_taken){.how = waits ? KW_FEED_TAKEN_HELD : KW_FEED_TAKEN,
                                        .news = merged.changed};
    return KW_OK;
}

static struct kw_result quarantine(const struct taking *t, const char *reason,
                                   struct kw_feed_taken *ret_taken, struct kw_error *err)
{
    bool is_new;

    KW_TRY(kw_quarantine_put(t->tx, t->change, reason, t->feed->life, t->wall_ms, &is_new, err));
    kw_metric_add(KW_M_FEED_QUARANTINED, NULL, is_new);
    if (is_new && kw_feed_may_alarm(t->feed, t->wall_ms)) {
        KW_LOG(ERROR, "a change can't be read here and is kept",
               KW_F_HEX("lane", kw_id_bytes(&t->change->lane)),
               KW_F_U64("seq", t->change->point.seq), KW_F_STR("why", reason));
    }
    *ret_taken = (struct kw_feed_taken){.how = KW_FEED_TAKEN_QUARANTINE, .news = is_new};
    return KW_OK;
}

static struct kw_result read_and_apply(const struct taking *t, struct kw_feed_taken *ret_taken,
                                       struct kw_error *err)
{
    const struct kw_feed_table *table;
    struct kw_record record;

    if (kw_feed_is_holdings(t->change->record)) {
        *ret_taken = (struct kw_feed_taken){.how = KW_FEED_TAKEN};
        return kw_feed_take_holdings(t->tx, t->change, err);
    }
    KW_TRY(read_change(t, &table, &record, err));
    if (record.count == 0) {
        *ret_taken = (struct kw_feed_taken){.how = KW_FEED_TAKEN, .nothing = true};
        return KW_OK;
    }
    return apply(t, table, &record, ret_taken, err);
}

struct kw_result kw_feed_take(struct kw_feed *feed, struct kw_tx *tx,
                              const struct kw_waiting *change, uint64_t wall_ms,
                              struct kw_feed_taken *ret_taken, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct taking t = {feed, tx, change, wall_ms, arena};
    struct kw_error why = {0};
    struct kw_result taken;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a change");
    taken = read_and_apply(&t, ret_taken, &why);
    if (taken.reason == KW_E_ENCODING_INVALID) {
        taken = quarantine(&t, why.message, ret_taken, err);
    } else if (!kw_ok(taken) && err != NULL) {
        *err = why;
    }
    kw_arena_free(arena);
    return taken;
}
