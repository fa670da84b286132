/* Trust: by what a Redis that is reached by TLS shows that it is the one we were told of: a chain to a
 * CA of a file, which is read again when it changes, and our name for it in the certificate. */
#ifndef KW_SERVICES_GATEWAY_CACHE_TRUST_H
#define KW_SERVICES_GATEWAY_CACHE_TRUST_H

#include "common/base/file.h"

#include <openssl/ssl.h>

/* Zero-initialise; release with kw_redis_trust_done, after a failure, too. */
struct kw_redis_trust {
    char *ca_file;
    struct kw_file_stamp read; /* what the file looked like when it was read */
    SSL_CTX *context;          /* NULL: no TLS */
};

/* `ca_file` is NULL for the system's CAs. Fails: CONFIG_INVALID (file), CRYPTO, MEMORY. */
struct kw_result kw_redis_trust_init(struct kw_redis_trust *trust, const char *ca_file,
                                     struct kw_error *err);
void kw_redis_trust_done(struct kw_redis_trust *trust);

/* The file again, if it is another one than it was; if it is of no use, what was read stays. */
void kw_redis_trust_refresh(struct kw_redis_trust *trust);

/* A client that goes on only with `host`: a name or an address. Fails: CRYPTO. */
struct kw_result kw_redis_trust_expect(SSL *ssl, const char *host, struct kw_error *err);

#endif
