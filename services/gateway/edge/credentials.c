/* Makes TLS contexts: TLS 1.3 only, AES-GCM, NIST curves, client certificate required, nothing
 * resumed. */
#include "services/gateway/edge/credentials.h"

#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "services/gateway/edge/handshake.h"
#include "services/gateway/edge/tls.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    KEY_FILE,
    CERTIFICATE_FILE,
    CLIENT_CA_FILE
};

#define CIPHERSUITES "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
#define GROUPS       "P-384:P-256"
#define SIGNATURES   "ecdsa_secp384r1_sha384:ecdsa_secp256r1_sha256"

static void context_free(SSL_CTX **context)
{
    SSL_CTX_free(*context);
}

/* Resumption would skip the check of the client's certificate, and with it revocation: no tickets,
 * no cache. */
static bool set_protocol(SSL_CTX *context)
{
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                           SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, kw_edge_tls_select_alpn, NULL);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(context, CIPHERSUITES) == 1 &&
           SSL_CTX_set1_groups_list(context, GROUPS) == 1 &&
           SSL_CTX_set1_sigalgs_list(context, SIGNATURES) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1;
}

/* A partial chain may end at a CA of the bundle that is not self-signed: the bundle names the
 * issuing CAs whose certificates are welcome here, so a root would be too wide (it also issued the
 * services' CA). */
static bool set_client_cas(SSL_CTX *context, const char *path)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);

    if (names == NULL) {
        return false;
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       kw_edge_handshake_verify);
    SSL_CTX_set_verify_depth(context, KW_EDGE_CERTIFICATE_DEPTH_MAX);
    return X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN) ==
               1 &&
           SSL_CTX_load_verify_file(context, path) == 1;
}

static bool set_own_certificate(SSL_CTX *context, char *const *path)
{
    return SSL_CTX_use_certificate_chain_file(context, path[CERTIFICATE_FILE]) == 1 &&
           SSL_CTX_use_PrivateKey_file(context, path[KEY_FILE], SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_check_private_key(context) == 1;
}

static struct kw_result fail(const char *what, struct kw_error *err)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    KW_FAIL(err, CRYPTO, "%s: %s", what, reason != NULL ? reason : "unknown");
}

static struct kw_result make_context(char *const *path, SSL_CTX **ret_context, struct kw_error *err)
{
    KW_SCOPED(context_free) SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    ERR_clear_error();
    KW_ENSURE(context != NULL, err, MEMORY, "TLS context");
    if (!set_protocol(context)) {
        return fail("TLS protocol settings", err);
    }
    if (!set_own_certificate(context, path)) {
        return fail(path[CERTIFICATE_FILE], err);
    }
    if (!set_client_cas(context, path[CLIENT_CA_FILE])) {
        return fail(path[CLIENT_CA_FILE], err);
    }
    *ret_context = context;
    context = NULL;
    return KW_OK;
}

static void look(char *const *path, struct kw_file_stamp *stamp)
{
    for (size_t i = 0; i < KW_EDGE_CREDENTIAL_FILES; i++) {
        (void)kw_file_stamp_take(path[i], &stamp[i]);
    }
}

bool kw_edge_credentials_changed(const struct kw_edge_credentials *credentials)
{
    struct kw_file_stamp now[KW_EDGE_CREDENTIAL_FILES];

    look(credentials->path, now);
    for (size_t i = 0; i < KW_EDGE_CREDENTIAL_FILES; i++) {
        if (!kw_file_stamp_equal(&now[i], &credentials->tried[i])) {
            return true;
        }
    }
    return false;
}

/* For the alarm on certificates that nobody renews. */
static void note_expiry(SSL_CTX *context)
{
    struct tm end = {0};

    if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context)), &end) == 1) {
        kw_metric_set(KW_M_CERTIFICATE_EXPIRY, "edge", timegm(&end));
    }
}

/* The stamp is taken before reading: a swap in between is seen as a change the next time. */
struct kw_result kw_edge_credentials_reload(struct kw_edge_credentials *credentials,
                                            struct kw_error *err)
{
    SSL_CTX *context;

    look(credentials->path, credentials->tried);
    KW_TRY(make_context(credentials->path, &context, err));
    SSL_CTX_free(credentials->context);
    credentials->context = context;
    note_expiry(context);
    return KW_OK;
}

struct kw_result kw_edge_credentials_init(struct kw_edge_credentials *credentials, const char *dir,
                                          const char *client_ca_file, struct kw_error *err)
{
    *credentials = (struct kw_edge_credentials){0};
    if (asprintf(&credentials->path[KEY_FILE], "%s/key.pem", dir) < 0 ||
        asprintf(&credentials->path[CERTIFICATE_FILE], "%s/cert.pem", dir) < 0) {
        KW_FAIL(err, MEMORY, "paths of credentials");
    }
    credentials->path[CLIENT_CA_FILE] = strdup(client_ca_file);
    KW_ENSURE(credentials->path[CLIENT_CA_FILE] != NULL, err, MEMORY, "path of client CAs");
    return kw_edge_credentials_reload(credentials, err);
}

void kw_edge_credentials_done(struct kw_edge_credentials *credentials)
{
    for (size_t i = 0; i < KW_EDGE_CREDENTIAL_FILES; i++) {
        free(credentials->path[i]);
        credentials->path[i] = NULL;
    }
    SSL_CTX_free(credentials->context);
    credentials->context = NULL;
}
