/* The waste budget of a connection: how many bytes a peer may send that move nothing.
 *
 * HTTP/2 has a dozen frames that cost the receiver work and carry nothing (empty DATA, PRIORITY,
 * WINDOW_UPDATE, unknown types …), and nghttp2 limits only some. So every byte received is charged,
 * whatever it is, and what turns out to carry something is given back with a little more, which
 * pays for the frames that go with it. A count of frames instead of bytes would cut off gRPC C
 * core, which sends 1.6 WINDOW_UPDATEs per call.
 */
#ifndef KW_SERVICES_GATEWAY_EDGE_BUDGET_H
#define KW_SERVICES_GATEWAY_EDGE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kw_edge_budget {
    int64_t len_max;
    int64_t left;         /* below 0: used up */
    uint64_t refilled_ns; /* monotonic time up to which the slow refill is accounted for */
};

void kw_edge_budget_init(struct kw_edge_budget *budget, size_t len_max, uint64_t now_ns);

/* Charges `len` received bytes. False: the budget is used up; cut the connection. */
bool kw_edge_budget_charge(struct kw_edge_budget *budget, size_t len, uint64_t now_ns);

/* The peer could not know yet that a stream was over: up to `len` bytes, which its window still
 * allowed, are not its fault. In flight can't be more than the connection's window, which bounds
 * what is forgiven at one time. */
void kw_edge_budget_forgive(struct kw_edge_budget *budget, size_t len);

/* The peer did something it never may, which is answered by resetting the stream: costs
 * KW_EDGE_WASTE_PENALTY. The next charge tells whether that was too much. */
void kw_edge_budget_punish(struct kw_edge_budget *budget);

/* A frame moved something: gives its `len` bytes back and KW_EDGE_WASTE_REFUND besides. */
void kw_edge_budget_refund(struct kw_edge_budget *budget, size_t len);

#endif
