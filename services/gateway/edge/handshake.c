/* Handshake failures: class, address, and the subject and URIs of the certificate that was refused.
 */
#include "services/gateway/edge/handshake.h"

#include "common/base/log.h"
#include "services/gateway/edge/edge_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>

struct class_row {
    int reason;
    const char *name;
};

/* OpenSSL's reason, and the class we report. */
static const struct class_row ssl_classes[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "no_certificate"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "protocol_version"},
    {SSL_R_WRONG_VERSION_NUMBER, "not_tls"},
    {SSL_R_HTTP_REQUEST, "not_tls"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "not_tls"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "alpn"},
    {SSL_R_NO_SHARED_CIPHER, "no_shared_algorithm"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, "no_shared_algorithm"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no_shared_algorithm"},
    {SSL_R_WRONG_SIGNATURE_TYPE, "no_shared_algorithm"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "client_refused_our_certificate"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "client_refused_our_certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "client_refused_our_certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "client_refused_our_certificate"},
};

static const struct class_row verify_classes[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "certificate_expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "certificate_not_yet_valid"},
    {X509_V_ERR_INVALID_PURPOSE, "certificate_purpose"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate_untrusted"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate_untrusted"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate_untrusted"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate_untrusted"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate_untrusted"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "certificate_untrusted"},
    {X509_V_ERR_APPLICATION_VERIFICATION, "certificate_identity"},
};

static const char *look_up(const struct class_row *rows, size_t count, int reason,
                           const char *otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].reason == reason) {
            return rows[i].name;
        }
    }
    return otherwise;
}

#define LOOK_UP(rows, reason, otherwise)                                                           \
    look_up((rows), sizeof(rows) / sizeof((rows)[0]), (reason), (otherwise))

const char *kw_edge_handshake_class(const struct kw_edge_connection *conn)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());

    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return LOOK_UP(verify_classes, (int)SSL_get_verify_result(conn->tls.ssl),
                       "certificate_invalid");
    }
    return LOOK_UP(ssl_classes, reason, "protocol");
}

/* Appends what fits of `format`. */
static __attribute__((format(printf, 2, 3))) void note(struct kw_edge_connection *conn,
                                                       const char *format, ...)
{
    size_t len = strlen(conn->refused);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(conn->refused + len, sizeof(conn->refused) - len, format, args);
    va_end(args);
}

static void note_uris(struct kw_edge_connection *conn, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_URI) {
            const ASN1_STRING *uri = name->d.uniformResourceIdentifier;

            note(conn, " %.*s", ASN1_STRING_length(uri), (const char *)ASN1_STRING_get0_data(uri));
        }
    }
    GENERAL_NAMES_free(names);
}

/* Which certificate it was: a name may have many. */
static void note_serial(struct kw_edge_connection *conn, const X509 *certificate)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    struct kw_bytes bytes =
        KW_BYTES(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));

    if (bytes.len <= KW_EDGE_SERIAL_LEN_MAX) {
        kw_hex(bytes, conn->serial);
    }
}

static bool recognised(const struct kw_edge_connection *conn, X509 *certificate)
{
    const struct kw_edge_handler *handler = &conn->edge->handler;
    uint8_t *der = NULL;
    int len = i2d_X509(certificate, &der);
    bool known = len > 0 && (handler->recognise == NULL ||
                             handler->recognise(KW_BYTES(der, (size_t)len), handler->context));

    OPENSSL_free(der);
    return known;
}

/* The leaf comes last, when all above it were found good. */
int kw_edge_handshake_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct kw_edge_connection *conn = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);

    if (ok && X509_STORE_CTX_get_error_depth(store) == 0 && !recognised(conn, certificate)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        ok = 0;
    }
    certificate = X509_STORE_CTX_get0_cert(store);
    if (!ok && conn->refused[0] == '\0' && certificate != NULL) {
        char subject[KW_EDGE_REFUSED_SIZE / 2];

        note_serial(conn, certificate);
        (void)X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
        note(conn, "%s", subject);
        note_uris(conn, certificate);
    }
    return ok;
}

void kw_edge_handshake_failed(struct kw_edge_connection *conn, const char *what)
{
    kw_metric_add(KW_M_TLS_FAILURES, what, 1);
    KW_LOG(WARN, "handshake failed", KW_F_STR("peer", conn->address_text), KW_F_STR("class", what),
           KW_F_STR("serial", conn->serial), KW_F_STR("certificate", conn->refused));
}
