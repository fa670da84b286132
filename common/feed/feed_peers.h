/* The feed, as peers see it: what they are given of every lane, and what is known of how far they
 * are. */
#ifndef KW_COMMON_FEED_FEED_PEERS_H
#define KW_COMMON_FEED_FEED_PEERS_H

#include "common/crypto/sign.h"
#include "common/feed/feed.h"

/* Our lane's present head, signed: what a heartbeat carries. No later change is older than its
 * `closed`. Lanes of other instances of our store that promised nothing for KW_SEAL_IDLE_MS promise the same. Appends
 * KWL1. Write job, so that this is kept after a restart: it leaves once the job is
 * done. Fails: as kw_lane_head_sign, the store; SYSTEM. */
struct kw_result kw_feed_seal(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                              const struct kw_private_key *key, struct kw_buf *out,
                              struct kw_error *err);

enum kw_feed_read {
    KW_FEED_READ_NOTHING,
    KW_FEED_READ_BATCH,
    KW_FEED_READ_HEARTBEAT, /* no changes, but how far the lane is and what is promised */
    KW_FEED_READ_TRIMMED,   /* it was deleted: the peer needs a snapshot */
};

struct kw_feed_found {
    enum kw_feed_read read;
    uint64_t seq;    /* the last number of what was read; TRIMMED: up to which it was deleted */
    uint64_t closed; /* of its head */
};

/* What comes after number `after` of any lane, as KWN1 appended to `out`: at most
 * KW_BATCH_CHANGES_MAX changes, about KW_BATCH_LEN_SOFT bytes; or, where there are none, the lane's last
 * head. Lanes of our store are signed here, with the promise that was sealed last; another's is cut at a
 * head its owner signed, and where a peer would refuse what follows; NOTHING, if it would refuse all, and
 * where less is held. Read or write job. Fails: as the store, as kw_lane_head_sign, MEMORY, INTERNAL (what is
 * stored is damaged). */
struct kw_result kw_feed_read(const struct kw_feed *feed, struct kw_tx *tx, struct kw_id lane,
                              uint64_t after, const struct kw_private_key *key, struct kw_buf *out,
                              struct kw_feed_found *ret_found, struct kw_error *err);

/* The next urgent change of a lane after `after`, as KWU1 appended to `out`: of a lane of ours
 * signed here, of another's as it came, as long as its lane is not here so far. So one that
 * reached us alone gets to everybody, though its store never speaks again. A store may have said two under one
 * number: both are given, in the order of their chains. `ret_at` is where it is, at number 0: there is none.
 * Read or write job. Fails: as kw_urgent_sign, the store. */
struct kw_result kw_feed_read_urgent(const struct kw_feed *feed, struct kw_tx *tx,
                                     struct kw_id lane, const struct kw_lane_point *after,
                                     const struct kw_private_key *key, struct kw_buf *out,
                                     struct kw_lane_point *ret_at, struct kw_error *err);

/* One lane as it is held here. */
struct kw_feed_lane {
    struct kw_lane lane;
    struct kw_id id;
    struct kw_lane_point point;
    struct kw_lane_point floor; /* what was trimmed: changes up to it are not kept */
    uint64_t closed;
    bool ours;    /* we write it */
    bool stopped; /* it has forked */
};

/* All lanes, by id, after `after` (KW_ID_NONE: from the first); at most `max`. Read or write job. */
struct kw_result kw_feed_lanes(const struct kw_feed *feed, struct kw_tx *tx, struct kw_id after,
                               struct kw_feed_lane *lanes, size_t max, size_t *ret_count,
                               struct kw_error *err);

/* Who says that it holds a lane, and where that is proven to be: as kw_store_record_place; empty: nowhere.
 * Borrowed. */
struct kw_feed_acker {
    struct kw_id store;
    struct kw_bytes place;
};

/* A peer (its store) holds this lane durably up to `seq`, it says; it never falls. Counts as far as we
 * hold the lane, and only of a member that is not fenced and whose row names that very place.
 * `ret_counted`: how much of it counts; 0: nothing. Write job. Fails also: MEMORY. */
struct kw_result kw_feed_ack(struct kw_tx *tx, const struct kw_feed_acker *peer, struct kw_id lane,
                             uint64_t seq, uint64_t *ret_counted, struct kw_error *err);

/* Deletes changes that all who are to have them have acknowledged, at most `max`: every member
 * that is not fenced, but for us and the store whose lane it is. A member in a state that we do not
 * know counts. Nobody is waited for beyond options.keep_max changes. Write job. `ret_trimmed`: how many. */
struct kw_result kw_feed_trim(const struct kw_feed *feed, struct kw_tx *tx, size_t max,
                              size_t *ret_trimmed, struct kw_error *err);

#endif
