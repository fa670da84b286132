/* Whom a store that joins may ask, and for how long. A donor can answer without end, or not at all, or what can't be
 * stored, and meanwhile the owner refuses everybody. So each has a share of time and answers, and who failed is not
 * asked again for a while: each time twice the share, since there may be more than it could say in one, after four
 * times the while.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_SERVICE_DONORS_H
#define KW_COMMON_FEED_SERVICE_DONORS_H

#include "common/feed_service/neighbours.h"

/* Who failed, or was left with some of its share. */
struct kw_feed_bar {
    struct kw_id store; /* none: nobody */
    uint64_t until_ns;
    unsigned times; /* that it failed; may be 0 */
    uint64_t used_ns;
    unsigned answers;
};

/* Plain data; all zeros is nobody. */
struct kw_feed_donors {
    struct kw_id present; /* whom we join by; none: nobody */
    struct kw_id last;    /* or did before */
    uint64_t share_ns;
    uint64_t used_ns;  /* of it: from questions to answers that were taken in */
    uint64_t asked_ns; /* since when one is open */
    unsigned answers;
    unsigned failures; /* one after the other */
    struct kw_feed_bar bars[KW_PEERS_MAX];
    size_t oldest; /* of them: who makes room */
};

/* We join by this one. Nothing changes where we did so before; else its share begins, or goes on if it
 * was asked before in this join: who goes away and comes back has no more. `is_new`: nobody has answered by our rows yet. */
void kw_feed_donor_begin(struct kw_feed_donors *donors, struct kw_id store, bool is_new);

/* It is asked; what it gave is taken in; it gave nothing that is any good. */
void kw_feed_donor_asked(struct kw_feed_donors *donors, uint64_t now_ns);
void kw_feed_donor_gave(struct kw_feed_donors *donors, uint64_t now_ns);
void kw_feed_donor_failed(struct kw_feed_donors *donors, uint64_t now_ns);

/* Why it is over with this one: "failed", "endless", "late"; or NULL. */
const char *kw_feed_donor_over(const struct kw_feed_donors *donors);

/* Then it is not to be asked for a while. */
void kw_feed_donor_bar(struct kw_feed_donors *donors, uint64_t now_ns);

/* The join has ended, well or not. */
void kw_feed_donor_done(struct kw_feed_donors *donors);

bool kw_feed_donor_barred(const struct kw_feed_donors *donors, struct kw_id store, uint64_t now_ns);

/* Who is next behind the last one, and not barred; none: nobody. With `any` also who is barred. */
struct kw_id kw_feed_donor_next(const struct kw_feed_donors *donors,
                                const struct kw_feed_neighbours *neighbours, bool any,
                                uint64_t now_ns);

#endif
