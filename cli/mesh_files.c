/* The files of a development mesh: PINs, officer, list, settings. */
#include "cli/mesh_files.h"

#include "common/base/random.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/sign.h"
#include "common/pki/csr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX   8192
#define LIST_LABEL "KEYWARD-LIST-v1"

static const char *const services[] = {"gateway", "authz", "orchestrator", "cryptocore"};

#define SERVICE_COUNT (sizeof(services) / sizeof(services[0]))

char *kw_mesh_path(const struct kw_mesh_dir *dir, const char *name, char *text)
{
    (void)snprintf(text, PATH_MAX, "%s/%s", dir->path, name);
    return text;
}

static struct kw_result directory_make(const struct kw_mesh_dir *dir, const char *name,
                                       struct kw_error *err)
{
    char path[PATH_MAX];

    KW_ENSURE(mkdir(kw_mesh_path(dir, name, path), 0700) == 0, err, SYSTEM, "%s: %s", path,
              strerror(errno));
    return KW_OK;
}

static bool directory_empty(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool empty = dir != NULL;

    while (empty && (entry = readdir(dir)) != NULL) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return empty;
}

struct kw_result kw_mesh_dir_make(const char *path, struct kw_mesh_dir *ret_dir,
                                  struct kw_error *err)
{
    static const char *const names[] = {"tokens", "secret", "officer", "recovery",
                                        "config", "data",   "logs",    "run"};
    const char *tmp = getenv("TMPDIR");
    char wanted[PATH_MAX];

    (void)snprintf(wanted, sizeof(wanted), "%s/keyward-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (path == NULL) {
        KW_ENSURE(mkdtemp(wanted) != NULL, err, SYSTEM, "%s: %s", wanted, strerror(errno));
        path = wanted;
    } else {
        KW_ENSURE(mkdir(path, 0700) == 0 || (errno == EEXIST && directory_empty(path)), err,
                  CONFIG_INVALID, "%s is not an empty directory", path);
    }
    KW_ENSURE(realpath(path, wanted) != NULL && strlen(wanted) < sizeof(ret_dir->path), err,
              CONFIG_INVALID, "%s: path is too long", path);
    memcpy(ret_dir->path, wanted, strlen(wanted) + 1);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        KW_TRY(directory_make(ret_dir, names[i], err));
    }
    return KW_OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void kw_mesh_dir_remove(const struct kw_mesh_dir *dir)
{
    (void)nftw(dir->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct kw_result put(const struct kw_mesh_dir *dir, const char *name,
                            struct kw_bytes content, mode_t mode, struct kw_error *err)
{
    char path[PATH_MAX];

    return kw_keyfile_write(AT_FDCWD, kw_mesh_path(dir, name, path), content, mode, err);
}

static __attribute__((format(printf, 4, 5))) struct kw_result
put_text(const struct kw_mesh_dir *dir, const char *name, struct kw_error *err, const char *format,
         ...)
{
    char text[TEXT_MAX];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    KW_ENSURE(len > 0 && len < TEXT_MAX, err, SYSTEM, "%s is too long", name);
    return put(dir, name, KW_BYTES(text, (size_t)len), KW_KEYFILE_MODE_PUBLIC, err);
}

/* 32 random bytes as hex, in a file of mode 0600. */
static struct kw_result secret_make(const struct kw_mesh_dir *dir, const char *name,
                                    struct kw_error *err)
{
    uint8_t random[32];
    char text[2 * sizeof(random) + 1];
    struct kw_result result;

    KW_TRY(kw_random(random, sizeof(random), err));
    kw_hex(KW_BYTES_OF(random), text);
    result = put(dir, name, kw_bytes_str(text), KW_KEYFILE_MODE_PRIVATE, err);
    kw_wipe(random, sizeof(random));
    kw_wipe(text, sizeof(text));
    return result;
}

static struct kw_result key_put(const struct kw_mesh_dir *dir, const char *name,
                                const struct kw_private_key *key, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_TRY(kw_private_key_to_pem(key, &pem, err));
    return put(dir, name, kw_buf_bytes(&pem), KW_KEYFILE_MODE_PRIVATE, err);
}

/* The list of services and the first officer's signature over it. */
static struct kw_result list_make(const struct kw_mesh_dir *dir,
                                  const struct kw_private_key *officer, struct kw_error *err)
{
    char list[TEXT_MAX];
    size_t len = 0;
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_signature signature;

    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        len += (size_t)snprintf(list + len, sizeof(list) - len,
                                "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION
                                "/cell/" KW_MESH_CELL "/svc/%s\n",
                                services[i]);
    }
    KW_TRY(kw_buf_append(&message, kw_bytes_str(LIST_LABEL), err));
    KW_TRY(kw_buf_append(&message, KW_BYTES(list, len), err));
    KW_TRY(kw_ecdsa_sign(officer, kw_buf_bytes(&message), &signature, err));
    KW_TRY(put(dir, "services.list", KW_BYTES(list, len), KW_KEYFILE_MODE_PUBLIC, err));
    return put(dir, "services.list.sig", kw_signature_bytes(&signature), KW_KEYFILE_MODE_PUBLIC,
               err);
}

static struct kw_result officer_make(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};

    KW_TRY(kw_private_key_generate(&key, KW_CURVE_P256, err));
    KW_TRY(key_put(dir, "officer/key.pem", &key, err));
    KW_TRY(kw_csr_build(&key, &csr, err));
    KW_TRY(put(dir, "officer/csr.der", kw_buf_bytes(&csr), KW_KEYFILE_MODE_PUBLIC, err));
    return list_make(dir, &key, err);
}

