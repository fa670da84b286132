/* With whom our cell is linked: whom we may ask. FEED_PEERS tells it, all of them each time. */
#ifndef KW_COMMON_FEED_SERVICE_NEIGHBOURS_H
#define KW_COMMON_FEED_SERVICE_NEIGHBOURS_H

#include "common/base/id.h"
#include "common/base/limits.h"
#include "common/rpc/hop.h"

/* An owner of our kind in another cell. Plain data. */
struct kw_feed_neighbour {
    struct kw_id store;
    char region[KW_PLACE_NAME_SIZE];
};

struct kw_feed_neighbours {
    struct kw_feed_neighbour list[KW_PEERS_MAX];
    size_t count;
};

struct kw_feed_service;

/* The call. */
void kw_feed_neighbours_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                             const struct kw_hop_open *open);

/* Is that store among them? */
bool kw_feed_neighbours_have(const struct kw_feed_neighbours *neighbours, struct kw_id store);

#endif
