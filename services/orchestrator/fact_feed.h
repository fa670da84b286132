/* Facts on the feed: what is stated here, and how what is stated anywhere gets into the table. Those
 * that disable go ahead of their lane. */
#ifndef KW_SERVICES_ORCHESTRATOR_FACT_FEED_H
#define KW_SERVICES_ORCHESTRATOR_FACT_FEED_H

#include "common/feed/feed.h"
#include "services/orchestrator/fact_table.h"

/* States a fact; one of the same key, kind and suspension that was stated earlier stays as it is.
 * Fails: as kw_feed_change. */
struct kw_result kw_fact_state(const struct kw_feed_tx *feed_tx, const struct kw_fact_row *row,
                               struct kw_error *err);

/* For the feed's list of tables. */
struct kw_result kw_fact_check(const struct kw_record *record, struct kw_error *err);
bool kw_fact_disables(const struct kw_record *change);
struct kw_result kw_fact_project(struct kw_tx *tx, const struct kw_record *merged,
                                 struct kw_arena *arena, struct kw_error *err);

#endif
