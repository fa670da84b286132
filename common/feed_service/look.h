/* Looking what there is to tell the subscriber: a read job that compares the lanes with what was told, and
 * writes the messages. */
#ifndef KW_COMMON_FEED_SERVICE_LOOK_H
#define KW_COMMON_FEED_SERVICE_LOOK_H

#include "common/feed/feed_peers.h"
#include "common/feed_service/feed_service_internal.h"

#define KW_FEED_LOOK_MESSAGES_MAX (KW_LANES_MAX / KW_FEED_TOLD_LANES_MAX + 1 + KW_FEED_TOLD_URGENTS)

/* A lane as the subscriber knows it. Plain data. */
struct kw_feed_told {
    struct kw_id lane;
    uint64_t seq;
    uint64_t closed;
    uint64_t floor;
    bool stopped;
    bool told;                       /* it was; else its place is not known */
    char region[KW_PLACE_NAME_SIZE]; /* "": not known */
    char cell[KW_PLACE_NAME_SIZE];
    struct kw_lane_point urgent; /* its urgent changes were told up to here */
    bool urgents_done;
};

struct kw_feed_look {
    const struct kw_feed *feed;
    const struct kw_feed_identity *identity;
    struct kw_feed_told told[KW_LANES_MAX]; /* by id */
    size_t told_count;
    struct kw_feed_told found[KW_LANES_MAX];
    size_t found_count;
    struct kw_buf messages[KW_FEED_LOOK_MESSAGES_MAX];
    size_t message_count;
    size_t urgent_count;      /* of them */
    bool more;                /* there are urgent changes that were not told */
    struct kw_id incarnation; /* of our present lane */
};

/* Fills `messages`, which is empty, and `found`. Read job. Fails: as the store, MEMORY, CRYPTO. */
struct kw_result kw_feed_look_run(struct kw_feed_look *look, struct kw_tx *tx,
                                  struct kw_error *err);

/* What was found counts as told: its messages will be sent, or the subscription ends. */
void kw_feed_look_keep(struct kw_feed_look *look);

/* Forgets the messages. */
void kw_feed_look_drop(struct kw_feed_look *look);

#endif
