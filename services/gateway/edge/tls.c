/* OpenSSL on a connection: the BIO, the KeyUpdate guard, handshake, read, write. */
#include "services/gateway/edge/tls.h"

#include "services/gateway/edge/edge_internal.h"

#include <limits.h>
#include <openssl/err.h>

static BIO_METHOD *bio_method; /* made once, shared by all connections */

/* Hands OpenSSL what this turn's read brought. A doomed connection gets an end instead: OpenSSL
 * works through KeyUpdates and the like record after record without coming back, and this is where
 * it can be stopped. */
static int bio_read(BIO *bio, char *out, size_t size, size_t *ret_len)
{
    struct kw_edge_connection *conn = BIO_get_data(bio);
    size_t len = conn->incoming.len < size ? conn->incoming.len : size;

    BIO_clear_retry_flags(bio);
    *ret_len = 0;
    if (conn->doom != NULL) {
        return 0;
    }
    if (len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    kw_copy(out, conn->incoming.data, len);
    conn->incoming = KW_BYTES(conn->incoming.data + len, conn->incoming.len - len);
    *ret_len = len;
    return 1;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
    struct kw_edge_connection *conn = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!kw_ok(kw_buf_append(&conn->wire, KW_BYTES(data, len), NULL))) {
        conn->doom = "memory";
        *ret_len = 0;
        return 0;
    }
    *ret_len = len;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

struct kw_result kw_edge_tls_setup(struct kw_error *err)
{
    if (bio_method != NULL) {
        return KW_OK;
    }
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "keyward edge");
    KW_ENSURE(bio_method != NULL, err, MEMORY, "BIO method");
    (void)BIO_meth_set_read_ex(bio_method, bio_read);
    (void)BIO_meth_set_write_ex(bio_method, bio_write);
    (void)BIO_meth_set_ctrl(bio_method, bio_control);
    return KW_OK;
}

/* OpenSSL sets no bound on KeyUpdates, each of which costs it 10 us. */
static void on_message(int is_write, int version, int content_type, const void *data, size_t len,
                       SSL *ssl, void *context)
{
    struct kw_edge_connection *conn = context;

    (void)version;
    (void)ssl;
    if (is_write || content_type != SSL3_RT_HANDSHAKE || len == 0 ||
        ((const uint8_t *)data)[0] != SSL3_MT_KEY_UPDATE) {
        return;
    }
    if (++conn->key_updates > KW_EDGE_KEY_UPDATES_MAX) {
        conn->doom = "key_updates";
    }
}

struct kw_result kw_edge_tls_start(struct kw_edge_connection *conn, struct kw_error *err)
{
    BIO *bio = BIO_new(bio_method);

    KW_ENSURE(bio != NULL, err, MEMORY, "BIO");
    conn->ssl = SSL_new(conn->edge->credentials.context);
    if (conn->ssl == NULL) {
        BIO_free(bio);
        KW_FAIL(err, MEMORY, "TLS connection");
    }
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(conn->ssl, bio, bio);
    SSL_set_app_data(conn->ssl, conn);
    SSL_set_msg_callback(conn->ssl, on_message);
    SSL_set_msg_callback_arg(conn->ssl, conn);
    SSL_set_accept_state(conn->ssl);
    return KW_OK;
}

void kw_edge_tls_done(struct kw_edge_connection *conn)
{
    SSL_free(conn->ssl);
    conn->ssl = NULL;
}

static enum kw_edge_tls_state state_of(const struct kw_edge_connection *conn, int rc)
{
    int error = SSL_get_error(conn->ssl, rc);

    if (conn->doom != NULL) {
        return KW_EDGE_TLS_FAILED;
    }
    if (error == SSL_ERROR_WANT_READ) {
        return KW_EDGE_TLS_WAITS;
    }
    return error == SSL_ERROR_ZERO_RETURN ? KW_EDGE_TLS_ENDED : KW_EDGE_TLS_FAILED;
}

enum kw_edge_tls_state kw_edge_tls_handshake(struct kw_edge_connection *conn)
{
    int rc;

    ERR_clear_error();
    rc = SSL_do_handshake(conn->ssl);
    return rc == 1 ? KW_EDGE_TLS_OK : state_of(conn, rc);
}

static bool keep_certificate(struct kw_edge_connection *conn)
{
    X509 *certificate = SSL_get0_peer_certificate(conn->ssl);
    int len = certificate != NULL ? i2d_X509(certificate, NULL) : 0;
    uint8_t *end;

    if (len <= 0 || !kw_ok(kw_buf_reserve(&conn->certificate, (size_t)len, NULL))) {
        return false;
    }
    end = conn->certificate.data;
    conn->certificate.len = (size_t)i2d_X509(certificate, &end);
    conn->peer.certificate = kw_buf_bytes(&conn->certificate);
    return true;
}

bool kw_edge_tls_accept_peer(struct kw_edge_connection *conn)
{
    const unsigned char *protocol;
    unsigned len;

    /* The ALPN callback is not asked when the client offers nothing. */
    SSL_get0_alpn_selected(conn->ssl, &protocol, &len);
    if (len == 0) {
        return false;
    }
    return SSL_get_verify_result(conn->ssl) == X509_V_OK && keep_certificate(conn);
}

enum kw_edge_tls_state kw_edge_tls_read(struct kw_edge_connection *conn, uint8_t *out, size_t size,
                                        size_t *ret_len)
{
    int rc;

    ERR_clear_error();
    rc = SSL_read_ex(conn->ssl, out, size, ret_len);
    return rc == 1 && conn->doom == NULL ? KW_EDGE_TLS_OK : state_of(conn, rc);
}

bool kw_edge_tls_write(struct kw_edge_connection *conn, struct kw_bytes plain)
{
    size_t written;

    if (plain.len == 0) {
        return true;
    }
    ERR_clear_error();
    return SSL_write_ex(conn->ssl, plain.data, plain.len, &written) == 1 && written == plain.len;
}

void kw_edge_tls_end(struct kw_edge_connection *conn)
{
    ERR_clear_error();
    (void)SSL_shutdown(conn->ssl);
    ERR_clear_error();
}

int kw_edge_tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                            const unsigned char *offered, unsigned offered_len, void *context)
{
    static const unsigned char h2[] = {2, 'h', '2'};

    (void)ssl;
    (void)context;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, h2, sizeof(h2), offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_TLSEXT_ERR_OK;
}
