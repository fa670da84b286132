/* What the row of a store says of it, as far as a replicator and an operator want to know. */
#ifndef KW_COMMON_FEED_SERVICE_STORE_ABOUT_H
#define KW_COMMON_FEED_SERVICE_STORE_ABOUT_H

#include "common/feed_service/feed_service_internal.h"
#include "common/sync/store_record.h"

/* Plain data. */
struct kw_store_about {
    char region[KW_PLACE_NAME_SIZE]; /* "": not known */
    char cell[KW_PLACE_NAME_SIZE];
    enum kw_store_state state;
};

/* Of our own store the place is known in any case. A row that is damaged says nothing. Read or write job.
 * Fails: as the store, MEMORY, CRYPTO. */
struct kw_result kw_store_about(const struct kw_feed *feed, const struct kw_feed_identity *identity,
                                struct kw_tx *tx, struct kw_id store,
                                struct kw_store_about *ret_about, struct kw_error *err);

#endif
