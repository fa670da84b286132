/* For edge_h2_fuzz.c: tls/tls.c and the edge's tls.c and credentials.c without TLS. The linker takes these instead, because the
 * target brings them before the library does. */
#include "services/gateway/edge/edge_internal.h"
#include "services/gateway/edge/tls.h"

struct kw_result kw_tls_setup(struct kw_error *err)
{
    (void)err;
    return KW_OK;
}

struct kw_result kw_edge_tls_start(struct kw_edge_connection *conn, struct kw_error *err)
{
    (void)conn;
    (void)err;
    return KW_OK;
}

void kw_tls_done(struct kw_tls *tls)
{
    kw_buf_done(&tls->wire);
}

enum kw_tls_state kw_tls_handshake(struct kw_tls *tls)
{
    (void)tls;
    return KW_TLS_OK;
}

bool kw_edge_tls_accept_peer(struct kw_edge_connection *conn)
{
    (void)conn;
    return true;
}

enum kw_tls_state kw_tls_read(struct kw_tls *tls, uint8_t *out, size_t size, size_t *ret_len)
{
    size_t len = tls->incoming.len < size ? tls->incoming.len : size;

    if (len == 0) {
        return KW_TLS_WAITS;
    }
    kw_copy(out, tls->incoming.data, len);
    tls->incoming = KW_BYTES(tls->incoming.data + len, tls->incoming.len - len);
    *ret_len = len;
    return KW_TLS_OK;
}

bool kw_tls_write(struct kw_tls *tls, struct kw_bytes plain)
{
    return kw_ok(kw_buf_append(&tls->wire, plain, NULL));
}

void kw_tls_end(struct kw_tls *tls)
{
    (void)tls;
}

struct kw_result kw_edge_credentials_init(struct kw_edge_credentials *credentials, const char *dir,
                                          const char *client_ca_file, struct kw_error *err)
{
    (void)dir;
    (void)client_ca_file;
    (void)err;
    *credentials = (struct kw_edge_credentials){0};
    return KW_OK;
}

void kw_edge_credentials_done(struct kw_edge_credentials *credentials)
{
    (void)credentials;
}

struct kw_result kw_edge_credentials_reload(struct kw_edge_credentials *credentials,
                                            struct kw_error *err)
{
    (void)credentials;
    (void)err;
    return KW_OK;
}

bool kw_edge_credentials_changed(const struct kw_edge_credentials *credentials)
{
    (void)credentials;
    return false;
}

/* handshake.c, for the log line of a connection that ended too early. */
const char *kw_edge_handshake_class(const struct kw_edge_connection *conn)
{
    (void)conn;
    return "none";
}

void kw_edge_handshake_failed(struct kw_edge_connection *conn, const char *what)
{
    (void)conn;
    (void)what;
}
