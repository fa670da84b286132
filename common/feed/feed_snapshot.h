/* Handing rows over outside of lanes: a snapshot to a store that is new or was away too long, and
 * single rows to one that found a difference. Each answer is a KWD1 that we sign (answer.h).
 *
 * A snapshot is read in runs, each in a read job of its own, while the tables change: no run has to fit
 * another. Rows only ever say more, lanes are noted before the first row is read, and whoever merges
 * all runs and goes on with the lanes from there has heard everything, some of it twice.
 *
 * Read jobs.
 */
#ifndef KW_COMMON_FEED_FEED_SNAPSHOT_H
#define KW_COMMON_FEED_FEED_SNAPSHOT_H

#include "common/crypto/sign.h"
#include "common/feed/answer.h"
#include "common/feed/feed.h"

/* The run of a snapshot that begins at `ask->from`: at most KW_ANSWER_ITEMS_MAX items, about
 * KW_BATCH_LEN_SOFT bytes. Appends KWD1. Fails: as the store, as kw_answer_sign; STORE_UNAVAILABLE
 * (we are joining ourselves), ARGUMENT_INVALID (no question to us; a table we do not have), INTERNAL
 * (what is stored is damaged: ask somebody else), BODY_TOO_LARGE (a row is above KW_ANSWER_ITEM_LEN_MAX). */
struct kw_result kw_feed_snapshot(const struct kw_feed *feed, struct kw_tx *tx,
                                  const struct kw_ask *ask, const struct kw_private_key *key,
                                  struct kw_buf *out, struct kw_error *err);

/* The rows with these keys, of the table that is asked for, as far as they fit; what we do not have, or
 * have damaged, is left out. Appends KWD1. Fails: the same. */
struct kw_result kw_feed_rows(const struct kw_feed *feed, struct kw_tx *tx,
                              const struct kw_ask *ask, const struct kw_bytes *keys, size_t count,
                              const struct kw_private_key *key, struct kw_buf *out,
                              struct kw_error *err);

#endif
