/* Passwords, certificates and lists of a cell's stores. */
#include "cli/mesh_stores.h"

#include "cli/scram.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/crypto/keyfile.h"
#include "common/pki/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PASSWORD_BYTES 32
#define SQL_TEXT_SIZE  512
#define VALID_MS       (10 * 365 * 86400000ULL) /* nobody renews them */

static const char *const owner_names[KW_MESH_OWNER_COUNT] = {"authz", "orchestrator"};

static struct kw_result put(const struct kw_mesh_dir *dir, const char *name,
                            struct kw_bytes content, mode_t mode, struct kw_error *err)
{
    char path[PATH_MAX];

    return kw_keyfile_write(AT_FDCWD, kw_mesh_path(dir, name, path), content, mode, err);
}

/* --- passwords --- */

static struct kw_result draw(struct kw_secret *password, struct kw_error *err)
{
    uint8_t random[PASSWORD_BYTES];
    char text[2 * sizeof(random) + 1];
    struct kw_result result;

    KW_TRY(kw_random(random, sizeof(random), err));
    kw_hex(KW_BYTES_OF(random), text);
    result = kw_secret_copy(password, kw_bytes_str(text), err);
    kw_wipe(random, sizeof(random));
    kw_wipe(text, sizeof(text));
    return result;
}

struct kw_result kw_mesh_passwords_draw(struct kw_mesh_passwords *passwords, struct kw_error *err)
{
    KW_TRY(draw(&passwords->redis, err));
    KW_TRY(draw(&passwords->server, err));
    for (size_t i = 0; i < KW_MESH_OWNER_COUNT; i++) {
        KW_TRY(draw(&passwords->owners[i], err));
    }
    return KW_OK;
}

void kw_mesh_passwords_done(struct kw_mesh_passwords *passwords)
{
    kw_secret_done(&passwords->redis);
    kw_secret_done(&passwords->server);
    for (size_t i = 0; i < KW_MESH_OWNER_COUNT; i++) {
        kw_secret_done(&passwords->owners[i]);
    }
}

struct kw_result kw_mesh_redis_digest(const struct kw_mesh_passwords *passwords,
                                      char ret_text[KW_MESH_REDIS_DIGEST_SIZE],
                                      struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_sha256(kw_secret_bytes(&passwords->redis), digest, err));
    kw_hex(KW_BYTES_OF(digest), ret_text);
    return KW_OK;
}

/* --- certificates --- */

static struct kw_validity long_time(void)
{
    uint64_t now = kw_clock_wall_ms();

    return (struct kw_validity){.not_before_ms = now - KW_CERTIFICATE_BACKDATE_MS,
                                .not_after_ms = now + VALID_MS};
}

struct kw_result kw_mesh_sql_ca_make(struct kw_mesh_sql_ca *ca, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    struct kw_ca_plan plan = {
        .subject = &subject, .name = "Keyward development stores CA", .validity = long_time()};

    KW_TRY(kw_private_key_generate(&ca->key, KW_CURVE_P256, err));
    KW_TRY(kw_private_key_public(&ca->key, &subject, err));
    return kw_certificate_issue_root(&plan, &ca->key, &ca->certificate, err);
}

void kw_mesh_sql_ca_done(struct kw_mesh_sql_ca *ca)
{
    kw_private_key_done(&ca->key);
    kw_certificate_done(&ca->certificate);
}

static struct kw_result server_issue(const struct kw_mesh_sql *sql,
                                     const struct kw_private_key *key,
                                     struct kw_certificate *ret_certificate, struct kw_error *err)
{
    const struct kw_issuer issuer = {.certificate = &sql->ca->certificate, .key = &sql->ca->key};
    const char *const hosts[] = {sql->host, "localhost"};
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    struct kw_spiffe identity;
    struct kw_leaf_plan plan = {.subject = &subject,
                                .identity = &identity,
                                .usage = KW_USAGE_SERVER,
                                .hosts = hosts,
                                .host_count = 2};

    KW_TRY(kw_private_key_public(key, &subject, err));
    KW_TRY(kw_spiffe_service(KW_MESH_TRUST_DOMAIN, sql->region, sql->cell, KW_MESH_SQL, &identity,
                             err));
    KW_TRY(kw_certificate_validity(&sql->ca->certificate, &plan.validity, err));
    return kw_certificate_issue(&plan, &issuer, ret_certificate, err);
}

