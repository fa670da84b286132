/* Keeping: copies of other cells' logs (common/feed/log_copy.h), of those whose keeper this cell is (common/feed/keepers.h).
 * Beside it: how far those who keep ours are.
 *
 *     begin ─▶ whose? ─▶ of each: chains ─▶ what we lack of each: segment, segment, … ─▶ end
 *                          ◀── after a few questions, when a look at lanes or a join is due: that is first
 *
 * It is one of the errands (errands.h), and like them asks one question at a time. What is asked says what is kept, so
 * nothing is acknowledged, and what was lost is asked again.
 */
#ifndef KW_COMMON_FEED_SERVICE_KEEPING_H
#define KW_COMMON_FEED_SERVICE_KEEPING_H

#include "common/feed/keepers.h"
#include "common/feed/log_copy.h"
#include "common/feed_service/neighbours.h"

struct kw_feed_service;

/* A cell whose log we keep. */
struct kw_feed_origin {
    struct kw_id store;
    uint64_t kept; /* entries of those that it has, after the last look at all of them */
};

/* A store that may say it keeps ours, and as what. */
struct kw_feed_keeper {
    struct kw_id store;
    enum kw_keeper keeper;
};

/* What a keeper lacks. */
struct kw_feed_unshipped {
    uint64_t kept;     /* it said so last */
    uint64_t asked;    /* entries there were … */
    uint64_t asked_ns; /* … then */
    uint64_t whole_ns; /* it has all that there was then; or we look since then */
};

/* A chain of which another cell has more than we keep. */
struct kw_feed_wanted {
    struct kw_log_chain chain; /* as it is there */
    uint64_t kept;             /* up to this number here */
    uint64_t before;           /* the same, before the last question */
    bool takes;
};

/* Who is who, as a job finds it. */
struct kw_feed_keep_found {
    struct kw_feed_origin origins[KW_PEERS_MAX];
    size_t origin_count;
    struct kw_feed_keeper keepers[KW_PEERS_MAX];
    size_t keeper_count;
    bool has[KW_KEEPER_END_]; /* there is such a cell */
    uint64_t total;           /* entries of our own log */
};

struct kw_feed_keeping {
    uint64_t due_ns;
    unsigned steps; /* questions since it began */
    struct kw_feed_keep_found now;
    struct kw_feed_keep_found found; /* of the job that runs */
    size_t at;                       /* whose origin's turn it is */
    size_t left;                     /* origins until all had theirs */
    uint8_t after[KW_LOG_NAME_LEN];  /* chains behind this one are listed next */
    bool listed;                     /* those were the last */
    uint64_t counted;                /* entries that are kept, in this look */
    struct kw_feed_wanted wanted[KW_LOG_CHAINS_MAX];
    size_t wanted_count;
    size_t wanted_at;
    struct kw_log_ask asked;
    struct kw_feed_unshipped unshipped[KW_KEEPER_END_];
};

/* Is it time, and nothing else under way? */
void kw_feed_keeping_tend(struct kw_feed_service *service);

/* A keeper of ours asked, and so says how far it is. */
void kw_feed_keeping_told(struct kw_feed_service *service, const struct kw_log_ask *ask);

#endif
