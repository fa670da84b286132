/* The first half of a TLS handshake. OpenSSL reads and writes memory here, so that what it would say last is never sent. */
#include "common/health/door.h"

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/health/wire.h"
#include "common/pki/credentials.h"
#include "common/pki/x509.h"

#include <limits.h>
#include <openssl/ssl.h>
#include <stdio.h>

KW_OPENSSL_SCOPED(context_done, SSL_CTX, SSL_CTX_free)
KW_OPENSSL_SCOPED(ssl_done, SSL, SSL_free)

/* --- the certificate --- */

static struct kw_result own_certificate(const char *credentials_dir, struct kw_certificate *ret_own,
                                        struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", credentials_dir, KW_CREDENTIALS_CERT);
    KW_TRY(kw_file_read(path, KW_HEALTH_CERTIFICATE_MAX, &pem, err));
    return kw_certificate_from_pem(ret_own, kw_buf_bytes(&pem), err);
}

/* All alternative names, as they are spelled; NULL when there are none. */
static const ASN1_OCTET_STRING *names_of(const X509 *certificate)
{
    int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);

    return at < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(certificate, at));
}

static struct kw_result check_certificate(const struct kw_certificate *shown,
                                          const struct kw_certificate *own, struct kw_error *err)
{
    const ASN1_OCTET_STRING *names = names_of(shown->x509);
    const ASN1_OCTET_STRING *own_names = names_of(own->x509);
    struct kw_validity validity;
    uint64_t now_ms = kw_clock_wall_ms();

    KW_ENSURE(names != NULL && own_names != NULL && ASN1_OCTET_STRING_cmp(names, own_names) == 0,
              err, IDENTITY_INVALID, "the certificate shown is not this service's");
    KW_TRY(kw_certificate_validity(shown, &validity, err));
    KW_ENSURE(validity.not_before_ms <= now_ms && now_ms < validity.not_after_ms, err,
              IDENTITY_INVALID, "the certificate shown has expired, or is not yet valid");
    return KW_OK;
}

/* --- the handshake --- */

/* Whom it meets is checked afterwards, by more than OpenSSL knows. */
static struct kw_result make_client(SSL_CTX **ret_context, SSL **ret_ssl, struct kw_error *err)
{
    static const uint8_t h2[] = {2, 'h', '2'};
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());

    *ret_context = SSL_CTX_new(TLS_client_method());
    *ret_ssl = *ret_context != NULL ? SSL_new(*ret_context) : NULL;
    if (*ret_ssl == NULL || in == NULL || out == NULL) {
        BIO_free(in);
        BIO_free(out);
        KW_FAIL(err, MEMORY, "TLS client");
    }
    SSL_set_bio(*ret_ssl, in, out);
    SSL_set_verify(*ret_ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_connect_state(*ret_ssl);
    KW_ENSURE(SSL_set_min_proto_version(*ret_ssl, TLS1_3_VERSION) == 1 &&
                  SSL_set_alpn_protos(*ret_ssl, h2, sizeof(h2)) == 0,
              err, CRYPTO, "TLS settings: %s", kw_openssl_reason());
    return KW_OK;
}

static struct kw_result send_pending(struct kw_health_wire *wire, SSL *ssl, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pending = {0};

    KW_TRY(kw_openssl_take(SSL_get_wbio(ssl), &pending, err));
    KW_TRY(kw_health_send(wire, kw_buf_bytes(&pending), err));
    (void)BIO_reset(SSL_get_wbio(ssl));
    return KW_OK;
}

static struct kw_result receive_more(struct kw_health_wire *wire, SSL *ssl, struct kw_error *err)
{
    uint8_t part[4096];
    size_t len = 0;

    KW_TRY(kw_health_receive(wire, part, sizeof(part), &len, err));
    KW_ENSURE(len > 0, err, PEER_UNAVAILABLE, "closed in the handshake");
    KW_ENSURE(BIO_write(SSL_get_rbio(ssl), part, (int)len) == (int)len, err, MEMORY, "TLS client");
    return KW_OK;
}

/* Done when the other side is; our own last words stay unsent. */
static struct kw_result shake_hands(struct kw_health_wire *wire, SSL *ssl, struct kw_error *err)
{
    int rc = SSL_do_handshake(ssl);

    while (rc != 1) {
        KW_ENSURE(SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ, err, PEER_UNAVAILABLE, "TLS: %s",
                  kw_openssl_reason());
        KW_TRY(send_pending(wire, ssl, err));
        KW_TRY(receive_more(wire, ssl, err));
        rc = SSL_do_handshake(ssl);
    }
    return KW_OK;
}

struct kw_result kw_health_door_check(struct kw_health_wire *wire, const char *credentials_dir,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate own = {0};
    KW_SCOPED(context_done) SSL_CTX *context = NULL;
    KW_SCOPED(ssl_done) SSL *ssl = NULL;
    struct kw_certificate shown; /* the handshake's */

    KW_TRY(own_certificate(credentials_dir, &own, err));
    KW_TRY(make_client(&context, &ssl, err));
    KW_TRY(shake_hands(wire, ssl, err));
    shown.x509 = SSL_get0_peer_certificate(ssl);
    KW_ENSURE(shown.x509 != NULL, err, PEER_UNAVAILABLE, "TLS without a certificate");
    return check_certificate(&shown, &own, err);
}
