/* Relay: a unary call of the outer neighbour handed to the inner one as it is, and the answer back.
 * For the methods between layers that no layer on the way decides. */
#ifndef KW_COMMON_RPC_RELAY_H
#define KW_COMMON_RPC_RELAY_H

#include "common/rpc/hop.h"

/* Opens the same method on `inner` with the same deadline. The call ends with the inner answer, or
 * with why there is none; `inner` NULL is PEER_UNAVAILABLE. Loop thread. */
void kw_relay_open(struct kw_hop_call *outer, const struct kw_hop_open *open,
                   struct kw_hop_client *inner);

#endif
