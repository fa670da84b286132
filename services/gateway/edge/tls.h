/* TLS on one connection: OpenSSL between the ciphertext libuv brings and the plaintext nghttp2
 * wants.
 *
 * OpenSSL reads from `conn->incoming` and writes to `conn->wire` through a BIO of our own, so it
 * never waits and nothing is copied twice.
 */
#ifndef KW_SERVICES_GATEWAY_EDGE_TLS_H
#define KW_SERVICES_GATEWAY_EDGE_TLS_H

#include "common/base/bytes.h"

#include <openssl/ssl.h>

struct kw_edge_connection;

enum kw_edge_tls_state {
    KW_EDGE_TLS_OK,    /* done, or bytes were given */
    KW_EDGE_TLS_WAITS, /* needs more from the peer */
    KW_EDGE_TLS_ENDED, /* the peer closed properly */
    KW_EDGE_TLS_FAILED,
};

/* Once in the process, before the first connection. Fails: MEMORY. */
struct kw_result kw_edge_tls_setup(struct kw_error *err);

/* Fails: MEMORY. */
struct kw_result kw_edge_tls_start(struct kw_edge_connection *conn, struct kw_error *err);
void kw_edge_tls_done(struct kw_edge_connection *conn);

enum kw_edge_tls_state kw_edge_tls_handshake(struct kw_edge_connection *conn);

/* After the handshake: keeps the client's certificate. False: no certificate, or no ALPN h2. */
bool kw_edge_tls_accept_peer(struct kw_edge_connection *conn);

/* Decrypts at most `size` bytes. */
enum kw_edge_tls_state kw_edge_tls_read(struct kw_edge_connection *conn, uint8_t *out, size_t size,
                                        size_t *ret_len);

/* Encrypts to conn->wire. False: the connection is of no use any more. */
bool kw_edge_tls_write(struct kw_edge_connection *conn, struct kw_bytes plain);

/* Says goodbye (close_notify) in conn->wire. */
void kw_edge_tls_end(struct kw_edge_connection *conn);

int kw_edge_tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                            const unsigned char *offered, unsigned offered_len, void *context);

#endif
