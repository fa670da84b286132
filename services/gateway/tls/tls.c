/* The BIO, the guard against messages that move nothing, handshake, read, write. */
#include "services/gateway/tls/tls.h"

#include "common/base/limits.h"

#include <openssl/err.h>

static BIO_METHOD *bio_method; /* made once, shared by all connections */

/* Hands OpenSSL what this turn's read brought. A doomed connection gets an end instead: OpenSSL
 * works through KeyUpdates and the like record after record without coming back, and this is where
 * it can be stopped. */
static int bio_read(BIO *bio, char *out, size_t size, size_t *ret_len)
{
    struct kw_tls *tls = BIO_get_data(bio);
    size_t len = tls->incoming.len < size ? tls->incoming.len : size;

    BIO_clear_retry_flags(bio);
    *ret_len = 0;
    if (tls->doom != NULL) {
        return 0;
    }
    if (len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    kw_copy(out, tls->incoming.data, len);
    tls->incoming = KW_BYTES(tls->incoming.data + len, tls->incoming.len - len);
    *ret_len = len;
    return 1;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
    struct kw_tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!kw_ok(kw_buf_append(&tls->wire, KW_BYTES(data, len), NULL))) {
        tls->doom = "memory";
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

struct kw_result kw_tls_setup(struct kw_error *err)
{
    if (bio_method != NULL) {
        return KW_OK;
    }
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "keyward tls");
    KW_ENSURE(bio_method != NULL, err, MEMORY, "BIO method");
    (void)BIO_meth_set_read_ex(bio_method, bio_read);
    (void)BIO_meth_set_write_ex(bio_method, bio_write);
    (void)BIO_meth_set_ctrl(bio_method, bio_control);
    return KW_OK;
}

/* A client sends KeyUpdates; a server tickets and, by TLS 1.2, wishes to begin anew, too. */
static bool moves_nothing(uint8_t type)
{
    return type == SSL3_MT_KEY_UPDATE || type == SSL3_MT_NEWSESSION_TICKET ||
           type == SSL3_MT_HELLO_REQUEST;
}

/* OpenSSL sets no bound on these, each of which costs it 10 us. */
static void on_message(int is_write, int version, int content_type, const void *data, size_t len,
                       SSL *ssl, void *context)
{
    struct kw_tls *tls = context;

    (void)version;
    (void)ssl;
    if (is_write || content_type != SSL3_RT_HANDSHAKE || len == 0 ||
        !moves_nothing(((const uint8_t *)data)[0])) {
        return;
    }
    if (++tls->key_updates > KW_TLS_KEY_UPDATES_MAX) {
        tls->doom = "key_updates";
    }
}

struct kw_result kw_tls_start(struct kw_tls *tls, SSL_CTX *context, struct kw_error *err)
{
    BIO *bio = BIO_new(bio_method);

    KW_ENSURE(bio != NULL, err, MEMORY, "BIO");
    tls->ssl = SSL_new(context);
    if (tls->ssl == NULL) {
        BIO_free(bio);
        KW_FAIL(err, MEMORY, "TLS connection");
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_msg_callback(tls->ssl, on_message);
    SSL_set_msg_callback_arg(tls->ssl, tls);
    return KW_OK;
}

void kw_tls_done(struct kw_tls *tls)
{
    SSL_free(tls->ssl);
    tls->ssl = NULL;
    kw_buf_done(&tls->wire);
}

static enum kw_tls_state state_of(const struct kw_tls *tls, int rc)
{
    int error = SSL_get_error(tls->ssl, rc);

    if (tls->doom != NULL) {
        return KW_TLS_FAILED;
    }
    if (error == SSL_ERROR_WANT_READ) {
        return KW_TLS_WAITS;
    }
    return error == SSL_ERROR_ZERO_RETURN ? KW_TLS_ENDED : KW_TLS_FAILED;
}

enum kw_tls_state kw_tls_handshake(struct kw_tls *tls)
{
    int rc;

    ERR_clear_error();
    rc = SSL_do_handshake(tls->ssl);
    return rc == 1 ? KW_TLS_OK : state_of(tls, rc);
}

enum kw_tls_state kw_tls_read(struct kw_tls *tls, uint8_t *out, size_t size, size_t *ret_len)
{
    int rc;

    ERR_clear_error();
    rc = SSL_read_ex(tls->ssl, out, size, ret_len);
    return rc == 1 && tls->doom == NULL ? KW_TLS_OK : state_of(tls, rc);
}

bool kw_tls_write(struct kw_tls *tls, struct kw_bytes plain)
{
    size_t written;

    if (plain.len == 0) {
        return true;
    }
    ERR_clear_error();
    return SSL_write_ex(tls->ssl, plain.data, plain.len, &written) == 1 && written == plain.len;
}

void kw_tls_end(struct kw_tls *tls)
{
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}
