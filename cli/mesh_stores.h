/* What a cell's PostgreSQL and Redis are given for containers, and what those who use them know of them: passwords, a
 * certificate, whom they let in. */
#ifndef KW_CLI_MESH_STORES_H
#define KW_CLI_MESH_STORES_H

#include "cli/mesh_layout.h"
#include "common/base/secret.h"
#include "common/crypto/digest.h"
#include "common/pki/certificate.h"

enum kw_mesh_owner {
    KW_MESH_OWNER_AUTHZ,
    KW_MESH_OWNER_ORCHESTRATOR,
    KW_MESH_OWNER_COUNT,
};

/* Of one cell. Zero-initialise; release with kw_mesh_passwords_done. */
struct kw_mesh_passwords {
    struct kw_secret redis;  /* the gateway's */
    struct kw_secret server; /* of PostgreSQL's superuser */
    struct kw_secret owners[KW_MESH_OWNER_COUNT];
};

/* Fails: SYSTEM, LIMIT_REACHED. */
struct kw_result kw_mesh_passwords_draw(struct kw_mesh_passwords *passwords, struct kw_error *err);
void kw_mesh_passwords_done(struct kw_mesh_passwords *passwords);

/* What redis.conf has of the gateway's password: its SHA-256 in hex. Fails: CRYPTO, MEMORY. */
#define KW_MESH_REDIS_DIGEST_SIZE (2 * KW_SHA256_LEN + 1)
struct kw_result kw_mesh_redis_digest(const struct kw_mesh_passwords *passwords,
                                      char ret_text[KW_MESH_REDIS_DIGEST_SIZE],
                                      struct kw_error *err);

/* The CA of all PostgreSQL servers of a mesh. Its key is never written anywhere. Release with kw_mesh_sql_ca_done. */
struct kw_mesh_sql_ca {
    struct kw_private_key key;
    struct kw_certificate certificate;
};

/* Fails: CRYPTO, MEMORY, SYSTEM. */
struct kw_result kw_mesh_sql_ca_make(struct kw_mesh_sql_ca *ca, struct kw_error *err);
void kw_mesh_sql_ca_done(struct kw_mesh_sql_ca *ca);

/* Which server: `host` is its name. */
struct kw_mesh_sql {
    const struct kw_mesh_sql_ca *ca;
    const char *region;
    const char *cell;
    const char *host;
    int port;
};

/* All that the server's directory has. Fails: SYSTEM, CRYPTO, MEMORY. */
struct kw_result kw_mesh_sql_server_files(const struct kw_mesh_sql *sql,
                                          const struct kw_mesh_passwords *passwords,
                                          const struct kw_mesh_dir *dir, struct kw_error *err);

/* What one owner's directory has of it: sql-ca.pem, secret/passfile. Fails: likewise. */
struct kw_result kw_mesh_sql_client_files(const struct kw_mesh_sql *sql,
                                          const struct kw_mesh_passwords *passwords,
                                          enum kw_mesh_owner owner, const struct kw_mesh_dir *dir,
                                          struct kw_error *err);

#endif
