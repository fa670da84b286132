/* The files of a development mesh that ceremonies need: keys of officers, lists, PINs. */
#include "cli/mesh_files.h"

#include "cli/template.h"
#include "common/base/random.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/sign.h"
#include "common/pki/csr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX   8192
#define SIGNED_MAX (1024U * 1024U)
#define LIST_LABEL "KEYWARD-LIST-v1"

static const char *const services[] = {"gateway", "authz", "orchestrator", "cryptocore",
                                       "replicator"};

#define SERVICE_COUNT (sizeof(services) / sizeof(services[0]))

static struct kw_result put(const struct kw_mesh_dir *dir, const char *name,
                            struct kw_bytes content, mode_t mode, struct kw_error *err)
{
    char path[PATH_MAX];

    return kw_keyfile_write(AT_FDCWD, kw_mesh_path(dir, name, path), content, mode, err);
}

struct kw_result kw_mesh_secret_file(const struct kw_mesh_dir *dir, const char *name,
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

/* --- of the mesh --- */

static struct kw_result officer_make(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};

    KW_TRY(kw_private_key_generate(&key, KW_CURVE_P256, err));
    KW_TRY(key_put(dir, "officer/key.pem", &key, err));
    KW_TRY(kw_csr_build(&key, &csr, err));
    return put(dir, "officer/csr.der", kw_buf_bytes(&csr), KW_KEYFILE_MODE_PUBLIC, err);
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

struct kw_result kw_mesh_officer_files(const struct kw_mesh_layout *layout, struct kw_error *err)
{
    KW_TRY(officer_make(&layout->dir, err));
    KW_TRY(recovery_make(&layout->dir, err));
    return kw_mesh_secret_file(&layout->dir, "secret/page-token.key", err);
}

/* As the officer, label ‖ what is in the file at `path`. */
static struct kw_result sign(const struct kw_mesh_layout *layout, const char *label,
                             const char *path, const char *signature_path, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key officer = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_signature signature;
    char key_path[PATH_MAX];

    KW_TRY(kw_private_key_from_file(&officer,
                                    kw_mesh_path(&layout->dir, "officer/key.pem", key_path), err));
    KW_TRY(kw_buf_append(&message, kw_bytes_str(label), err));
    KW_TRY(kw_keyfile_read(AT_FDCWD, path, SIGNED_MAX, false, &message, err));
    KW_TRY(kw_ecdsa_sign(&officer, kw_buf_bytes(&message), &signature, err));
    return kw_keyfile_write(AT_FDCWD, signature_path, kw_signature_bytes(&signature),
                            KW_KEYFILE_MODE_PUBLIC, err);
}

struct kw_result kw_mesh_officer_sign(const struct kw_mesh_layout *layout, const char *label,
                                      const char *name, const char *signature_name,
                                      struct kw_error *err)
{
    char path[PATH_MAX];
    char signature_path[PATH_MAX];

    return sign(layout, label, kw_mesh_path(&layout->dir, name, path),
                kw_mesh_path(&layout->dir, signature_name, signature_path), err);
}

/* Init names the officer's certificate by the id it gave; here there is one, and it is put beside
 * its key. */
struct kw_result kw_mesh_officer_place(const struct kw_mesh_layout *layout, struct kw_error *err)
{
    const struct kw_mesh_dir *from = &layout->regions[0].dir;
    char path[PATH_MAX];
    char name[NAME_MAX + 32] = "";
    DIR *officers = opendir(kw_mesh_path(from, "officers", path));
    const struct dirent *entry;
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_ENSURE(officers != NULL, err, SYSTEM, "%s: %s", path, strerror(errno));
    while ((entry = readdir(officers)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(name, sizeof(name), "officers/%s", entry->d_name);
        }
    }
    (void)closedir(officers);
    KW_TRY(kw_keyfile_read(AT_FDCWD, kw_mesh_path(from, name, path), TEXT_MAX, false, &pem, err));
    return put(&layout->dir, "officer/cert.pem", kw_buf_bytes(&pem), KW_KEYFILE_MODE_PUBLIC, err);
}

/* --- of a region --- */

/* One line for each service of each cell. */
static struct kw_result list_write(const struct kw_mesh_layout *layout,
                                   const struct kw_mesh_region *region, struct kw_buf *list,
                                   struct kw_error *err)
{
    for (size_t i = 0; i < layout->cell_count * SERVICE_COUNT; i++) {
        char line[NAME_MAX];
        int len = snprintf(
            line, sizeof(line), "spiffe://" KW_MESH_TRUST_DOMAIN "/region/%s/cell/%s/svc/%s\n",
            region->name, region->cells[i / SERVICE_COUNT].name, services[i % SERVICE_COUNT]);

        KW_TRY(kw_buf_append(list, KW_BYTES(line, (size_t)len), err));
    }
    return KW_OK;
}

/* The region's services and the officer's signature over them. */
static struct kw_result list_make(const struct kw_mesh_layout *layout,
                                  const struct kw_mesh_region *region, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    char path[PATH_MAX];
    char signature_path[PATH_MAX];

    KW_TRY(list_write(layout, region, &list, err));
    KW_TRY(put(&region->dir, "services.list", kw_buf_bytes(&list), KW_KEYFILE_MODE_PUBLIC, err));
    return sign(layout, LIST_LABEL, kw_mesh_path(&region->dir, "services.list", path),
                kw_mesh_path(&region->dir, "services.list.sig", signature_path), err);
}

static const char softhsm_conf[] = "directories.tokendir = {region}/tokens\n"
                                   "objectstore.backend = file\n"
                                   "log.level = ERROR\n"
                                   "slots.removable = false\n";

static const char init_yaml[] = "trust_domain: " KW_MESH_TRUST_DOMAIN "\n"
                                "out_dir: {region}\n"
                                "{edge_hosts}"
                                "services_file: {region}/services.list\n"
                                "services_signature_file: {region}/services.list.sig\n"
                                "officer_csr_files: [ {mesh}/officer/csr.der ]\n"
                                "recovery_key_file: {mesh}/recovery/public.der\n"
                                "hsm_token: " KW_MESH_TOKEN "\n"
                                "hsm_pin_file: {region}/secret/pin\n"
                                "hsm_so_pin_file: {region}/secret/so-pin\n"
                                "hsm_lock_file: {region}/run/hsm-login.lock\n";

char *kw_mesh_edge_hosts(const struct kw_mesh_layout *layout, const struct kw_mesh_region *region,
                         char text[KW_MESH_EDGE_HOSTS_SIZE])
{
    char host[KW_MESH_HOST_SIZE];
    size_t len;

    text[0] = '\0';
    if (layout->state_dir == NULL) {
        return text;
    }
    len = (size_t)snprintf(text, KW_MESH_EDGE_HOSTS_SIZE, "edge_hosts: [ localhost, 127.0.0.1");
    for (size_t i = 0; i < layout->cell_count; i++) {
        len += (size_t)snprintf(text + len, KW_MESH_EDGE_HOSTS_SIZE - len, ", %s",
                                kw_mesh_host(layout, region, &region->cells[i], "gateway", host));
    }
    (void)snprintf(text + len, KW_MESH_EDGE_HOSTS_SIZE - len, " ]\n");
    return text;
}

struct kw_result kw_mesh_softhsm_file(const char *path, const char *region_dir,
                                      struct kw_error *err)
{
    const struct kw_template_word words[] = {{"region", region_dir}, {NULL, NULL}};

    return kw_template_write(path, softhsm_conf, words, err);
}

struct kw_result kw_mesh_token_files(const struct kw_mesh_layout *layout,
                                     const struct kw_mesh_region *region, struct kw_error *err)
{
    char path[PATH_MAX];

    KW_TRY(kw_mesh_secret_file(&region->dir, "secret/pin", err));
    KW_TRY(kw_mesh_secret_file(&region->dir, "secret/so-pin", err));
    KW_TRY(list_make(layout, region, err));
    return kw_mesh_softhsm_file(kw_mesh_path(&region->dir, "softhsm2.conf", path), region->dir.path,
                                err);
}

struct kw_result kw_mesh_region_files(const struct kw_mesh_layout *layout,
                                      const struct kw_mesh_region *region, struct kw_error *err)
{
    char edge_hosts[KW_MESH_EDGE_HOSTS_SIZE];
    const struct kw_template_word words[] = {
        {"region", region->dir.path},
        {"mesh", layout->dir.path},
        {"edge_hosts", kw_mesh_edge_hosts(layout, region, edge_hosts)},
        {NULL, NULL}};
    char path[PATH_MAX];

    KW_TRY(kw_mesh_token_files(layout, region, err));
    return kw_template_write(kw_mesh_path(&region->dir, "init.yaml", path), init_yaml, words, err);
}
