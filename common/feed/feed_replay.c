/* A batch of orphans: whose it is, and then change by change. Each has an arena of its own: how much it needs depends on
 * rows that are here. */
#include "common/feed/feed_replay.h"

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/feed_holdings.h"
#include "common/feed/feed_rows.h"
#include "common/feed/intent.h"
#include "common/feed/lane_check.h"
#include "common/feed/lane_table.h"
#include "common/feed/order.h"
#include "common/feed/orphans.h"
#include "common/sync/grow_set.h"
#include "common/sync/store_record.h"
#include "common/sync/suspension_set.h"
#include "common/sync/version_vector.h"

struct replaying {
    const struct kw_feed_tx *feed_tx;
    bool dry;
    struct kw_orphans orphans;
    struct kw_lane_batch batch;
    const struct kw_orphan_lane *lane;
    struct kw_record store; /* its row */
    struct kw_lane_row row; /* of the lane, if held */
    bool held;
    uint64_t honoured; /* of the lane, and here: at most what is held */
    struct kw_replay *replay;
};

/* --- whose it is --- */

static struct kw_result read_bundle(struct replaying *r, struct kw_bytes bundle,
                                    struct kw_error *err)
{
    struct kw_error why = {0};

    KW_ENSURE(kw_ok(kw_orphans_decode(bundle, &r->orphans, &why)), err, ARGUMENT_INVALID, "%s",
              why.message);
    KW_ENSURE(kw_id_equal(r->orphans.mesh, r->feed_tx->feed->options.mesh), err, BINDING_INVALID,
              "a bundle of another mesh");
    return kw_feed_find(r->feed_tx->tx, &kw_store_record, kw_id_bytes(&r->orphans.store),
                        r->feed_tx->arena, &r->store, &r->replay->known, err);
}

static struct kw_result check_store(const struct replaying *r, struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];

    KW_ENSURE(!kw_id_equal(r->orphans.store, r->feed_tx->feed->options.store), err, STATE_CONFLICT,
              "a bundle of this very store");
    KW_ENSURE(kw_store_record_state(&r->store) == KW_STORE_FENCED, err, STATE_CONFLICT,
              "the store is not fenced: its lanes bring what it says");
    KW_TRY(kw_sha256(r->orphans.key, digest, err));
    KW_ENSURE(kw_set_has(kw_record_value(&r->store, KW_STORE_FIELD_SIGNERS), KW_BYTES_OF(digest)),
              err, SIGNATURE_INVALID, "a bundle by a key that is none of its store's");
    return kw_orphans_verify(&r->orphans, err);
}

static struct kw_result read_batch(struct replaying *r, struct kw_bytes batch, struct kw_error *err)
{
    struct kw_error why = {0};
    struct kw_result read = kw_lane_batch_decode(batch, r->feed_tx->arena, &r->batch, &why);

    KW_ENSURE(read.reason != KW_E_ENCODING_INVALID, err, ARGUMENT_INVALID, "%s", why.message);
    KW_ENSURE(kw_ok(read), err, MEMORY, "%s", why.message);
    r->lane = kw_orphans_lane(&r->orphans, &r->batch);
    KW_ENSURE(r->lane != NULL, err, ARGUMENT_INVALID, "a batch that is none of the bundle");
    return kw_lane_id(&r->batch.head.lane, &r->replay->lane, err);
}

/* Between what the lane brings, or has brought, and the bundle: who fenced itself late deleted what all had acknowledged, or
 * its disk lost it. Told once of a lane, by its first batch. What follows is no less its store's word for that. */
static void find_gap(const struct replaying *r, uint64_t fence)
{
    uint64_t here = r->held && r->row.point.seq > fence ? r->row.point.seq : fence;

    if (r->batch.from.seq == r->lane->from.seq && here < r->lane->from.seq) {
        r->replay->missing_first = here + 1;
        r->replay->missing_last = r->lane->from.seq;
    }
}

