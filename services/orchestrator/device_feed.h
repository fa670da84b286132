/* Devices on the feed: what is said of them here, and how what is said anywhere gets into the
 * table. */
#ifndef KW_SERVICES_ORCHESTRATOR_DEVICE_FEED_H
#define KW_SERVICES_ORCHESTRATOR_DEVICE_FEED_H

#include "common/feed/feed.h"
#include "services/orchestrator/device_table.h"

/* A new one, not confirmed. Fails: as kw_feed_change. */
struct kw_result kw_device_add(const struct kw_feed_tx *feed_tx, const struct kw_device_row *row,
                               struct kw_error *err);

/* A pen with this serial number proved to hold the key of `row`, which it has just been found to be
 * without, or with the same serial number. Fails: as kw_feed_change; STORE_CONFLICT (another pen was
 * confirmed meanwhile). */
struct kw_result kw_device_confirm(const struct kw_feed_tx *feed_tx,
                                   const struct kw_device_row *row, const char *serial,
                                   struct kw_error *err);

/* Is released now; a later time changes nothing. Fails: as kw_feed_change. */
struct kw_result kw_device_release(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                   struct kw_error *err);

/* For the feed's list of tables. */
struct kw_result kw_device_check(const struct kw_record *record, struct kw_error *err);
struct kw_result kw_device_project(struct kw_tx *tx, const struct kw_record *merged,
                                   struct kw_arena *arena, struct kw_error *err);

#endif
