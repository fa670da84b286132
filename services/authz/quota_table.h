/* Table quotas: how much of each grant's quota is used. Store's threads; what is said is in the feed, a row
 * for each window, and the columns are those of a grant's newest. */
#ifndef KW_SERVICES_AUTHZ_QUOTA_TABLE_H
#define KW_SERVICES_AUTHZ_QUOTA_TABLE_H

#include "common/feed/feed.h"
#include "services/authz/quota.h"

/* Says how much we used, and reads what others did: into `quota`. Fails: as kw_feed_change. */
struct kw_result kw_quota_store(const struct kw_feed_tx *feed_tx, struct kw_quota *quota,
                                struct kw_error *err);

/* Those behind grant `after`, at most `max`, as `instance` sees them. Fails: STORE_UNAVAILABLE,
 * INTERNAL. */
struct kw_result kw_quota_list(struct kw_tx *tx, struct kw_id instance, struct kw_id after,
                               struct kw_quota *quotas, size_t max, size_t *ret_count,
                               struct kw_error *err);

/* A row, as `instance` sees it. False: it is none. */
bool kw_quota_read(const struct kw_record *record, struct kw_id instance,
                   struct kw_quota *ret_quota);

/* Its row of feed_tables.c; see feed.h. */
struct kw_result kw_quota_check(const struct kw_record *record, struct kw_error *err);
struct kw_result kw_quota_project(struct kw_tx *tx, const struct kw_record *merged,
                                  struct kw_arena *arena, struct kw_error *err);

#endif
