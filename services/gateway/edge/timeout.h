/* The grpc-timeout header: how long a client is willing to wait. */
#ifndef KW_SERVICES_GATEWAY_EDGE_TIMEOUT_H
#define KW_SERVICES_GATEWAY_EDGE_TIMEOUT_H

#include "common/base/bytes.h"

/* Reads "1 to 8 digits and a unit of H M S m u n", strictly. 0 is valid: a deadline that has
 * passed. Fails: METADATA_INVALID. */
struct kw_result kw_edge_timeout_parse(struct kw_bytes text, uint64_t *ret_ns,
                                       struct kw_error *err);

#endif