/* Of what the latest order honours only what is here: who had the rest may be lost by now, and to say twice what disables
 * does no harm. */
static struct kw_result find_honoured(struct replaying *r, struct kw_error *err)
{
    uint64_t fence = kw_vector_get(kw_order_honours(&r->store), r->replay->lane);

    KW_TRY(kw_lane_row_find(r->feed_tx->tx, r->replay->lane, &r->row, &r->held, err));
    r->honoured = r->held ? r->row.point.seq : 0;
    r->honoured = r->honoured < fence ? r->honoured : fence;
    find_gap(r, fence);
    return KW_OK;
}

/* --- is it what the store said? --- */

/* The store as if it were not fenced. A life that nobody heard of is its own, by its key. */
static struct kw_result as_if_active(const struct replaying *r, struct kw_record *ret_store,
                                     struct kw_error *err)
{
    struct kw_intent store = kw_intent(&kw_store_record, r->store.key, r->feed_tx->arena);

    kw_intent_element(&store, KW_STORE_FIELD_INCARNATIONS,
                      kw_id_bytes(&r->batch.head.lane.incarnation));
    kw_intent_bytes(&store, KW_STORE_FIELD_SIGNERS,
                    kw_record_value(&r->store, KW_STORE_FIELD_SIGNERS));
    *ret_store = store.record;
    if (!kw_ok(store.result) && err != NULL) {
        *err = store.error;
    }
    return store.result;
}

/* From what is held of the lane, if the batch passes that; else from where the batch begins. */
static struct kw_lane_point point_of(const struct replaying *r)
{
    const struct kw_lane_point *here = &r->row.point;

    return r->held && here->seq >= r->batch.from.seq && here->seq <= r->batch.head.point.seq
               ? *here
               : r->batch.from;
}

static struct kw_result check_batch(const struct replaying *r, struct kw_error *err)
{
    struct kw_record store;
    const struct kw_lane_held held = {
        .mesh = r->orphans.mesh, .store = &store, .point = point_of(r)};
    struct kw_lane_finding finding;

    KW_TRY(as_if_active(r, &store, err));
    KW_TRY(kw_lane_check(&held, &r->batch, &finding, err));
    KW_ENSURE(finding.verdict != KW_LANE_UNSIGNED && finding.verdict != KW_LANE_STRANGER, err,
              SIGNATURE_INVALID, "a batch that its store did not sign");
    KW_ENSURE(finding.verdict != KW_LANE_BROKEN, err, ARGUMENT_INVALID,
              "changes that do not lead to their head");
    KW_ENSURE(finding.verdict == KW_LANE_NEWS || finding.verdict == KW_LANE_KNOWN, err,
              STATE_CONFLICT, "another change is held here under one of its numbers");
    return KW_OK;
}

/* --- what disables --- */

/* Those that are set; not those that are lifted, or may be. */
static struct kw_result only_set(struct kw_bytes suspensions, struct kw_arena *arena,
                                 struct kw_bytes *ret_set, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf set = {0};
    struct kw_writer w = KW_WRITER(&set);

    kw_put_in_force(&w, suspensions);
    KW_TRY(kw_writer_end(&w, err));
    return kw_arena_copy(arena, kw_buf_bytes(&set), ret_set, err);
}

static struct kw_result add_if_disabling(const struct kw_feed_table *table,
                                         const struct kw_record_field *field,
                                         struct kw_arena *arena, struct kw_record *only,
                                         struct kw_error *err)
{
    struct kw_record alone = {
        .table = only->table, .key = only->key, .count = 1, .fields = {*field}};

    if (field->rule == KW_RULE_SUSPENSIONS) {
        KW_TRY(only_set(field->value, arena, &alone.fields[0].value, err));
    }
    if (kw_feed_disables(table, &alone)) {
        only->fields[only->count++] = alone.fields[0];
    }
    return KW_OK;
}

