/* CMS EnvelopedData (RFC 5652, RFC 5753) with one secret in it, for the one time a transport key
 * travels.
 *
 * One recipient by key agreement: dhSinglePass-stdDH-sha384kdf-scheme on P-384, id-aes256-wrap,
 * content AES-256-CBC. `openssl cms -decrypt` opens it. EnvelopedData is not authenticated; the
 * receiver proves the key it found by ConfirmTransportKey before anything is delivered under it.
 */
#ifndef KW_COMMON_PKI_CMS_H
#define KW_COMMON_PKI_CMS_H

#include "common/pki/certificate.h"

/* Appends the DER ContentInfo that only the holder of `recipient`'s key can open. Whether that
 * certificate is to be believed is the caller's question (trust.h). Any thread.
 * Fails: ARGUMENT_INVALID (the recipient's key is not on P-384), CRYPTO, MEMORY. */
struct kw_result kw_cms_seal(const struct kw_secret *secret, const struct kw_certificate *recipient,
                             struct kw_buf *ret_der, struct kw_error *err);

/* Opens what kw_cms_seal made; refuses any other key agreement or key wrapping, AuthEnvelopedData,
 * and further recipients. `ret_secret` is made here. Any thread. Fails: ARGUMENT_INVALID
 * (malformed, not DER, refused algorithms, no content or over KW_SECRET_LEN_MAX), BINDING_INVALID (not for this
 * key and certificate, or altered so that it shows), LIMIT_REACHED, MEMORY, CRYPTO, SYSTEM. */
struct kw_result kw_cms_open(struct kw_bytes der, const struct kw_private_key *key,
                             const struct kw_certificate *recipient, struct kw_secret *ret_secret,
                             struct kw_error *err);

#endif
