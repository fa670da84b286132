/* Orphans that are said again (orphans.h): what a fenced store had said beyond what is honoured of it, of which an officer
 * brings us a part. Nothing of its lanes is taken. What disables is said again in our own lane, ahead of it: that is in
 * the safe direction, whoever said it first. All else is told, for an officer to decide, and left alone.
 *
 * Of a change that also does something else only what disables is said: a revocation of a grant, and not its
 * terms; a suspension that is set, and not one that is lifted. What an officer must have signed (an erased key) is
 * said if one did. Of `stores` nothing is: orders are brought as orders. */
#ifndef KW_COMMON_FEED_FEED_REPLAY_H
#define KW_COMMON_FEED_FEED_REPLAY_H

#include "common/crypto/digest.h"
#include "common/feed/feed.h"

enum kw_replayed {
    KW_REPLAYED_LEFT = 1, /* it is not ours to do */
    KW_REPLAYED_SAID,     /* it disables, and was not known here; or would be said */
    KW_REPLAYED_KNOWN,    /* it disables, and that was known */
    KW_REPLAYED_HONOURED, /* its fence honours it, and its lane has brought it here */
};

/* One change of the batch. */
struct kw_replayed_change {
    uint64_t seq;
    uint64_t hlc;
    const char *table; /* its name; "": none that is known here. Stays */
    uint8_t key[KW_SHA256_LEN];
    enum kw_replayed how;
    bool in_part; /* SAID, KNOWN: the rest of it is left */
};

struct kw_replay {
    bool known; /* the store is one of ours; else nothing was done */
    struct kw_id lane;
    struct kw_replayed_change *changes; /* in the arena */
    size_t count;
    size_t said;
    /* Numbers of the lane that neither the lane brings nor the bundle has; 0: none, or an earlier batch has told. */
    uint64_t missing_first;
    uint64_t missing_last;
};

/* Judges one batch (KWN1) of a bundle (KWY1), and says again what disables; twice is once. What is missing before the bundle
 * is told, and is no reason to leave the rest. `dry`: nothing is written, in
 * a read job, too. Write job. Fails: as the store, MEMORY, CRYPTO; ARGUMENT_INVALID (they can't be read, the batch is
 * none of the bundle, its changes do not lead to its head), BINDING_INVALID (of another mesh), SIGNATURE_INVALID (not
 * signed by a key of that store), STATE_CONFLICT (the store is not fenced, or is our own; it contradicts what is held
 * here). */
struct kw_result kw_feed_replay(const struct kw_feed_tx *feed_tx, struct kw_bytes bundle,
                                struct kw_bytes batch, bool dry, struct kw_replay *ret_replay,
                                struct kw_error *err);

/* Of a change what disables alone, in the arena; without fields: nothing of it does. Internal. Fails: MEMORY, CRYPTO. */
struct kw_result kw_feed_only_disabling(const struct kw_feed *feed,
                                        const struct kw_feed_table *table,
                                        const struct kw_record *change, struct kw_arena *arena,
                                        struct kw_record *ret_only, struct kw_error *err);

#endif
