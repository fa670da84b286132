/* A new life by hand: for a store of which nobody can tell that it does not continue its last one, as a disk that was set
 * back whole, or one that shares its id with another store. `keyward-authz new-life`, `keyward-orchestrator new-life`. */
#ifndef KW_COMMON_FEED_SERVICE_NEW_LIFE_H
#define KW_COMMON_FEED_SERVICE_NEW_LIFE_H

#include "common/feed_service/identity.h"
#include "common/store/store.h"

/* Whose. Borrows. */
struct kw_new_life {
    struct kw_store_options store;            /* `failed` and `context` are set here */
    struct kw_feed_identity_options identity; /* `lane_key_file` NULL: it has none */
    const char *mesh;                         /* the setting */
    uint32_t writer;
};

/* Begins it, while no instance runs on the database: all lanes of the store have ended, and the next change begins one that nobody has
 * heard of. Blocks; before any other loop of the process. Fails: CONFIG_INVALID, STORE_UNAVAILABLE (another process has
 * the database), SYSTEM, CRYPTO, MEMORY. */
struct kw_result kw_new_life_begin(const struct kw_new_life *plan, struct kw_error *err);

#endif
