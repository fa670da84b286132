/* Serve: what every call of the edge has in common, whoever answers it: the limits of its caller,
 * its one answer with its details, its line in the access log.
 *
 *     edge ──open──▶ route ──▶ forwarded (call.h)       to authz
 *                         ├──▶ health (health.h)
 *                         ├──▶ reflection (reflection.h)
 *                         └──▶ refused
 */
#ifndef KW_SERVICES_GATEWAY_SERVE_H
#define KW_SERVICES_GATEWAY_SERVE_H

#include "common/rpc/hop.h"
#include "services/gateway/callers.h"
#include "services/gateway/edge/edge.h"
#include "services/gateway/pace.h"

struct kw_gateway;
struct kw_serving;

/* Who answers. `over` comes exactly once and last: the call has ended, by kw_serving_finish or
 * because the client left; it frees the object that the serving is part of. */
struct kw_serving_events {
    void (*message)(struct kw_serving *serving, struct kw_bytes message);
    void (*end)(struct kw_serving *serving);
    void (*writable)(struct kw_serving *serving);
    void (*over)(struct kw_serving *serving);
    bool standing; /* has no natural end: a drain finishes it */
};

/* The first member of what answers a call. `events`, `method`, `deadline_ns` and `pace` are set by
 * who makes it. */
struct kw_serving {
    const struct kw_serving_events *events;
    const char *method;   /* for log and metrics: static */
    uint64_t deadline_ns; /* not later than this; 0: the client's alone counts */
    struct kw_gateway *gateway;
    struct kw_edge_call *call;
    const struct kw_edge_peer *peer;
    struct kw_bytes request_id;
    struct kw_caller *caller; /* NULL: refused before it was counted */
    struct kw_pace *pace;     /* where its time is noted; NULL: nowhere */
    uint32_t ahead;           /* calls that `pace` had before it */
    uint64_t start_ns;
    uint64_t queued_ns; /* since when `pace` counts it; 0: it does not */
    struct kw_serving *prev;
    struct kw_serving *next;
};

/* A call that may be answered here: its object, zeroed but for events, method, deadline. Fails:
 * MEMORY, METHOD_UNKNOWN (not its own). `open` is borrowed, and what it points to lives as long as
 * the call. */
struct kw_route {
    struct kw_result (*open)(struct kw_gateway *gateway, const struct kw_edge_open *open,
                             struct kw_serving **ret_serving, struct kw_error *err);
};

/* What the edge calls. */
struct kw_edge_handler kw_serve_handler(struct kw_gateway *gateway);

/* The request is whole: from here its wait is ours, and counts. How long the client took to send it
 * says nothing of our queue, and one that is not whole is not in it. False: it would not be answered
 * in time any more; it is refused, and gone. */
bool kw_serving_queue(struct kw_serving *serving);

/* What is said beside an answer, in its trailers. */
struct kw_serving_note {
    const char *receipt;    /* resource name, or NULL */
    const char *durability; /* how far a change is held, or NULL */
};

/* Answers and ends the call: `over` has run when it returns. `note`: or NULL. */
void kw_serving_finish(struct kw_serving *serving, const struct kw_hop_status *status,
                       const struct kw_serving_note *note);

/* The same for an error of our own; logs its message at debug. */
void kw_serving_fail(struct kw_serving *serving, const struct kw_error *error);

/* Ends every standing call, so that a drain can. */
void kw_serve_end_standing(struct kw_gateway *gateway);

#endif