static struct kw_result recovery_make(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public_key = {0};
    struct kw_spki spki;

    KW_TRY(kw_private_key_generate(&key, KW_CURVE_P384, err));
    KW_TRY(key_put(dir, "recovery/key.pem", &key, err));
    KW_TRY(kw_private_key_public(&key, &public_key, err));
    KW_TRY(kw_public_key_spki(&public_key, &spki, err));
    return put(dir, "recovery/public.der", kw_spki_bytes(&spki), KW_KEYFILE_MODE_PUBLIC, err);
}

struct kw_result kw_mesh_ceremony_files(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    static const char *const secrets[] = {"secret/pin", "secret/so-pin", "secret/page-token.key",
                                          "secret/cache.key"};
    const char *d = dir->path;

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        KW_TRY(secret_make(dir, secrets[i], err));
    }
    KW_TRY(officer_make(dir, err));
    KW_TRY(recovery_make(dir, err));
    KW_TRY(
        put_text(dir, "softhsm2.conf", err,
                 "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
                 "slots.removable = false\n",
                 d));
    return put_text(dir, "init.yaml", err,
                    "trust_domain: " KW_MESH_TRUST_DOMAIN "\n"
                    "out_dir: %s/region\n"
                    "services_file: %s/services.list\n"
                    "services_signature_file: %s/services.list.sig\n"
                    "officer_csr_files: [ %s/officer/csr.der ]\n"
                    "recovery_key_file: %s/recovery/public.der\n"
                    "hsm_token: " KW_MESH_TOKEN "\n"
                    "hsm_pin_file: %s/secret/pin\n"
                    "hsm_so_pin_file: %s/secret/so-pin\n"
                    "hsm_lock_file: %s/run/hsm-login.lock\n",
                    d, d, d, d, d, d, d, d);
}

/* --- after the ceremony --- */

#define COMMON_SETTINGS                                                                            \
    "region: " KW_MESH_REGION "\n"                                                                 \
    "cell: " KW_MESH_CELL "\n"                                                                     \
    "trust_domain: " KW_MESH_TRUST_DOMAIN "\n"

static struct kw_result core_settings(const struct kw_mesh_dir *dir, const char *bin_dir,
                                      struct kw_error *err)
{
    const char *d = dir->path;

