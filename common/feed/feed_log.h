/* The log of an owner of which others keep copies (log_copy.h): what the owner does for it. Without one (NULL in the feed's
 * options) nobody asks, and who is asked has no answer. */
#ifndef KW_COMMON_FEED_FEED_LOG_H
#define KW_COMMON_FEED_FEED_LOG_H

#include "common/base/arena.h"
#include "common/feed/log_copy.h"
#include "common/store/store.h"

struct kw_feed;

/* A segment that is offered for keeping. Borrows. */
struct kw_log_offer {
    struct kw_feed *feed; /* for alarms (feed_alarm.h) */
    struct kw_bytes
        place; /* "region/cell" of whoever handed it over, as the row of its store says */
    struct kw_bytes region; /* the same, in two */
    struct kw_bytes cell;
    struct kw_id store;
    const struct kw_log_ask *asked;
    struct kw_bytes segment;
    struct kw_bytes evidence; /* the answer it was in, as that store signed it */
    uint64_t now_ms;
};

struct kw_feed_log {
    /* Of our own chains those behind `after`, by name, at most `max`. Read job. */
    struct kw_result (*chains)(struct kw_tx *tx, const uint8_t after[KW_LOG_NAME_LEN],
                               struct kw_log_chain *chains, size_t max, size_t *ret_count,
                               struct kw_error *err);
    /* Appends what of our own follows there, at most KW_SEGMENT_LEN_MAX; nothing: there is no more. Read job. */
    struct kw_result (*read)(struct kw_tx *tx, const struct kw_log_ask *from, struct kw_buf *out,
                             struct kw_error *err);
    /* How far a chain of that place is kept. `*ret_takes` false: no more of it is taken. Read or write job. */
    struct kw_result (*kept)(struct kw_tx *tx, struct kw_bytes place,
                             const uint8_t name[KW_LOG_NAME_LEN], uint64_t *ret_end,
                             bool *ret_takes, struct kw_error *err);
    /* Judges it, and keeps it or does not: `kept` says which. Write job. */
    struct kw_result (*keep)(const void *context, struct kw_tx *tx,
                             const struct kw_log_offer *offer, struct kw_arena *arena,
                             struct kw_error *err);
    const void *context; /* for `keep` */
};

#endif
