/* Rows. Reading and storing are two statements, so a row is stored only over what was read: of two
 * writers on one database the second reads again, and no word of the first is lost. */
#include "common/feed/feed_rows.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/lane_table.h"
#include "common/feed/record_table.h"
#include "common/sync/store_record.h"

#define CONFLICTS_TOLD 8 /* of one merge, in the log; all are counted */

const struct kw_feed_table *kw_feed_table_of(const struct kw_feed *feed, uint16_t number)
{
    for (size_t i = 0; i < feed->options.table_count; i++) {
        if (feed->options.tables[i].kind->table == number) {
            return &feed->options.tables[i];
        }
    }
    return NULL;
}

struct kw_result kw_feed_check(const struct kw_feed *feed, const struct kw_feed_table *table,
                               const struct kw_record *record, struct kw_error *err)
{
    if (table->kind->table == KW_TABLE_STORES) {
        KW_TRY(kw_store_record_check(record, err));
    }
    if (table->check != NULL) {
        KW_TRY(table->check(record, err));
    }
    return table->prove != NULL ? table->prove(feed->options.trust, record, err) : KW_OK;
}

bool kw_feed_disables(const struct kw_feed_table *table, const struct kw_record *change)
{
    return table->disables != NULL && table->disables(change);
}

struct kw_result kw_feed_say_the_same(const struct kw_record *a, const struct kw_record *b,
                                      bool *ret_same, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf one = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf other = {0};

    KW_TRY(kw_record_encode(a, &one, err));
    KW_TRY(kw_record_encode(b, &other, err));
    *ret_same = kw_bytes_equal(kw_buf_bytes(&one), kw_buf_bytes(&other));
    return KW_OK;
}

static struct kw_result find(struct kw_tx *tx, const struct kw_record_kind *kind,
                             struct kw_bytes key, struct kw_arena *arena,
                             struct kw_record_row *ret_row, struct kw_record *ret_record,
                             bool *ret_found, struct kw_error *err)
{
    struct kw_error why;
    size_t dropped;

    KW_TRY(kw_record_row_find(tx, kind, key, arena, ret_row, ret_found, err));
    if (!*ret_found) {
        return KW_OK;
    }
    KW_ENSURE(kw_ok(kw_record_decode_stored(kind, ret_row->record, ret_record, &dropped, &why)),
              err, INTERNAL, "a stored row is damaged: %s", why.message);
    if (dropped > 0) {
        KW_LOG(WARN, "a row has fields under another rule, from before they were known here",
               KW_F_STR("table", kind->name), KW_F_U64("fields", dropped));
    }
    return KW_OK;
}

struct kw_result kw_feed_find(struct kw_tx *tx, const struct kw_record_kind *kind,
                              struct kw_bytes key, struct kw_arena *arena,
                              struct kw_record *ret_record, bool *ret_found, struct kw_error *err)
{
    struct kw_record_row row;

    return find(tx, kind, key, arena, &row, ret_record, ret_found, err);
}

/* --- conflicts --- */

static void tell(const struct kw_record_kind *kind, const struct kw_conflict *conflict)
{
    struct kw_conflict_digests digests;
    struct kw_error why;

    if (!kw_ok(kw_conflict_digests(conflict, &digests, &why))) {
        KW_LOG(ERROR, "a conflict can't be told by its digests", KW_F_ERR(&why));
        return;
    }
    KW_LOG(WARN, "two cells said different things", KW_F_STR("table", kind->name),
           KW_F_U64("field", conflict->field), KW_F_STR("rule", kw_rule_name(conflict->rule)),
           KW_F_HEX("ours", KW_BYTES_OF(digests.ours)),
           KW_F_HEX("theirs", KW_BYTES_OF(digests.theirs)));
}

static void tell_all(const struct kw_record_kind *kind, const struct kw_conflicts *conflicts)
{
    for (size_t i = 0; i < conflicts->count && i < conflicts->max; i++) {
        kw_metric_add(KW_M_FEED_CONFLICTS, kw_rule_name(conflicts->items[i].rule), 1);
        if (i < CONFLICTS_TOLD) {
            tell(kind, &conflicts->items[i]);
        }
    }
}

