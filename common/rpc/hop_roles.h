/* Inside common/rpc: what a call does on either side, for the server and the client that own the
 * streams. */
#ifndef KW_COMMON_RPC_HOP_ROLES_H
#define KW_COMMON_RPC_HOP_ROLES_H

#include "common/rpc/hop_stream.h"

/* hop_inner.c */
bool kw_hop_inner_frame(struct kw_hop_stream *stream, const Keyward__Internal__V1__Frame *frame,
                        const struct kw_hop_handler *handler, const struct kw_hop_peer *peer);
void kw_hop_inner_expired(struct kw_hop_call *call);
void kw_hop_inner_lost(struct kw_hop_call *call);

/* hop_outer.c. `draining` becomes true when the frame says so. */
bool kw_hop_outer_frame(struct kw_hop_stream *stream, const Keyward__Internal__V1__Frame *frame);
void kw_hop_outer_expired(struct kw_hop_call *call);
void kw_hop_outer_lost(struct kw_hop_call *call);

/* Opens a call on this stream, which takes calls and has room. Fails: RATE_LIMITED, BODY_TOO_LARGE,
 * DEADLINE_EXCEEDED. */
struct kw_result kw_hop_outer_open(struct kw_hop_stream *stream, const struct kw_hop_open *open,
                                   const struct kw_hop_events *events, void *user,
                                   struct kw_hop_call **ret_call, struct kw_error *err);

#endif
