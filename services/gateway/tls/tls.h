/* TLS on one connection: OpenSSL between the ciphertext that libuv brings and takes, and plaintext.
 *
 *     socket ──▶ incoming ──▶ kw_tls_read ──▶ plaintext
 *     socket ◀── wire ◀────── kw_tls_write ◀── plaintext
 *
 * OpenSSL reads and writes these through a BIO of our own, so it never waits and nothing is copied
 * twice.
 */
#ifndef KW_SERVICES_GATEWAY_TLS_TLS_H
#define KW_SERVICES_GATEWAY_TLS_TLS_H

#include "common/base/bytes.h"

#include <openssl/ssl.h>

/* Zero-initialise; does not move while it is in use. */
struct kw_tls {
    SSL *ssl;
    struct kw_bytes incoming; /* ciphertext of this turn that TLS has not read yet */
    struct kw_buf wire;       /* ciphertext to be written */
    unsigned key_updates;     /* and other messages that move nothing */
    const char *doom;         /* TLS must not go on: the limit that says so, or NULL */
};

enum kw_tls_state {
    KW_TLS_OK,    /* done, or bytes were given */
    KW_TLS_WAITS, /* needs more from the peer */
    KW_TLS_ENDED, /* the peer closed properly */
    KW_TLS_FAILED,
};

/* Once in the process, before the first connection. Fails: MEMORY. */
struct kw_result kw_tls_setup(struct kw_error *err);

/* The caller says which side `tls->ssl` is. Fails: MEMORY. */
struct kw_result kw_tls_start(struct kw_tls *tls, SSL_CTX *context, struct kw_error *err);

/* Accepts one that was never started. */
void kw_tls_done(struct kw_tls *tls);

/* After a failure OpenSSL's error queue says why. */
enum kw_tls_state kw_tls_handshake(struct kw_tls *tls);

/* Decrypts at most `size` bytes. */
enum kw_tls_state kw_tls_read(struct kw_tls *tls, uint8_t *out, size_t size, size_t *ret_len);

/* Encrypts to tls->wire. False: the connection is of no use any more. */
bool kw_tls_write(struct kw_tls *tls, struct kw_bytes plain);

/* Says goodbye (close_notify) in tls->wire. */
void kw_tls_end(struct kw_tls *tls);

#endif
