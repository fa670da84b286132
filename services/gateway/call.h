/* A forwarded call: from the edge to authz and back, with back-pressure, deadline and cancellation
 * both ways.
 *
 *     unary      message, end ─▶ [look into the cache] ─▶ OPEN+DATA+END; one message back
 *     streamed   first message ─▶ OPEN+DATA; then each message as credit allows; end ─▶ END
 *
 * What authz answers is held until its status is known, unless the answer is a stream.
 */
#ifndef KW_SERVICES_GATEWAY_CALL_H
#define KW_SERVICES_GATEWAY_CALL_H

#include "common/rpc/methods.h"
#include "services/gateway/serve.h"

/* Any method of the table that is not internal (struct kw_route). Fails: METHOD_UNKNOWN, MEMORY. */
struct kw_result kw_call_open(struct kw_gateway *gateway, const struct kw_edge_open *open,
                              struct kw_serving **ret_serving, struct kw_error *err);

/* Where the times of this method's calls are noted. NULL: it streams. */
struct kw_pace *kw_call_pace(const struct kw_gateway *gateway, const struct kw_method *row);

/* Until when a call of this method that comes now is worth an answer: the deadline that its client
 * asked for (monotonic; 0: none, then the default), not later than the method's cap. */
uint64_t kw_call_deadline(const struct kw_method *row, uint64_t asked_ns, uint64_t now_ns);

#endif
