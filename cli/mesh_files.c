/* The files of a development mesh: PINs, officer, list, settings. */
#include "cli/mesh_files.h"

#include "common/base/id.h"
#include "common/base/random.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/sign.h"
#include "common/pki/csr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX   8192
#define UNFIT      " \t\n\"'#:,[]{}@$\\" /* in the path of a mesh: its files are in several formats */
#define LIST_LABEL "KEYWARD-LIST-v1"

static const char *const services[] = {"gateway", "authz", "orchestrator", "cryptocore",
                                       "replicator"};

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

struct kw_result kw_mesh_dir_claim(const char *path, struct kw_error *err)
{
    if (mkdir(path, 0700) == 0) {
        return KW_OK;
    }
    KW_ENSURE(errno == EEXIST, err, CONFIG_INVALID, "%s: %s", path, strerror(errno));
    KW_ENSURE(directory_empty(path), err, CONFIG_INVALID, "%s is not an empty directory", path);
    return KW_OK;
}

struct kw_result kw_mesh_dir_make(const char *path, struct kw_mesh_dir *ret_dir,
                                  struct kw_error *err)
{
    static const char *const names[] = {"tokens", "secret", "officer", "recovery",
                                        "config", "data",   "logs",    "run"};
    const char *tmp = getenv("TMPDIR");
    char wanted[PATH_MAX];
    char full[PATH_MAX];

    (void)snprintf(wanted, sizeof(wanted), "%s/keyward-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (path == NULL) {
        KW_ENSURE(mkdtemp(wanted) != NULL, err, SYSTEM, "%s: %s", wanted, strerror(errno));
        path = wanted;
    } else {
        KW_TRY(kw_mesh_dir_claim(path, err));
    }
    KW_ENSURE(realpath(path, full) != NULL && strlen(full) < sizeof(ret_dir->path) &&
                  strpbrk(full, UNFIT) == NULL,
              err, CONFIG_INVALID, "%s: too long, or not fit for a settings file", path);
    memcpy(ret_dir->path, full, strlen(full) + 1);
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

void kw_mesh_dir_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct kw_result put(const struct kw_mesh_dir *dir, const char *name,
                            struct kw_bytes content, mode_t mode, struct kw_error *err)
{
    char path[PATH_MAX];

    return kw_keyfile_write(AT_FDCWD, kw_mesh_path(dir, name, path), content, mode, err);
}

/* The template with `@` standing for the directory and `$` for `other`. */
static struct kw_result expand(const struct kw_mesh_dir *dir, const char *template,
                               const char *other, struct kw_buf *text, struct kw_error *err)
{
    while (*template != '\0') {
        size_t len = strcspn(template, "@$");

        KW_TRY(kw_buf_append(text, KW_BYTES(template, len), err));
        template += len;
        if (*template != '\0') {
            KW_TRY(kw_buf_append(text, kw_bytes_str(*template == '@' ? dir->path : other), err));
            template ++;
        }
    }
    return KW_OK;
}

static struct kw_result put_text(const struct kw_mesh_dir *dir, const char *name,
                                 const char *template, const char *other, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};

    KW_TRY(expand(dir, template, other, &text, err));
    return put(dir, name, kw_buf_bytes(&text), KW_KEYFILE_MODE_PUBLIC, err);
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
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        KW_TRY(secret_make(dir, secrets[i], err));
    }
    KW_TRY(officer_make(dir, err));
    KW_TRY(recovery_make(dir, err));
    KW_TRY(put_text(dir, "softhsm2.conf",
                    "directories.tokendir = @/tokens\nobjectstore.backend = file\n"
                    "log.level = ERROR\nslots.removable = false\n",
                    "", err));
    return put_text(dir, "init.yaml",
                    "trust_domain: " KW_MESH_TRUST_DOMAIN "\n"
                    "out_dir: @/region\n"
                    "services_file: @/services.list\n"
                    "services_signature_file: @/services.list.sig\n"
                    "officer_csr_files: [ @/officer/csr.der ]\n"
                    "recovery_key_file: @/recovery/public.der\n"
                    "hsm_token: " KW_MESH_TOKEN "\n"
                    "hsm_pin_file: @/secret/pin\n"
                    "hsm_so_pin_file: @/secret/so-pin\n"
                    "hsm_lock_file: @/run/hsm-login.lock\n",
                    "", err);
}

/* --- after the ceremony --- */

#define COMMON_SETTINGS                                                                            \
    "region: " KW_MESH_REGION "\n"                                                                 \
    "cell: " KW_MESH_CELL "\n"                                                                     \
    "trust_domain: " KW_MESH_TRUST_DOMAIN "\n"

