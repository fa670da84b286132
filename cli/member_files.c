/* Reading and writing a member's directory. */
#include "cli/member_files.h"

#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/crypto/cmac.h"
#include "common/crypto/keyfile.h"
#include "common/pki/certificate.h"
#include "common/pki/csr.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS_LEN_MAX 16384

static struct kw_result path_make(const char *dir, const char *name, char path[PATH_MAX],
                                  struct kw_error *err)
{
    int len = snprintf(path, PATH_MAX, "%s/%s", dir, name);

    KW_ENSURE(len > 0 && len < PATH_MAX, err, CONFIG_INVALID, "%s: the path is too long", dir);
    return KW_OK;
}

static struct kw_result put(const char *dir, const char *name, struct kw_bytes content, mode_t mode,
                            struct kw_error *err)
{
    char path[PATH_MAX];

    KW_TRY(path_make(dir, name, path, err));
    return kw_keyfile_write(AT_FDCWD, path, content, mode, err);
}

struct kw_result kw_member_dir_make(const char *dir, struct kw_error *err)
{
    KW_ENSURE(mkdir(dir, 0700) == 0 || errno == EEXIST, err, SYSTEM, "%s: %s", dir,
              strerror(errno));
    return KW_OK;
}

static struct kw_result key_make(const char *dir, const char *name, enum kw_curve curve,
                                 struct kw_private_key *ret_key, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

    KW_TRY(kw_private_key_generate(&key, curve, err));
    KW_TRY(kw_private_key_to_pem(&key, &pem, err));
    KW_TRY(put(dir, name, kw_buf_bytes(&pem), KW_KEYFILE_MODE_PRIVATE, err));
    *ret_key = key;
    key = (struct kw_private_key){0};
    return KW_OK;
}

struct kw_result kw_member_key(const char *dir, const char *name, enum kw_curve curve,
                               struct kw_private_key *ret_key, struct kw_error *err)
{
    char path[PATH_MAX];

    KW_TRY(path_make(dir, name, path, err));
    if (access(path, F_OK) == 0) {
        return kw_private_key_from_file(ret_key, path, err);
    }
    return key_make(dir, name, curve, ret_key, err);
}

struct kw_result kw_member_csr(const struct kw_private_key *key, struct kw_arena *arena,
                               ProtobufCBinaryData *ret_csr, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct kw_bytes copy;

    KW_TRY(kw_csr_build(key, &der, err));
    KW_TRY(kw_arena_copy(arena, kw_buf_bytes(&der), &copy, err));
    *ret_csr = (ProtobufCBinaryData){.len = copy.len, .data = (uint8_t *)(uintptr_t)copy.data};
    return KW_OK;
}

static struct kw_result pem_append(ProtobufCBinaryData der, struct kw_buf *pem,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    KW_TRY(kw_certificate_from_der(&certificate, KW_BYTES(der.data, der.len), err));
    return kw_certificate_to_pem(&certificate, pem, err);
}

struct kw_result kw_member_chain_write(const char *dir, const char *name,
                                       const Keyward__V1__IssuedCertificate *issued,
                                       struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_ENSURE(issued != NULL && issued->n_chain > 0, err, ARGUMENT_INVALID,
              "the answer has no certificate");
    for (size_t i = 0; i < issued->n_chain; i++) {
        KW_TRY(pem_append(issued->chain[i], &pem, err));
    }
    return put(dir, name, kw_buf_bytes(&pem), KW_KEYFILE_MODE_PUBLIC, err);
}

struct kw_result kw_member_settings_write(const char *dir, const struct kw_client_options *from,
                                          struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf ca = {0};
    char full[PATH_MAX];
    char text[SETTINGS_LEN_MAX];
    int len;

    KW_ENSURE(realpath(dir, full) != NULL && strpbrk(full, "\"\\\n") == NULL, err, CONFIG_INVALID,
              "%s: no directory whose path can stand in a settings file", dir);
    KW_TRY(kw_file_read(from->ca_file, KW_CREDENTIALS_FILE_LEN_MAX, &ca, err));
    KW_TRY(put(dir, "ca.pem", kw_buf_bytes(&ca), KW_KEYFILE_MODE_PUBLIC, err));
    len = snprintf(text, sizeof(text),
                   "target: \"%s\"\npeer: \"%s\"\nca_file: \"%s/ca.pem\"\n"
                   "cert_file: \"%s/cert.pem\"\nkey_file: \"%s/key.pem\"\n",
                   from->target, from->peer, full, full, full);
    KW_ENSURE(len > 0 && len < SETTINGS_LEN_MAX, err, CONFIG_INVALID, "%s: too long", dir);
    return put(dir, "cli.yaml", KW_BYTES(text, (size_t)len), KW_KEYFILE_MODE_PUBLIC, err);
}

static void transport_name(uint32_t version, const char *ending, char text[32])
{
    (void)snprintf(text, 32, "transport-v%u.%s", version, ending);
}

struct kw_result kw_transport_cms_write(const char *dir, uint32_t version, struct kw_bytes cms,
                                        struct kw_error *err)
{
    char name[32];

    transport_name(version, "cms", name);
    return put(dir, name, cms, KW_KEYFILE_MODE_PUBLIC, err);
}

struct kw_result kw_transport_key_write(const char *dir, uint32_t version,
                                        const struct kw_secret *key, struct kw_error *err)
{
    char name[32];

    transport_name(version, "key", name);
    return put(dir, name, kw_secret_bytes(key), KW_KEYFILE_MODE_PRIVATE, err);
}

struct kw_result kw_transport_key_read(const char *dir, uint32_t version, struct kw_secret *ret_key,
                                       struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    char name[32];
    char path[PATH_MAX];

    transport_name(version, "key", name);
    KW_TRY(path_make(dir, name, path, err));
    KW_TRY(kw_keyfile_read(AT_FDCWD, path, KW_AES256_LEN, true, &content, err));
    KW_ENSURE(content.len == KW_AES256_LEN, err, CONFIG_INVALID, "%s: %zu bytes, not %d", path,
              content.len, KW_AES256_LEN);
    return kw_secret_copy(ret_key, kw_buf_bytes(&content), err);
}

char *kw_dir_of(const char *file, char *text)
{
    char copy[PATH_MAX];

    (void)snprintf(copy, sizeof(copy), "%s", file);
    (void)snprintf(text, PATH_MAX, "%s", dirname(copy));
    return text;
}
