/* The change feed of one owner's database: rows as merged records, and the lanes of all stores.
 *
 *     a local write                                 a batch from a peer (feed_apply.h)
 *     kw_feed_write(intent)                         kw_feed_apply(batch)
 *       new = merge(row, intent)                      verdict (lane_check.h); then for each change
 *       project(new)  columns that are queried          new = merge(row, change); project(new)
 *       next number of our lane; log                    log, to be relayed
 *                                                     lane's point moves
 *     └──────────── one transaction ────────────┘   └──────────── one transaction ────────────┘
 *
 * The merged record is the truth; a table's columns are an index over it, written by `project`
 * alone. So what a later release put into a row is kept, merged and handed on by one that does not
 * know it, a row has one digest everywhere, and nothing can be in a column that is not in the feed.
 *
 * Inside jobs of a store (store.h): these functions run on its threads. What must not be lost with
 * a transaction that is undone is in the tables, never in struct kw_feed.
 */
#ifndef KW_COMMON_FEED_FEED_H
#define KW_COMMON_FEED_FEED_H

#include "common/feed/feed_log.h"
#include "common/feed/order.h"
#include "common/feed/own_lane.h"
#include "common/feed/unsettled.h"
#include "common/feed/voucher.h"
#include "common/store/store.h"
#include "common/sync/record.h"
#include "common/sync/stamp.h"

/* One replicated table of an owner. */
struct kw_feed_table {
    const struct kw_record_kind *kind;
    /* Can `project` write what these fields say? Pure, and true of what two records say together
     * when it is of both. A change from elsewhere for which it fails goes into quarantine, a local
     * one is refused. Fails: ENCODING_INVALID. NULL: any record of the kind. */
    struct kw_result (*check)(const struct kw_record *record, struct kw_error *err);
    /* Does this change disable something? Only such a one may go ahead of its lane. Pure. NULL: none
     * does. */
    bool (*disables)(const struct kw_record *change);
    /* Is what must be proven of what it says proven, to who trusts this (`trust` of the options)? So it
     * may be otherwise in another life of the process; else as `check`. NULL: nothing must be. Fails:
     * ENCODING_INVALID, CRYPTO, MEMORY. */
    struct kw_result (*prove)(const void *trust, const struct kw_record *record,
                              struct kw_error *err);
    /* Writes the columns of this row, which was inserted or has changed. The same record, projected
     * twice, changes nothing; and no other row need be there, since rows come in any order. A
     * failure undoes the whole batch. NULL: nobody queries it. */
    struct kw_result (*project)(struct kw_tx *tx, const struct kw_record *merged,
                                struct kw_arena *arena, struct kw_error *err);
};

struct kw_feed_heard;

/* Constants for the life of the feed. */
struct kw_feed_options {
    struct kw_id mesh;
    /* kw_store_id. Where vouchers are believed, kw_feed_open makes of it the id that they give the
     * store: that is what is known of us everywhere. */
    struct kw_id store;
    uint32_t writer;                         /* which of the instances on this database */
    const struct kw_voucher_trust *vouchers; /* NULL: none is believed. Changes in write jobs */
    const struct kw_order_trust *orders;     /* NULL: none is believed */
    const void *trust;                       /* for the tables' `prove`. Stays as it is */
    const struct kw_feed_table *tables;
    size_t table_count;
    /* Of a lane so many changes are kept for members that have not acknowledged them; who is further behind
     * needs a snapshot. 0: all of them are kept. */
    uint64_t keep_max;
    /* An urgent change of another store whose lane has not come so long after it is said once more, in our
     * lane: it may never come. 0: KW_FEED_ORPHAN_MS. */
    uint64_t orphan_ms;
    const struct kw_feed_log *log; /* of which others keep copies; NULL: there is none */
    /* Another store's change altered a row: what follows from it here, in the transaction that merged it,
     * however it came. A failure undoes that. NULL: nothing follows. */
    struct kw_result (*heard)(void *context, const struct kw_feed_heard *heard,
                              struct kw_error *err);
    void *context;
};

