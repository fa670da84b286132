/* Signing, and putting beside. */
#include "tests/support/officer_sign.h"

#include "common/crypto/keyfile.h"
#include "tests/support/must.h"

#include <fcntl.h>
#include <stdio.h>

void officer_sign(const struct kw_mesh_dir *dir, const char *label, struct kw_bytes content,
                  struct kw_signature *ret_signature)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key officer = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    char path[PATH_MAX];

    MUST(kw_private_key_from_file(&officer, kw_mesh_path(dir, "officer/key.pem", path), err));
    MUST(kw_buf_append(&message, kw_bytes_str(label), err));
    MUST(kw_buf_append(&message, content, err));
    MUST(kw_ecdsa_sign(&officer, kw_buf_bytes(&message), ret_signature, err));
}

static void put(const struct kw_mesh_dir *dir, const char *name, struct kw_bytes content)
{
    char path[PATH_MAX];

    MUST(kw_keyfile_write(AT_FDCWD, kw_mesh_path(dir, name, path), content, KW_KEYFILE_MODE_PUBLIC,
                          err));
}

void officer_list(const struct kw_mesh_dir *dir, const char *name, const char *text)
{
    struct kw_signature signature;
    char beside[64];

    officer_sign(dir, OFFICER_LIST_LABEL, kw_bytes_str(text), &signature);
    put(dir, name, kw_bytes_str(text));
    snprintf(beside, sizeof(beside), "%s.sig", name);
    put(dir, beside, kw_signature_bytes(&signature));
}
