/* The stores of one owner, as the public API shows them. */
#ifndef KW_COMMON_FEED_SERVICE_STORE_LIST_H
#define KW_COMMON_FEED_SERVICE_STORE_LIST_H

#include "common/base/arena.h"
#include "common/feed/feed.h"
#include "keyward/v1/status_service.pb-c.h"

/* Those that are asked for, by id, and how far their lanes are held; of one place with their vouchers, for which there is no
 * room in a list of all. `layer`: whose they are; stays. All in the arena.
 * Read or write job. Fails: as the store, MEMORY, INTERNAL (what is stored is damaged), LIMIT_REACHED (more than
 * KW_VECTOR_STORES_MAX stores that are not fenced, or KW_LANES_MAX lanes). */
struct kw_result kw_store_list(const struct kw_feed *feed, struct kw_tx *tx, const char *layer,
                               const Keyward__V1__ListStoresRequest *request,
                               struct kw_arena *arena,
                               Keyward__V1__ListStoresResponse *ret_response, struct kw_error *err);

#endif