/* `options` may be read by any thread, the rest belongs to the thread of write jobs. */
struct kw_feed {
    struct kw_feed_options options;
    struct kw_id seed;            /* kw_store_id */
    struct kw_commit_hook *grown; /* marked by who changes how far a lane is; NULL: nobody asks */
    struct kw_stamp_clock clock;  /* ahead of every stamp that was given out or taken in */
    struct kw_own_lane own;       /* in the job that runs */
    bool joins;                   /* when it was opened (feed_join.h) */
    struct kw_id settled;    /* the life of which that is said (feed_settle.h), as known last */
    uint64_t settle_ask_ms;  /* when all others are asked again what they hold */
    uint64_t settle_wait_ms; /* and how long after that once more */
    struct kw_unsettled unsettled;
    int64_t life; /* of this process: what is in quarantine is tried once in each */
    bool fenced;  /* our store is, as known last: what we say would reach nobody */
    bool
        unvouched; /* our row has keys or lives, or our life is settled, and our voucher does not say so */
    uint64_t said;         /* changes of ours, those of transactions that were undone among them */
    uint64_t alarm_second; /* in which so many alarms were logged */
    unsigned alarms;
};

/* The tables of the feed, for the end of an owner's list of migrations. */
extern const char kw_feed_schema[];

/* Continues our lane, or begins it; in a write job, before any other. A store that was never fed has no incarnation:
 * one is drawn. So it is where the database is a copy (kw_store_moved). `options` is copied; what it points to stays.
 * Fails: as the store, SYSTEM, CRYPTO, MEMORY. */
struct kw_result kw_feed_open(struct kw_feed *feed, const struct kw_feed_options *options,
                              struct kw_tx *tx, uint64_t wall_ms, struct kw_error *err);

/* Begins a new incarnation: continuity can't be proven. All lanes of the store end, also those of
 * its other writers, which begin new ones with their next change. Others take them once they know
 * the incarnation (store_record.h). Write job. Fails: as the store, SYSTEM, CRYPTO, MEMORY. */
struct kw_result kw_feed_new_life(struct kw_feed *feed, struct kw_tx *tx, struct kw_error *err);

/* The merged record of a row. `ret_record` borrows from the arena. Read or write job. Fails: as the
 * store, MEMORY, INTERNAL (what is stored is damaged). */
struct kw_result kw_feed_find(struct kw_tx *tx, const struct kw_record_kind *kind,
                              struct kw_bytes key, struct kw_arena *arena,
                              struct kw_record *ret_record, bool *ret_found, struct kw_error *err);

/* The stamp for a last-writer-wins value of an intent: later than every one seen here. Write job.
 */
struct kw_stamp kw_feed_stamp(struct kw_feed *feed, uint64_t wall_ms);

/* Changes a row, or makes it: the only way to. `intent` holds what is new. If it says nothing new,
 * nothing is written and no number is taken, unless it is urgent: what disables is said once more, so that who is told
 * that it is so has it in our lane, too. `ret_merged` (may be NULL) borrows from the arena and `intent`. Write job. Fails:
 * as the store, as kw_record_merge; ARGUMENT_INVALID (no table of ours; urgent, and disables nothing), BODY_TOO_LARGE (it
 * would not fit into a batch), STORE_UNAVAILABLE (also: our lane has forked; the store is joining (feed_join.h), and this
 * is not urgent; our store is fenced). */
struct kw_result kw_feed_write(struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_record *intent, bool urgent, uint64_t wall_ms,
                               struct kw_arena *arena, struct kw_record *ret_merged,
                               struct kw_error *err);

/* What an owner's write job changes rows with: one for the whole job. Borrows. */
struct kw_feed_tx {
    struct kw_feed *feed;
    struct kw_tx *tx;
    struct kw_arena *arena;
    uint64_t wall_ms;
};

/* What was heard. Borrowed for the call. */
struct kw_feed_heard {
    const struct kw_feed_tx *feed_tx; /* to answer with a change of our own */
    const struct kw_record *change;
    const struct kw_record *merged; /* the row, with it */
    bool disables;
};

/* May a change of our own be said at all, or has our lane forked? Write job. Fails: as the store. */
struct kw_result kw_feed_has_voice(const struct kw_feed_tx *feed_tx, bool *ret_has,
                                   struct kw_error *err);

/* How far our lane is, with what this job has said: who must not be lost waits for copies up to there
 * (copies.h). `*ret_lane` none and 0: nothing was ever said. Write job. Fails: as the store. */
struct kw_result kw_feed_said(const struct kw_feed_tx *feed_tx, struct kw_id *ret_lane,
                              uint64_t *ret_seq, struct kw_error *err);

/* kw_feed_write, which goes ahead of its lane if it disables something: what owners call. */
struct kw_result kw_feed_change(const struct kw_feed_tx *feed_tx, const struct kw_record *intent,
                                struct kw_record *ret_merged, struct kw_error *err);

#endif