static struct kw_result server_credentials(const struct kw_mesh_sql *sql,
                                           const struct kw_mesh_dir *dir, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf key_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf cert_pem = {0};

    KW_TRY(kw_private_key_generate(&key, KW_CURVE_P256, err));
    KW_TRY(server_issue(sql, &key, &certificate, err));
    KW_TRY(kw_private_key_to_pem(&key, &key_pem, err));
    KW_TRY(kw_certificate_to_pem(&certificate, &cert_pem, err));
    KW_TRY(put(dir, "key.pem", kw_buf_bytes(&key_pem), KW_KEYFILE_MODE_PRIVATE, err));
    return put(dir, "cert.pem", kw_buf_bytes(&cert_pem), KW_KEYFILE_MODE_PUBLIC, err);
}

/* --- the server --- */

/* Each owner to its database, by TLS; the superuser from within. */
static const char hba[] = "local all keyward scram-sha-256\n"
                          "hostssl authz authz all scram-sha-256\n"
                          "hostssl orchestrator orchestrator all scram-sha-256\n";

static struct kw_result owner_sql(const char *name, const struct kw_secret *password,
                                  struct kw_buf *sql, struct kw_error *err)
{
    uint8_t salt[KW_SCRAM_SALT_LEN];
    char verifier[KW_SCRAM_VERIFIER_SIZE];
    char text[SQL_TEXT_SIZE];

    KW_TRY(kw_random(salt, sizeof(salt), err));
    KW_TRY(kw_scram_verifier(password, salt, verifier, err));
    (void)snprintf(text, sizeof(text),
                   "CREATE ROLE %s LOGIN PASSWORD '%s';\n"
                   "CREATE DATABASE %s OWNER %s TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';\n"
                   "REVOKE ALL ON DATABASE %s FROM PUBLIC;\n",
                   name, verifier, name, name, name);
    return kw_buf_append(sql, kw_bytes_str(text), err);
}

struct kw_result kw_mesh_sql_server_files(const struct kw_mesh_sql *sql,
                                          const struct kw_mesh_passwords *passwords,
                                          const struct kw_mesh_dir *dir, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf init = {0};
    char path[PATH_MAX];

    KW_TRY(server_credentials(sql, dir, err));
    KW_TRY(put(dir, "postgres.password", kw_secret_bytes(&passwords->server),
               KW_KEYFILE_MODE_PRIVATE, err));
    KW_TRY(put(dir, "pg_hba.conf", kw_bytes_str(hba), KW_KEYFILE_MODE_PUBLIC, err));
    for (size_t i = 0; i < KW_MESH_OWNER_COUNT; i++) {
        KW_TRY(owner_sql(owner_names[i], &passwords->owners[i], &init, err));
    }
    KW_TRY(put(dir, "init.sql", kw_buf_bytes(&init), KW_KEYFILE_MODE_PRIVATE, err));
    KW_ENSURE(mkdir(kw_mesh_path(dir, "data", path), 0700) == 0, err, SYSTEM, "%s: %s", path,
              strerror(errno));
    return KW_OK;
}

/* --- who uses it --- */

struct kw_result kw_mesh_sql_client_files(const struct kw_mesh_sql *sql,
                                          const struct kw_mesh_passwords *passwords,
                                          enum kw_mesh_owner owner, const struct kw_mesh_dir *dir,
                                          struct kw_error *err)
{
    const char *name = owner_names[owner];
    KW_SCOPED(kw_buf_done) struct kw_buf line = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca_pem = {0};
    char place[SQL_TEXT_SIZE];

    (void)snprintf(place, sizeof(place), "%s:%d:%s:%s:", sql->host, sql->port, name, name);
    KW_TRY(kw_buf_append(&line, kw_bytes_str(place), err));
    KW_TRY(kw_buf_append(&line, kw_secret_bytes(&passwords->owners[owner]), err));
    KW_TRY(kw_buf_append(&line, kw_bytes_str("\n"), err));
    KW_TRY(put(dir, "secret/passfile", kw_buf_bytes(&line), KW_KEYFILE_MODE_PRIVATE, err));
    KW_TRY(kw_certificate_to_pem(&sql->ca->certificate, &ca_pem, err));
    return put(dir, "sql-ca.pem", kw_buf_bytes(&ca_pem), KW_KEYFILE_MODE_PUBLIC, err);
}
