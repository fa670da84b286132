/* What this store holds, as two figures that an operator compares between cells: `keyward replication verify`. */
#ifndef KW_COMMON_FEED_SERVICE_SHOWING_H
#define KW_COMMON_FEED_SERVICE_SHOWING_H

#include <stdbool.h>
#include <stdint.h>

struct kw_feed_service;

struct kw_feed_showing {
    int64_t lanes; /* how far all of them are held, as 48 bits of its digest; 0: it is joining */
    int64_t rows;  /* the same of the roots of all tables, in the same transaction */
    bool running;
    uint64_t due_ns;
};

/* Makes them anew, if it is time. */
void kw_feed_showing_tend(struct kw_feed_service *service);

#endif