static struct kw_result add_all_disabling(const struct kw_feed_table *table,
                                          const struct kw_record *change, struct kw_arena *arena,
                                          struct kw_record *only, struct kw_error *err)
{
    for (size_t i = 0; i < change->count; i++) {
        KW_TRY(add_if_disabling(table, &change->fields[i], arena, only, err));
    }
    return KW_OK;
}

struct kw_result kw_feed_only_disabling(const struct kw_feed *feed,
                                        const struct kw_feed_table *table,
                                        const struct kw_record *change, struct kw_arena *arena,
                                        struct kw_record *ret_only, struct kw_error *err)
{
    struct kw_result checked;

    *ret_only = (struct kw_record){.table = change->table, .key = change->key};
    if (table->kind->table == KW_TABLE_STORES || !kw_feed_disables(table, change)) {
        return KW_OK;
    }
    if (table->prove != NULL) {
        *ret_only = *change; /* what an officer signed for is proven as a whole */
    } else {
        KW_TRY(add_all_disabling(table, change, arena, ret_only, err));
    }
    checked = kw_feed_check(feed, table, ret_only, err);
    if (checked.reason == KW_E_ENCODING_INVALID) {
        ret_only->count = 0;
        return KW_OK;
    }
    return checked;
}

/* --- one change --- */

static bool is_same(const struct kw_record *a, const struct kw_record *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = kw_bytes_equal(a->fields[i].value, b->fields[i].value);
    }
    return same;
}

/* Would it say nothing new here? */
static struct kw_result is_known(const struct kw_feed_tx *feed_tx,
                                 const struct kw_feed_table *table, const struct kw_record *only,
                                 bool *ret_known, struct kw_error *err)
{
    struct kw_record row;
    struct kw_record merged;

    KW_TRY(kw_feed_find(feed_tx->tx, table->kind, only->key, feed_tx->arena, &row, ret_known, err));
    if (*ret_known) {
        KW_TRY(kw_record_merge(&row, only, feed_tx->arena, NULL, &merged, err));
        *ret_known = is_same(&row, &merged);
    }
    return KW_OK;
}

/* With all that follows from it here, as if its lane had brought it. */
static struct kw_result say(const struct kw_feed_tx *feed_tx, const struct kw_record *only,
                            struct kw_error *err)
{
    const struct kw_feed_options *options = &feed_tx->feed->options;
    struct kw_record merged;
    const struct kw_feed_heard heard = {feed_tx, only, &merged, true};

    KW_TRY(kw_feed_write(feed_tx->feed, feed_tx->tx, only, true, feed_tx->wall_ms, feed_tx->arena,
                         &merged, err));
    kw_metric_add(KW_M_FEED_RELEASED, "orphan", 1);
    return options->heard != NULL ? options->heard(options->context, &heard, err) : KW_OK;
}

static struct kw_result replay_record(const struct replaying *r, const struct kw_feed_tx *feed_tx,
                                      const struct kw_feed_table *table,
                                      const struct kw_record *change,
                                      struct kw_replayed_change *item, struct kw_error *err)
{
    struct kw_record only;
    bool known;

    KW_TRY(kw_feed_only_disabling(feed_tx->feed, table, change, feed_tx->arena, &only, err));
    if (only.count == 0) {
        return KW_OK;
    }
    KW_TRY(is_known(feed_tx, table, &only, &known, err));
    item->how = known ? KW_REPLAYED_KNOWN : KW_REPLAYED_SAID;
    item->in_part = !is_same(&only, change);
    return known || r->dry ? KW_OK : say(feed_tx, &only, err);
}

/* What is no record of a table that is known here is left. */
static struct kw_result replay_change(const struct replaying *r, const struct kw_feed_tx *feed_tx,
                                      struct kw_bytes record, struct kw_replayed_change *item,
                                      struct kw_error *err)
{
    const struct kw_feed_table *table = NULL;
    struct kw_record change;
    struct kw_bytes key = KW_BYTES_NONE;
    uint16_t number;

