/* One job on a database that nobody else uses: what a command of an owner does while the owner does not run.
 *
 *     keyward-authz new-life …            new_life.h
 *     keyward-authz orphans FILE …        orphan_bundle.h
 */
#ifndef KW_COMMON_FEED_SERVICE_OFFLINE_H
#define KW_COMMON_FEED_SERVICE_OFFLINE_H

#include "common/feed/feed.h"
#include "common/feed_service/identity.h"

/* The words before the settings: which of the two. */
struct kw_offline_words {
    int count;           /* 0: neither, the owner is to run */
    const char *orphans; /* the file; NULL: a new life */
};

struct kw_offline_words kw_offline_words(int argc, char **argv);

/* Whose. Borrows. */
struct kw_offline {
    struct kw_store_options store;            /* `failed` and `context` are set here */
    struct kw_feed_identity_options identity; /* `lane_key_file` NULL: it has none */
    const char *mesh;                         /* the setting */
    uint32_t writer;
};

/* What the job has at hand; lives as long as it. */
struct kw_offline_tx {
    struct kw_tx *tx;
    const struct kw_feed_options *options; /* to open a feed with */
    const struct kw_feed_identity *identity;
};

/* Runs it. Blocks; before any other loop of the process. Fails: CONFIG_INVALID, STORE_UNAVAILABLE (another process has
 * the database), SYSTEM, CRYPTO, MEMORY; as `run`. */
struct kw_result kw_offline_run(const struct kw_offline *offline,
                                struct kw_result (*run)(const struct kw_offline_tx *tx,
                                                        void *context, struct kw_error *err),
                                void *context, struct kw_error *err);

#endif
