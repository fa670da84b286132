/* Key versions on the feed: what is said of them here, and how what is said anywhere gets into the
 * table. */
#ifndef KW_SERVICES_ORCHESTRATOR_KEY_FEED_H
#define KW_SERVICES_ORCHESTRATOR_KEY_FEED_H

#include "common/feed/feed.h"
#include "services/orchestrator/key_table.h"

/* A new one, with its wrapped key, which comes first: whoever has heard of the version has its blob.
 * Fails: as kw_feed_change, CRYPTO. */
struct kw_result kw_key_add(const struct kw_feed_tx *feed_tx, const struct kw_key_row *row,
                            struct kw_error *err);

/* Forgets what was kept for the station. Fails: as kw_feed_change. */
struct kw_result kw_key_erase_delivery(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                       struct kw_error *err);

/* Erases the wrapped key, by this destruction (destruction.h), and the delivery; the row, its facts and
 * receipts stay. Fails: as kw_feed_change. */
struct kw_result kw_key_destroy(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                struct kw_bytes destruction, struct kw_error *err);

/* For the feed's list of tables. */
struct kw_result kw_key_check(const struct kw_record *record, struct kw_error *err);
struct kw_result kw_key_project(struct kw_tx *tx, const struct kw_record *merged,
                                struct kw_arena *arena, struct kw_error *err);

#endif
