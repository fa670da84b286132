/* Changing a row: read, merge, store, project. The same for what is done here and what is heard. */
#ifndef KW_COMMON_FEED_FEED_ROWS_H
#define KW_COMMON_FEED_FEED_ROWS_H

#include "common/feed/feed.h"

/* The owner's table with this number, or NULL. */
const struct kw_feed_table *kw_feed_table_of(const struct kw_feed *feed, uint16_t number);

/* Is this a record of the table, with its proofs? Fails: ENCODING_INVALID; CRYPTO, MEMORY. */
struct kw_result kw_feed_check(const struct kw_feed *feed, const struct kw_feed_table *table,
                               const struct kw_record *record, struct kw_error *err);

/* May this change go ahead of its lane? */
bool kw_feed_disables(const struct kw_feed_table *table, const struct kw_record *change);

/* Do they say the same, to the byte? Fails: MEMORY. */
struct kw_result kw_feed_say_the_same(const struct kw_record *a, const struct kw_record *b,
                                      bool *ret_same, struct kw_error *err);

struct kw_feed_merged {
    struct kw_record record; /* borrows from the change and the arena */
    bool changed;            /* it says more than before */
};

/* Merges `change` into its row. What it overwrote unread, or shows to be wrong, is counted and
 * logged. Fails: as the store, MEMORY, ENCODING_INVALID (a field with two rules; nothing has been
 * done), INTERNAL (what is stored is damaged; the table's project is wrong). */
struct kw_result kw_feed_merge_row(const struct kw_feed *feed, const struct kw_feed_table *table,
                                   struct kw_tx *tx, const struct kw_record *change,
                                   struct kw_arena *arena, struct kw_feed_merged *ret_merged,
                                   struct kw_error *err);

/* The next change of our lane, whatever our rows say. Fails: as kw_feed_own_voice. */
struct kw_result kw_feed_say(struct kw_feed *feed, struct kw_tx *tx, struct kw_bytes record,
                             bool urgent, uint64_t wall_ms, struct kw_error *err);

/* kw_feed_write, also while the store joins: for what is not decided by rows. */
struct kw_result kw_feed_put(struct kw_feed *feed, struct kw_tx *tx, const struct kw_record *intent,
                             bool urgent, uint64_t wall_ms, struct kw_arena *arena,
                             struct kw_feed_merged *ret_merged, struct kw_error *err);

#endif
