/* How many denials of one caller are written singly: a caller that is refused a thousand times a
 * second costs ten rows and one that counts the rest. Pure. */
#ifndef KW_SERVICES_AUTHZ_DENIAL_RATE_H
#define KW_SERVICES_AUTHZ_DENIAL_RATE_H

#include "common/base/limits.h"
#include "services/authz/denial_table.h"

/* One caller's present second. */
struct kw_denial_slot {
    uint64_t second;
    uint32_t written;      /* singly */
    uint32_t pushed_out;   /* counts that were emitted because another certificate came */
    bool mixed;            /* `held` is of several certificates: it names none */
    struct kw_denial held; /* the last that was only counted; `times` says how many */
};

/* By certificate. Two that share a slot share what it may write, and push one another's counts out;
 * whoever makes that happen too often in a second is counted with the other. */
struct kw_denial_rate {
    struct kw_denial_slot slots[KW_DENIAL_CALLERS];
    size_t holding; /* slots with a count */
};

/* Where what is to be written goes. */
struct kw_denial_sink {
    void (*write)(const struct kw_denial *denial, void *context);
    void *context;
};

/* Takes a denial: emits it, or counts it. A count that belongs to another second or caller is
 * emitted first; at most 2 * KW_DENIALS_PER_CALLER_S + 1 rows of a slot and second. */
void kw_denial_rate_take(struct kw_denial_rate *rate, const struct kw_denial *denial,
                         const struct kw_denial_sink *sink);

/* Emits every count of a second before `now_ms`'s, and with `all` the others too. */
void kw_denial_rate_sweep(struct kw_denial_rate *rate, uint64_t now_ms, bool all,
                          const struct kw_denial_sink *sink);

#endif
