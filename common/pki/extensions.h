/* The extensions of the certificates we make. Private to common/pki. */
#ifndef KW_COMMON_PKI_EXTENSIONS_H
#define KW_COMMON_PKI_EXTENSIONS_H

#include "common/pki/build.h"

/* basicConstraints CA with `path_len`, keyUsage keyCertSign and cRLSign, both critical. Fails:
 * CRYPTO, MEMORY. */
struct kw_result kw_extensions_ca(X509 *x509, int path_len, struct kw_error *err);

/* basicConstraints (no CA) and keyUsage, critical, and extendedKeyUsage. Fails: CRYPTO, MEMORY. */
struct kw_result kw_extensions_leaf(X509 *x509, unsigned usage, struct kw_error *err);

/* subjectAltName: the identity as its URI, then the hosts. Fails: ARGUMENT_INVALID (a host is
 * neither a DNS name nor an IP address), CRYPTO, MEMORY. */
struct kw_result kw_extensions_names(X509 *x509, const struct kw_leaf_plan *plan,
                                     struct kw_error *err);

/* subjectKeyIdentifier of its own key, authorityKeyIdentifier of `issuer` (the certificate itself:
 * a root). Fails: ARGUMENT_INVALID (the issuer has none), CRYPTO, MEMORY. */
struct kw_result kw_extensions_key_ids(X509 *x509, X509 *issuer, struct kw_error *err);

#endif
