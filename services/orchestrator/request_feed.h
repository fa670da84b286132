/* Requests on the feed: what was done here, and how what was done anywhere gets into the table. */
#ifndef KW_SERVICES_ORCHESTRATOR_REQUEST_FEED_H
#define KW_SERVICES_ORCHESTRATOR_REQUEST_FEED_H

#include "common/feed/feed.h"
#include "services/orchestrator/request_table.h"

/* It was done here, now; it had not been found done. Fails: as kw_feed_change; STORE_CONFLICT (it was
 * done meanwhile by another instance on this database, or in another cell). */
struct kw_result kw_request_add(const struct kw_feed_tx *feed_tx, const struct kw_request_key *key,
                                const struct kw_request_row *row, struct kw_error *err);

/* For the feed's list of tables. */
struct kw_result kw_request_check(const struct kw_record *record, struct kw_error *err);
struct kw_result kw_request_project(struct kw_tx *tx, const struct kw_record *merged,
                                    struct kw_arena *arena, struct kw_error *err);

#endif
