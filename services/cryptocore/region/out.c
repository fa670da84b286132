/* Paths, directories, files. */
#include "services/cryptocore/region/out.h"

#include "common/crypto/keyfile.h"
#include "services/cryptocore/pki_files.h"
#include "services/cryptocore/region/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct kw_result kw_out_path(const char *dir, const char *name, char path[PATH_MAX],
                             struct kw_error *err)
{
    int len = snprintf(path, PATH_MAX, "%s/%s", dir, name);

    KW_ENSURE(len > 0 && len < PATH_MAX, err, CONFIG_INVALID, "path of %s is too long", name);
    return KW_OK;
}

struct kw_result kw_out_directory(const char *dir, const char *name, bool may_exist,
                                  struct kw_error *err)
{
    char path[PATH_MAX];

    KW_TRY(kw_out_path(dir, name, path, err));
    KW_ENSURE(mkdir(path, 0755) == 0 || (may_exist && errno == EEXIST), err, CONFIG_INVALID,
              "%s: %s", path, strerror(errno));
    return KW_OK;
}

struct kw_result kw_out_directories(const char *dir, struct kw_error *err)
{
    static const char *const names[] = {"pki", "credentials", "officers"};

    KW_ENSURE(mkdir(dir, 0755) == 0 || errno == EEXIST, err, SYSTEM, "%s: %s", dir,
              strerror(errno));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        KW_TRY(kw_out_directory(dir, names[i], false, err));
    }
    return KW_OK;
}

struct kw_result kw_out_put(const char *dir, const char *name, struct kw_bytes content,
                            struct kw_error *err)
{
    char path[PATH_MAX];

    KW_TRY(kw_out_path(dir, name, path, err));
    return kw_keyfile_write(AT_FDCWD, path, content, KW_KEYFILE_MODE_PUBLIC, err);
}

struct kw_result kw_out_put_certificate(const char *dir, const char *name, struct kw_bytes der,
                                        struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_TRY(kw_core_pem_append(&pem, der, err));
    return kw_out_put(dir, name, kw_buf_bytes(&pem), err);
}

struct kw_result kw_out_get(const char *dir, const char *name, struct kw_buf *ret_content,
                            struct kw_error *err)
{
    char path[PATH_MAX];

    KW_TRY(kw_out_path(dir, name, path, err));
    return kw_keyfile_read(AT_FDCWD, path, KW_REGION_RECORD_LEN_MAX, false, ret_content, err);
}