/* --- merging --- */

struct merging {
    const struct kw_feed *feed;
    const struct kw_feed_table *table;
    struct kw_tx *tx;
    const struct kw_record *change;
    struct kw_arena *arena;
    struct kw_conflicts conflicts;
};

/* What the row and the change say together; `ret_old` is what the row is now. */
static struct kw_result merge(struct merging *m, struct kw_record_row *ret_old, bool *ret_found,
                              struct kw_record *ret_merged, struct kw_error *err)
{
    struct kw_record ours;

    m->conflicts.count = 0;
    KW_TRY(find(m->tx, m->table->kind, m->change->key, m->arena, ret_old, &ours, ret_found, err));
    if (!*ret_found) {
        *ret_merged = *m->change;
        return KW_OK;
    }
    return kw_record_merge(&ours, m->change, m->arena, &m->conflicts, ret_merged, err);
}

/* `*ret_done` false: somebody else changed the row meanwhile. */
static struct kw_result merge_and_store(struct merging *m, struct kw_feed_merged *ret_merged,
                                        bool *ret_done, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    struct kw_record_row old;
    bool found;

    KW_TRY(merge(m, &old, &found, &ret_merged->record, err));
    KW_TRY(kw_record_encode(&ret_merged->record, &encoded, err));
    KW_ENSURE(encoded.len <= KW_ROW_LEN_MAX, err, INTERNAL, "a row of %zu bytes", encoded.len);
    ret_merged->changed = !found || !kw_bytes_equal(old.record, kw_buf_bytes(&encoded));
    if (!ret_merged->changed) {
        *ret_done = true;
        return KW_OK;
    }
    return kw_record_row_store(m->tx, m->feed->options.writer, m->table->kind, m->change->key,
                               found ? &old : NULL, kw_buf_bytes(&encoded), ret_done, err);
}

/* ENCODING_INVALID would say that nothing has been done. */
static struct kw_result project(const struct merging *m, const struct kw_record *merged,
                                struct kw_error *err)
{
    struct kw_result projected =
        m->table->project != NULL ? m->table->project(m->tx, merged, m->arena, err) : KW_OK;

    KW_ENSURE(projected.reason != KW_E_ENCODING_INVALID, err, INTERNAL,
              "the columns of a %s row can't be written", m->table->kind->name);
    return projected;
}

/* Of two instances on one database one may fence a store while the other applies what it said: the one
 * waits for the other, so that what is applied after the fence is judged by it. */
static struct kw_result wait_for_lanes(struct kw_tx *tx, const struct kw_record *change,
                                       struct kw_error *err)
{
    struct kw_id store;

    if (change->table != KW_TABLE_STORES || !kw_store_record_is_out(change)) {
        return KW_OK;
    }
    KW_TRY(kw_id_from_bytes(change->key, &store, err));
    return kw_lane_row_lock_all(tx, store, err);
}

struct kw_result kw_feed_merge_row(const struct kw_feed *feed, const struct kw_feed_table *table,
                                   struct kw_tx *tx, const struct kw_record *change,
                                   struct kw_arena *arena, struct kw_feed_merged *ret_merged,
                                   struct kw_error *err)
{
    struct kw_conflict items[KW_RECORD_FIELDS_MAX];
    struct merging m = {.feed = feed,
                        .table = table,
                        .tx = tx,
                        .change = change,
                        .arena = arena,
                        .conflicts = {.items = items, .max = KW_RECORD_FIELDS_MAX}};
    bool done = false;

    KW_TRY(wait_for_lanes(tx, change, err));
    for (unsigned tries = 0; !done; tries++) {
        KW_ENSURE(tries < KW_FEED_TRIES_MAX, err, STORE_UNAVAILABLE,
                  "a row is changed by others all the time");
        KW_TRY(merge_and_store(&m, ret_merged, &done, err));
    }
    if (ret_merged->changed) {
        KW_TRY(project(&m, &ret_merged->record, err));
    }
    tell_all(table->kind, &m.conflicts);
    return KW_OK;
}