    return put_text(dir, "config/cryptocore.yaml", err,
                    COMMON_SETTINGS "credentials_dir: %s/region/credentials/cryptocore\n"
                                    "pki_dir: %s/region/pki\n"
                                    "hsm_token: " KW_MESH_TOKEN "\n"
                                    "hsm_pin_file: %s/secret/pin\n"
                                    "hsm_lock_file: %s/run/hsm-login.lock\n"
                                    "hsm_worker: %s/keyward-hsm-worker\n",
                    d, d, d, d, bin_dir);
}

static struct kw_result orchestrator_settings(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    const char *d = dir->path;

    return put_text(dir, "config/orchestrator.yaml", err,
                    COMMON_SETTINGS "credentials_dir: %s/region/credentials/orchestrator\n"
                                    "database: %s/data/orchestrator.db\n"
                                    "page_key_file: %s/secret/page-token.key\n",
                    d, d, d);
}

static struct kw_result authz_settings(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    const char *d = dir->path;

    return put_text(dir, "config/authz.yaml", err,
                    COMMON_SETTINGS "credentials_dir: %s/region/credentials/authz\n"
                                    "database: %s/data/authz.db\n"
                                    "pki_dir: %s/region/pki\n"
                                    "officers_dir: %s/region/officers\n",
                    d, d, d, d);
}

static struct kw_result gateway_settings(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    const char *d = dir->path;

    KW_TRY(put_text(
        dir, "config/redis.conf", err,
        "port 0\nunixsocket %s/run/redis.sock\nunixsocketperm 700\nsave \"\"\nappendonly no\n"
        "maxmemory 64mb\nmaxmemory-policy allkeys-lru\ndaemonize no\n",
        d));
    return put_text(dir, "config/gateway.yaml", err,
                    COMMON_SETTINGS "listen: 127.0.0.1:0\n"
                                    "credentials_dir: %s/region/credentials/gateway\n"
                                    "client_ca_file: %s/region/pki/client-ca.pem\n"
                                    "redis: %s/run/redis.sock\n"
                                    "cache_key_file: %s/secret/cache.key\n",
                    d, d, d, d);
}

/* Init names the officer's certificate by the id it gave; here there is one, and it is put beside
 * its key. */
static struct kw_result officer_place(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    char path[PATH_MAX];
    char name[NAME_MAX + 32] = "";
    DIR *officers = opendir(kw_mesh_path(dir, "region/officers", path));
    const struct dirent *entry;
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_ENSURE(officers != NULL, err, SYSTEM, "%s: %s", path, strerror(errno));
    while ((entry = readdir(officers)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(name, sizeof(name), "region/officers/%s", entry->d_name);
        }
    }
    (void)closedir(officers);
    KW_TRY(kw_keyfile_read(AT_FDCWD, kw_mesh_path(dir, name, path), TEXT_MAX, false, &pem, err));
    return put(dir, "officer/cert.pem", kw_buf_bytes(&pem), KW_KEYFILE_MODE_PUBLIC, err);
}

struct kw_result kw_mesh_service_files(const struct kw_mesh_dir *dir, const char *bin_dir,
                                       struct kw_error *err)
{
    KW_TRY(officer_place(dir, err));
    KW_TRY(core_settings(dir, bin_dir, err));
    KW_TRY(orchestrator_settings(dir, err));
    KW_TRY(authz_settings(dir, err));
    return gateway_settings(dir, err);
}

struct kw_result kw_mesh_cli_file(const struct kw_mesh_dir *dir, int port, struct kw_error *err)
{
    const char *d = dir->path;

    return put_text(dir, "cli.yaml", err,
                    "target: 127.0.0.1:%d\n"
                    "ca_file: %s/region/pki/root.pem\n"
                    "peer: spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION
                    "/cell/" KW_MESH_CELL "/svc/gateway\n"
                    "cert_file: %s/officer/cert.pem\n"
                    "key_file: %s/officer/key.pem\n",
                    port, d, d, d);
}
