/* Reflection: grpc.reflection.v1 and v1alpha, answered here from the embedded descriptors. The two
 * have the same messages on the wire. */
#ifndef KW_SERVICES_GATEWAY_REFLECTION_H
#define KW_SERVICES_GATEWAY_REFLECTION_H

#include "services/gateway/descriptors.h"
#include "services/gateway/serve.h"

/* Appends the ServerReflectionResponse to a ServerReflectionRequest. What is not known is said in
 * the answer, not by a failure. Pure. Fails: ENCODING_INVALID, BODY_TOO_LARGE (the request),
 * MEMORY. */
struct kw_result kw_reflection_answer(const struct kw_descriptors *descriptors,
                                      struct kw_bytes request, struct kw_buf *out,
                                      struct kw_error *err);

/* ServerReflectionInfo of both versions (struct kw_route): an answer for each question, in order,
 * for as long as the client keeps the call open. */
struct kw_result kw_reflection_open(struct kw_gateway *gateway, const struct kw_edge_open *open,
                                    struct kw_serving **ret_serving, struct kw_error *err);

#endif
