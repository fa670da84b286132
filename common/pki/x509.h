/* Shared by the files of this folder, and by the verifier of common/rpc: OpenSSL's certificate
 * objects in scopes, and the profile's algorithms. */
#ifndef KW_COMMON_PKI_X509_H
#define KW_COMMON_PKI_X509_H

#include "common/crypto/openssl.h"
#include "common/pki/certificate.h"

#include <openssl/cms.h>
#include <openssl/x509v3.h>

KW_OPENSSL_SCOPED(kw_x509_done, X509, X509_free)
KW_OPENSSL_SCOPED(kw_x509_req_done, X509_REQ, X509_REQ_free)
KW_OPENSSL_SCOPED(kw_x509_name_done, X509_NAME, X509_NAME_free)
KW_OPENSSL_SCOPED(kw_x509_store_ctx_done, X509_STORE_CTX, X509_STORE_CTX_free)
KW_OPENSSL_SCOPED(kw_general_name_done, GENERAL_NAME, GENERAL_NAME_free)
KW_OPENSSL_SCOPED(kw_general_names_done, GENERAL_NAMES, GENERAL_NAMES_free)
KW_OPENSSL_SCOPED(kw_cms_done, CMS_ContentInfo, CMS_ContentInfo_free)

/* ECDSA with SHA-256 or SHA-384: what may sign a certificate or a request. */
static inline bool kw_signature_nid_allowed(int nid)
{
    return nid == NID_ecdsa_with_SHA256 || nid == NID_ecdsa_with_SHA384;
}

/* The key as it is spelled in the certificate or request, so that only the one accepted form
 * passes. Fails: ARGUMENT_INVALID. */
struct kw_result kw_x509_pubkey_read(X509_PUBKEY *spki, struct kw_public_key *ret_key,
                                     struct kw_error *err);

/* True when `object` is spelled as it came in `der`. OpenSSL also reads BER, and mends what it reads
 * (lengths, the unused bits of a BIT STRING), which would give one object many spellings. A part
 * whose bytes it kept is compared with itself; it can be made to forget them before. */
bool kw_x509_spelled(const void *object, const ASN1_ITEM *item, struct kw_bytes der);

/* Reads the next certificate of a PEM text; at its end `certificate` is left as it is.
 * Fails: ARGUMENT_INVALID (also as kw_certificate_from_der). */
struct kw_result kw_x509_pem_next(BIO *bio, struct kw_certificate *certificate,
                                  struct kw_error *err);

/* The one URI among the names, or NULL when there is none or more than one. */
const ASN1_IA5STRING *kw_x509_only_uri(const GENERAL_NAMES *names);

#endif
