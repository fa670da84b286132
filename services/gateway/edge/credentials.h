/* The server's TLS credentials: key, certificate and client CAs, as one OpenSSL context that is
 * replaced whole.
 *
 * A connection keeps the context it began with; a reload makes a second one and swaps. So a
 * connection never sees the key of one generation with the certificate of another.
 */
#ifndef KW_SERVICES_GATEWAY_EDGE_CREDENTIALS_H
#define KW_SERVICES_GATEWAY_EDGE_CREDENTIALS_H

#include "common/base/file.h"

#include <openssl/ssl.h>

#define KW_EDGE_CREDENTIAL_FILES 3 /* key, certificate, client CAs */

struct kw_edge_credentials {
    char *path[KW_EDGE_CREDENTIAL_FILES];
    struct kw_file_stamp tried[KW_EDGE_CREDENTIAL_FILES]; /* last read, successfully or not */
    SSL_CTX *context;
};

/* Reads the files. Fails: CRYPTO (missing, malformed, key and certificate do not match), MEMORY.
 * After a failure kw_edge_credentials_done is still due. */
struct kw_result kw_edge_credentials_init(struct kw_edge_credentials *credentials, const char *dir,
                                          const char *client_ca_file, struct kw_error *err);
void kw_edge_credentials_done(struct kw_edge_credentials *credentials);

/* Reads again. On failure the old context stays. */
struct kw_result kw_edge_credentials_reload(struct kw_edge_credentials *credentials,
                                            struct kw_error *err);

/* Whether the files are others than the last time they were read. */
bool kw_edge_credentials_changed(const struct kw_edge_credentials *credentials);

#endif
