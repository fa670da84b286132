/* Writing a bundle of what a fenced store alone had said (common/feed/orphans.h): `keyward-authz orphans`,
 * `keyward-orchestrator orphans`. */
#ifndef KW_COMMON_FEED_SERVICE_ORPHAN_BUNDLE_H
#define KW_COMMON_FEED_SERVICE_ORPHAN_BUNDLE_H

#include "common/feed_service/offline.h"

/* Writes it to a file, of mode 0600, while no instance runs on the database, which stays as it is. Fails: as kw_offline_run,
 * kw_feed_orphans; CONFIG_INVALID (it has no lane key), SYSTEM (the file). */
struct kw_result kw_orphan_bundle_write(const struct kw_offline *offline, const char *file,
                                        struct kw_error *err);

#endif