    item->how = item->seq <= r->honoured ? KW_REPLAYED_HONOURED : KW_REPLAYED_LEFT;
    if (kw_record_peek(record, &number, &key)) {
        table = kw_feed_table_of(feed_tx->feed, number);
    }
    item->table = table != NULL ? table->kind->name : "";
    KW_TRY(kw_sha256(key, item->key, err));
    if (item->how == KW_REPLAYED_HONOURED || table == NULL ||
        !kw_ok(kw_record_decode(table->kind, record, &change, NULL))) {
        return KW_OK;
    }
    return replay_record(r, feed_tx, table, &change, item, err);
}

static struct kw_result replay_one(const struct replaying *r, struct kw_bytes record,
                                   struct kw_replayed_change *item, struct kw_error *err)
{
    struct kw_feed_tx feed_tx = *r->feed_tx;
    struct kw_result replayed;

    feed_tx.arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    KW_ENSURE(feed_tx.arena != NULL, err, MEMORY, "an arena for a change");
    replayed = replay_change(r, &feed_tx, record, item, err);
    kw_arena_free(feed_tx.arena);
    return replayed;
}

/* --- all of them --- */

/* Who holds what is nobody's to decide. */
static struct kw_result replay_all(const struct replaying *r, struct kw_error *err)
{
    struct kw_replay *replay = r->replay;

    for (size_t i = 0; i < r->batch.count; i++) {
        const struct kw_change *change = &r->batch.changes[i];
        struct kw_replayed_change *item = &replay->changes[replay->count];

        if (kw_feed_is_holdings(change->record)) {
            continue;
        }
        *item = (struct kw_replayed_change){.seq = r->batch.from.seq + 1 + i, .hlc = change->hlc};
        KW_TRY(replay_one(r, change->record, item, err));
        replay->said += item->how == KW_REPLAYED_SAID;
        replay->count++;
    }
    return KW_OK;
}

static void tell_gap(const struct replaying *r)
{
    if (r->replay->missing_last > 0 && !r->dry) {
        KW_LOG(WARN, "of a fenced store changes are missing before its bundle",
               KW_F_HEX("lane", kw_id_bytes(&r->replay->lane)),
               KW_F_U64("first", r->replay->missing_first),
               KW_F_U64("last", r->replay->missing_last));
    }
}

static struct kw_result replay(struct replaying *r, struct kw_bytes bundle, struct kw_bytes batch,
                               struct kw_error *err)
{
    KW_TRY(read_bundle(r, bundle, err));
    if (!r->replay->known) {
        return KW_OK;
    }
    KW_TRY(check_store(r, err));
    KW_TRY(read_batch(r, batch, err));
    KW_TRY(find_honoured(r, err));
    KW_TRY(check_batch(r, err));
    r->replay->changes =
        kw_arena_alloc(r->feed_tx->arena, (r->batch.count + 1) * sizeof(*r->replay->changes));
    KW_ENSURE(r->replay->changes != NULL, err, MEMORY, "the changes of a batch");
    KW_TRY(replay_all(r, err));
    tell_gap(r);
    if (r->replay->said > 0 && !r->dry) {
        KW_LOG(WARN, "what a fenced store had said is said by us",
               KW_F_HEX("store", kw_id_bytes(&r->orphans.store)),
               KW_F_U64("changes", r->replay->said));
    }
    return KW_OK;
}

struct kw_result kw_feed_replay(const struct kw_feed_tx *feed_tx, struct kw_bytes bundle,
                                struct kw_bytes batch, bool dry, struct kw_replay *ret_replay,
                                struct kw_error *err)
{
    struct replaying *r = kw_arena_alloc(feed_tx->arena, sizeof(*r));

    KW_ENSURE(r != NULL, err, MEMORY, "orphans");
    *ret_replay = (struct kw_replay){.known = false};
    *r = (struct replaying){.feed_tx = feed_tx, .dry = dry, .replay = ret_replay};
    return replay(r, bundle, batch, err);
}
