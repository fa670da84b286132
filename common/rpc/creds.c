/* gRPC credentials: files watched for change, peers judged by the verifier. */
#include "common/rpc/creds.h"

#include "common/rpc/verifier.h"

#include <limits.h>
#include <openssl/ssl.h>
#include <stdio.h>

#define REFRESH_INTERVAL_S 2

/* gRPC takes whatever is in the files and fails each handshake later; a service should say so at
 * its start. */
static struct kw_result check_files(const struct kw_creds_files *files, struct kw_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    const char *wrong = NULL;

    if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1) {
        wrong = files->cert;
    } else if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1) {
        wrong = files->key; /* unreadable, or not the certificate's key */
    } else if (SSL_CTX_load_verify_file(ctx, files->ca) != 1) {
        wrong = files->ca;
    }
    SSL_CTX_free(ctx);
    KW_ENSURE(wrong == NULL, err, CONFIG_INVALID,
              "credentials: %s is missing, malformed or does not fit", wrong);
    return KW_OK;
}

static struct kw_result make_options(const struct kw_creds_files *files, const char *const *ids,
                                     grpc_tls_credentials_options **ret_options,
                                     struct kw_error *err)
{
    grpc_tls_certificate_verifier *verifier;
    grpc_tls_certificate_provider *provider;
    grpc_tls_credentials_options *options;

    KW_TRY(check_files(files, err));
    verifier = kw_verifier_new(ids);
    KW_ENSURE(verifier != NULL, err, MEMORY, "certificate verifier");
    provider = grpc_tls_certificate_provider_file_watcher_create(files->key, files->cert, files->ca,
                                                                 REFRESH_INTERVAL_S);
    options = grpc_tls_credentials_options_create();
    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_credentials_options_watch_root_certs(options);
    grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    grpc_tls_credentials_options_set_certificate_verifier(options, verifier);
    grpc_tls_certificate_provider_release(provider);
    grpc_tls_certificate_verifier_release(verifier);
    *ret_options = options;
    return KW_OK;
}

struct kw_result kw_creds_server(const struct kw_creds_files *files, const char *const *ids,
                                 grpc_server_credentials **ret_creds, struct kw_error *err)
{
    grpc_tls_credentials_options *options;

    KW_TRY(make_options(files, ids, &options, err));
    grpc_tls_credentials_options_set_cert_request_type(
        options, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    *ret_creds = grpc_tls_server_credentials_create(options);
    return KW_OK;
}

struct kw_result kw_creds_client(const struct kw_creds_files *files, const char *const *ids,
                                 grpc_channel_credentials **ret_creds, struct kw_error *err)
{
    grpc_tls_credentials_options *options;

    KW_TRY(make_options(files, ids, &options, err));
    grpc_tls_credentials_options_set_verify_server_cert(options, 1);
    grpc_tls_credentials_options_set_check_call_host(options, 0); /* the verifier checks the name */
    *ret_creds = grpc_tls_credentials_create(options);
    return KW_OK;
}

struct dir_files {
    char key[PATH_MAX];
    char cert[PATH_MAX];
    char ca[PATH_MAX];
};

static struct kw_creds_files files_of(const char *dir, struct dir_files *paths)
{
    (void)snprintf(paths->key, sizeof(paths->key), "%s/key.pem", dir);
    (void)snprintf(paths->cert, sizeof(paths->cert), "%s/cert.pem", dir);
    (void)snprintf(paths->ca, sizeof(paths->ca), "%s/ca.pem", dir);
    return (struct kw_creds_files){.key = paths->key, .cert = paths->cert, .ca = paths->ca};
}

struct kw_result kw_creds_server_dir(const char *dir, const char *const *ids,
                                     grpc_server_credentials **ret_creds, struct kw_error *err)
{
    struct dir_files paths;
    struct kw_creds_files files = files_of(dir, &paths);

    return kw_creds_server(&files, ids, ret_creds, err);
}

struct kw_result kw_creds_client_dir(const char *dir, const char *const *ids,
                                     grpc_channel_credentials **ret_creds, struct kw_error *err)
{
    struct dir_files paths;
    struct kw_creds_files files = files_of(dir, &paths);

    return kw_creds_client(&files, ids, ret_creds, err);
}

struct kw_result kw_creds_check_id(const char *id, const char *trust_domain, struct kw_error *err)
{
    static const char scheme[] = "spiffe://";
    const char *rest = id;
    size_t len = strlen(trust_domain);

    KW_ENSURE(strncmp(id, scheme, strlen(scheme)) == 0, err, CONFIG_INVALID, "%s: not a SPIFFE id",
              id);
    rest += strlen(scheme);
    KW_ENSURE(strncmp(rest, trust_domain, len) == 0 && rest[len] == '/' && rest[len + 1] != '\0',
              err, CONFIG_INVALID, "%s: not of the trust domain %s", id, trust_domain);
    return KW_OK;
}
