/* The server's side of a handshake: the client's certificate and ALPN. */
#include "services/gateway/edge/tls.h"

#include "services/gateway/edge/edge_internal.h"

struct kw_result kw_edge_tls_start(struct kw_edge_connection *conn, struct kw_error *err)
{
    KW_TRY(kw_tls_start(&conn->tls, conn->edge->credentials.context, err));
    SSL_set_app_data(conn->tls.ssl, conn);
    SSL_set_accept_state(conn->tls.ssl);
    return KW_OK;
}

static bool keep_certificate(struct kw_edge_connection *conn)
{
    X509 *certificate = SSL_get0_peer_certificate(conn->tls.ssl);
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
    SSL_get0_alpn_selected(conn->tls.ssl, &protocol, &len);
    if (len == 0) {
        return false;
    }
    return SSL_get_verify_result(conn->tls.ssl) == X509_V_OK && keep_certificate(conn);
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
