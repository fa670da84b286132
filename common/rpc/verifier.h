/* Inside common/rpc: who a peer is, asked of its certificate at the handshake. Includes gRPC. */
#ifndef KW_COMMON_RPC_VERIFIER_H
#define KW_COMMON_RPC_VERIFIER_H

#include "common/base/bytes.h"

#include <grpc/grpc_security.h>

/* A verifier that accepts the given SPIFFE ids (NULL-terminated, copied). NULL: out of memory.
 * Released by grpc_tls_certificate_verifier_release; it must be set on options of at least one
 * credential. */
grpc_tls_certificate_verifier *kw_verifier_new(const char *const *ids);

/* Whether the PEM certificate has exactly one URI SAN, that is byte for byte one of `ids`, and its
 * issuer may certify it (common/pki/region.h). Any thread. */
bool kw_verifier_accepts(struct kw_bytes pem, const char *const *ids, size_t count);

#endif
