/* A new life by hand: for a store of which nobody can tell that it does not continue its last one, as a disk that was set
 * back whole, or one that shares its id with another store. `keyward-authz new-life`, `keyward-orchestrator new-life`. */
#ifndef KW_COMMON_FEED_SERVICE_NEW_LIFE_H
#define KW_COMMON_FEED_SERVICE_NEW_LIFE_H

#include "common/feed_service/offline.h"

/* Begins it, while no instance runs on the database: all lanes of the store have ended, and the next change begins one
 * that nobody has heard of. Fails: as kw_offline_run. */
struct kw_result kw_new_life_begin(const struct kw_offline *offline, struct kw_error *err);

#endif
