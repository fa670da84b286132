/* TLS with a client: who it is, and that it will speak HTTP/2. */
#ifndef KW_SERVICES_GATEWAY_EDGE_TLS_H
#define KW_SERVICES_GATEWAY_EDGE_TLS_H

#include "common/base/result.h"

#include <openssl/ssl.h>

struct kw_edge_connection;

/* Fails: MEMORY. */
struct kw_result kw_edge_tls_start(struct kw_edge_connection *conn, struct kw_error *err);

/* After the handshake: keeps the client's certificate. False: no certificate, or no ALPN h2. */
bool kw_edge_tls_accept_peer(struct kw_edge_connection *conn);

int kw_edge_tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                            const unsigned char *offered, unsigned offered_len, void *context);

#endif
