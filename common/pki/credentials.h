/* A process's credentials: a directory with key.pem (0600), cert.pem (leaf first, then issuing CAs)
 * and ca.pem.
 *
 * Renewal never changes a file that is in use. The path that services are given is a symbolic link
 * to one of two directories beside it; a writer makes the other one anew, complete and synced, and
 * swaps the link by rename.
 *
 *     authz -> authz.a       authz.a/{key,cert,ca}.pem     in use
 *                            authz.b/…                     before, or being written
 */
#ifndef KW_COMMON_PKI_CREDENTIALS_H
#define KW_COMMON_PKI_CREDENTIALS_H

#include "common/pki/trust.h"

#define KW_CREDENTIALS_KEY  "key.pem"
#define KW_CREDENTIALS_CERT "cert.pem"
#define KW_CREDENTIALS_CA   "ca.pem"

/* What a TLS endpoint needs, parsed and as text (gRPC takes PEM). Release with kw_credentials_done.
 */
struct kw_credentials {
    struct kw_private_key key;
    struct kw_certificate leaf;
    struct kw_trust trust;
    struct kw_buf key_pem; /* wiped when released; each text has a NUL after its end */
    struct kw_buf cert_pem;
    struct kw_buf ca_pem;
};

/* The three files' texts. Borrowed. */
struct kw_credentials_pem {
    struct kw_bytes key;
    struct kw_bytes cert;
    struct kw_bytes ca;
};

/* Reads the directory (or link) at `path`, always one complete generation. Any thread; blocks on
 * the disk. Fails: CONFIG_INVALID (missing, key open to others, malformed, key is not the leaf's),
 * MEMORY. */
struct kw_result kw_credentials_load(struct kw_credentials *credentials, const char *path,
                                     struct kw_error *err);

/* The same from texts, which are copied. Fails: CONFIG_INVALID (malformed, key is not the leaf's),
 * MEMORY. */
struct kw_result kw_credentials_from_pem(struct kw_credentials *credentials,
                                         const struct kw_credentials_pem *pem,
                                         struct kw_error *err);

/* Accepts NULL and zeroed. */
void kw_credentials_done(struct kw_credentials *credentials);

/* Makes a new generation durable at `path` and swaps to it. One writer at a time. On failure the
 * present generation stays in use. Fails: CONFIG_INVALID (the texts are not credentials, or `path`
 * is there and is no link), SYSTEM (disk), MEMORY. */
struct kw_result kw_credentials_write(const char *path, const struct kw_credentials_pem *pem,
                                      struct kw_error *err);

/* Replace key.pem and cert.pem, or ca.pem, and keep the others as they are by then, whoever else is at
 * it: a lock file beside the link makes them wait for one another. Fail: as kw_credentials_write. */
struct kw_result kw_credentials_renew(const char *path, struct kw_bytes key, struct kw_bytes cert,
                                      struct kw_error *err);
struct kw_result kw_credentials_trust(const char *path, struct kw_bytes ca, struct kw_error *err);

#endif
