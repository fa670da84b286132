/* Wrapped keys on the feed, of devices and for transport: what is said of them here, and how what is
 * said anywhere gets into their tables. */
#ifndef KW_SERVICES_ORCHESTRATOR_WRAPPED_KEY_FEED_H
#define KW_SERVICES_ORCHESTRATOR_WRAPPED_KEY_FEED_H

#include "common/feed/feed.h"
#include "services/orchestrator/key_table.h"
#include "services/orchestrator/transport_key_table.h"

/* The blob of a new key version. Fails: as kw_feed_change, CRYPTO. */
struct kw_result kw_wrapped_key_add(const struct kw_feed_tx *feed_tx, const struct kw_key_row *row,
                                    struct kw_error *err);

/* Erases all blobs of a key version that are here, for good and everywhere, by this destruction (KWZ1),
 * which was proven. Fails: as kw_feed_change. */
struct kw_result kw_wrapped_key_erase(const struct kw_feed_tx *feed_tx, struct kw_id key,
                                      struct kw_bytes destruction, struct kw_error *err);

/* A new transport key; `confirmed_ms` is ignored. Fails: as kw_feed_change, CRYPTO. */
struct kw_result kw_transport_key_add(const struct kw_feed_tx *feed_tx,
                                      const struct kw_transport_key_row *row, struct kw_error *err);

/* Its owner has proved to hold this blob's key; a later time changes nothing. Owner, versions and the
 * wrapped key are looked at. Fails: as kw_feed_change, CRYPTO. */
struct kw_result kw_transport_key_confirm(const struct kw_feed_tx *feed_tx,
                                          const struct kw_transport_key_row *row,
                                          struct kw_error *err);

/* For the feed's list of tables. */
struct kw_result kw_wrapped_key_check(const struct kw_record *record, struct kw_error *err);
bool kw_wrapped_key_disables(const struct kw_record *change);

/* What is erased must have been a device's key, and an officer must have signed that it is destroyed;
 * `trust` is a struct kw_officers_trust, NULL: nobody is believed. Fails: as kw_destruction_prove. */
struct kw_result kw_wrapped_key_prove(const void *trust, const struct kw_record *record,
                                      struct kw_error *err);
struct kw_result kw_wrapped_key_project(struct kw_tx *tx, const struct kw_record *merged,
                                        struct kw_arena *arena, struct kw_error *err);

#endif
