/* Inside common/rpc: mutual TLS between processes of ours, identity by the one URI SAN. Includes
 * gRPC. */
#ifndef KW_COMMON_RPC_CREDS_H
#define KW_COMMON_RPC_CREDS_H

#include "common/base/result.h"

#include <grpc/grpc_security.h>

/* PEM files. They are read again every few seconds, so new connections use what is there then. */
struct kw_creds_files {
    const char *key;
    const char *cert; /* leaf first, then intermediates */
    const char *ca;
};

/* A peer passes if its chain leads to the CA bundle, it holds its key, and its certificate has
 * exactly one URI SAN, byte for byte one of `ids` (NULL-terminated, copied). Fails: CONFIG_INVALID
 * (a file is missing or malformed, or the key is not the certificate's), MEMORY. Any thread, after
 * kw_grpc_start. */
struct kw_result kw_creds_server(const struct kw_creds_files *files, const char *const *ids,
                                 grpc_server_credentials **ret_creds, struct kw_error *err);
struct kw_result kw_creds_client(const struct kw_creds_files *files, const char *const *ids,
                                 grpc_channel_credentials **ret_creds, struct kw_error *err);

/* As above with key.pem, cert.pem and ca.pem of a directory. */
struct kw_result kw_creds_server_dir(const char *dir, const char *const *ids,
                                     grpc_server_credentials **ret_creds, struct kw_error *err);
struct kw_result kw_creds_client_dir(const char *dir, const char *const *ids,
                                     grpc_channel_credentials **ret_creds, struct kw_error *err);

/* That `id` is "spiffe://<trust_domain>/<path>". Fails: CONFIG_INVALID. */
struct kw_result kw_creds_check_id(const char *id, const char *trust_domain, struct kw_error *err);

#endif
