/* Outflow: messages to the caller of a stream, in order, as fast as its credit allows. What does
 * not fit waits here; whoever makes the messages looks at kw_outflow_empty before making more. */
#ifndef KW_SERVICES_AUTHZ_OUTFLOW_H
#define KW_SERVICES_AUTHZ_OUTFLOW_H

#include "common/rpc/hop.h"

struct kw_outflow_message;

/* Zero-initialise; release with kw_outflow_done. Loop thread. */
struct kw_outflow {
    struct kw_outflow_message *first;
    struct kw_outflow_message **last;
};

/* Sends, or keeps a copy. `hop` NULL: nobody listens any more, and it is dropped. Fails: MEMORY. */
struct kw_result kw_outflow_send(struct kw_outflow *flow, struct kw_hop_call *hop,
                                 struct kw_hop_item item, struct kw_error *err);

/* Credit came back. */
void kw_outflow_writable(struct kw_outflow *flow, struct kw_hop_call *hop);

static inline bool kw_outflow_empty(const struct kw_outflow *flow)
{
    return flow->first == NULL;
}

void kw_outflow_done(struct kw_outflow *flow);

#endif
