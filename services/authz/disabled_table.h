/* Table disabling_facts: authz's own copy, so that no inner layer can forget one. Store's threads; what is
 * said is in the feed, and its columns follow. */
#ifndef KW_SERVICES_AUTHZ_DISABLED_TABLE_H
#define KW_SERVICES_AUTHZ_DISABLED_TABLE_H

#include "common/audit/capsule.h"
#include "common/feed/feed.h"
#include "common/store/row.h"

/* One that is known stays as it is. `record` is a KWF1 of a disabling kind about a key of `device`.
 * Fails: ENCODING_INVALID (no fact), ARGUMENT_INVALID (an enabling one), and as kw_feed_change. */
struct kw_result kw_disabled_insert(const struct kw_feed_tx *feed_tx, struct kw_id device,
                                    struct kw_bytes record, struct kw_error *err);

/* Adds what is known about a device's keys to the capsule; see kw_capsule_disabled_add. Fails:
 * LIMIT_REACHED (more than a capsule holds: then the device is not to be used), STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_disabled_collect(struct kw_tx *tx, struct kw_id device,
                                     struct kw_capsule *capsule, struct kw_buf *list,
                                     struct kw_error *err);

/* How many facts are known about a device's keys. */
struct kw_result kw_disabled_count(struct kw_tx *tx, struct kw_id device, uint32_t *ret_count,
                                   struct kw_error *err);

/* Its row of feed_tables.c; see feed.h. */
struct kw_result kw_disabled_check(const struct kw_record *record, struct kw_error *err);
bool kw_disabled_disables(const struct kw_record *change);
struct kw_result kw_disabled_project(struct kw_tx *tx, const struct kw_record *merged,
                                     struct kw_arena *arena, struct kw_error *err);

#endif
