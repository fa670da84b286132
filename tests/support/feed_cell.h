/* A service's store as one of a mesh, without a replicator: a test says when what it has said gets to another one.
 * The service runs in this process, on a loop that the test turns. */
#ifndef KW_TESTS_SUPPORT_FEED_CELL_H
#define KW_TESTS_SUPPORT_FEED_CELL_H

#include "common/crypto/sign.h"
#include "common/feed/feed_peers.h"

struct feed_cell {
    struct kw_store *store;
    struct kw_feed *feed;
    struct kw_private_key key; /* signs its lane */
    void (*turn)(void *context);
    void *context;
};

/* Draws the key. */
void feed_cell_init(struct feed_cell *cell, struct kw_store *store, struct kw_feed *feed,
                    void (*turn)(void *context), void *context);
void feed_cell_done(struct feed_cell *cell);

/* `cell` believes what `other` signs. */
void feed_cell_know(struct feed_cell *cell, struct feed_cell *other);

/* All that `from` has said itself, in order; how many batches. Whatever fails in the service is tried again, as a
 * replicator does. */
size_t feed_cell_tell(struct feed_cell *from, struct feed_cell *to);

/* What of it goes ahead of its lane, and nothing else; how many changes. */
size_t feed_cell_tell_urgent(struct feed_cell *from, struct feed_cell *to);

/* Both ways, until neither has news; nothing is in quarantine then, and both have the same rows. */
void feed_cell_meet(struct feed_cell *a, struct feed_cell *b);

/* Writes of rows that the service would not make. */
typedef struct kw_result feed_cell_say(const struct kw_feed_tx *feed_tx, const void *what,
                                       struct kw_error *err);
void feed_cell_do(struct feed_cell *cell, feed_cell_say *say, const void *what);

#endif
