/* Batches on the feed: what is said of them here, and how what is said anywhere gets into the
 * table. */
#ifndef KW_SERVICES_ORCHESTRATOR_BATCH_FEED_H
#define KW_SERVICES_ORCHESTRATOR_BATCH_FEED_H

#include "common/feed/feed.h"
#include "services/orchestrator/batch_table.h"

/* A new one; counts are ignored. Fails: as kw_feed_change. */
struct kw_result kw_batch_add(const struct kw_feed_tx *feed_tx, const struct kw_batch_row *row,
                              struct kw_error *err);

/* Its first pen is released now; a later time changes nothing. Fails: as kw_feed_change. */
struct kw_result kw_batch_release(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                  struct kw_error *err);

/* For the feed's list of tables. */
struct kw_result kw_batch_check(const struct kw_record *record, struct kw_error *err);
struct kw_result kw_batch_project(struct kw_tx *tx, const struct kw_record *merged,
                                  struct kw_arena *arena, struct kw_error *err);

#endif