static struct kw_result core_settings(const struct kw_mesh_dir *dir, const char *bin_dir,
                                      struct kw_error *err)
{
    return put_text(dir, "config/cryptocore.yaml",
                    COMMON_SETTINGS "credentials_dir: @/region/credentials/" KW_MESH_CELL
                                    "/cryptocore\n"
                                    "pki_dir: @/region/pki\n"
                                    "hsm_token: " KW_MESH_TOKEN "\n"
                                    "hsm_pin_file: @/secret/pin\n"
                                    "hsm_lock_file: @/run/hsm-login.lock\n"
                                    "hsm_worker: $/keyward-hsm-worker\n",
                    bin_dir, err);
}

static struct kw_result orchestrator_settings(const struct kw_mesh_dir *dir, const char *mesh,
                                              struct kw_error *err)
{
    return put_text(dir, "config/orchestrator.yaml",
                    COMMON_SETTINGS "credentials_dir: @/region/credentials/" KW_MESH_CELL
                                    "/orchestrator\n"
                                    "mesh: $\n"
                                    "database: @/data/orchestrator.db\n"
                                    "page_key_file: @/secret/page-token.key\n",
                    mesh, err);
}

static struct kw_result authz_settings(const struct kw_mesh_dir *dir, const char *mesh,
                                       struct kw_error *err)
{
    return put_text(dir, "config/authz.yaml",
                    COMMON_SETTINGS "credentials_dir: @/region/credentials/" KW_MESH_CELL "/authz\n"
                                    "mesh: $\n"
                                    "database: @/data/authz.db\n"
                                    "pki_dir: @/region/pki\n"
                                    "officers_dir: @/region/officers\n",
                    mesh, err);
}

static struct kw_result gateway_settings(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    KW_TRY(put_text(
        dir, "config/redis.conf",
        "port 0\nunixsocket @/run/redis.sock\nunixsocketperm 700\nsave \"\"\nappendonly no\n"
        "maxmemory 64mb\nmaxmemory-policy allkeys-lru\ndaemonize no\n",
        "", err));
    return put_text(dir, "config/gateway.yaml",
                    COMMON_SETTINGS "listen: 127.0.0.1:0\n"
                                    "credentials_dir: @/region/credentials/" KW_MESH_CELL
                                    "/gateway\n"
                                    "client_ca_file: @/region/pki/client-ca.pem\n"
                                    "redis: @/run/redis.sock\n"
                                    "cache_key_file: @/secret/cache.key\n",
                    "", err);
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

static struct kw_result mesh_draw(char *mesh, struct kw_error *err)
{
    struct kw_id id;

    KW_TRY(kw_id_random(&id, err));
    kw_hex(kw_id_bytes(&id), mesh);
    return KW_OK;
}

struct kw_result kw_mesh_service_files(const struct kw_mesh_dir *dir, const char *bin_dir,
                                       struct kw_error *err)
{
    char mesh[2 * KW_ID_LEN + 1]; /* one for all that replicates */

    KW_TRY(mesh_draw(mesh, err));
    KW_TRY(officer_place(dir, err));
    KW_TRY(core_settings(dir, bin_dir, err));
    KW_TRY(orchestrator_settings(dir, mesh, err));
    KW_TRY(authz_settings(dir, mesh, err));
    return gateway_settings(dir, err);
}

struct kw_result kw_mesh_cli_file(const struct kw_mesh_dir *dir, int port, struct kw_error *err)
{
    char port_text[16];

    (void)snprintf(port_text, sizeof(port_text), "%d", port);
    return put_text(dir, "cli.yaml",
                    "target: 127.0.0.1:$\n"
                    "ca_file: @/region/pki/root.pem\n"
                    "peer: spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION
                    "/cell/" KW_MESH_CELL "/svc/gateway\n"
                    "cert_file: @/officer/cert.pem\n"
                    "key_file: @/officer/key.pem\n",
                    port_text, err);
}

struct kw_result kw_mesh_ready_file(const struct kw_mesh_dir *dir, const char *part, int port,
                                    int metrics_port, struct kw_error *err)
{
    char name[NAME_MAX];
    char text[64];

    (void)snprintf(name, sizeof(name), "run/%s.ready", part);
    (void)snprintf(text, sizeof(text), "port=%d metrics=%d\n", port, metrics_port);
    return put(dir, name, kw_bytes_str(text), KW_KEYFILE_MODE_PUBLIC, err);
}
