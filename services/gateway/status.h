/* GetStatus at its outermost layer: the gateway's own state before what the layers inside say. */
#ifndef KW_SERVICES_GATEWAY_STATUS_H
#define KW_SERVICES_GATEWAY_STATUS_H

#include "common/base/bytes.h"

struct kw_gateway;

/* Appends a GetStatusResponse: this layer, then those of `inner` (authz's GetStatusResponse), or if
 * it was not `reached`, each of them UNREACHABLE. Health learns what was said.
 * Fails: ENCODING_INVALID (authz's answer), MEMORY. */
struct kw_result kw_status_compose(struct kw_gateway *gateway, bool reached, struct kw_bytes inner,
                                   struct kw_buf *out, struct kw_error *err);

#endif
