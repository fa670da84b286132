/* Digests and texts. */
#include "services/cryptocore/region/compared.h"

static struct kw_result compare(const char *what, const char *path,
                                const uint8_t digest[KW_SHA256_LEN], const char *sha256,
                                struct kw_error *err)
{
    char text[2 * KW_SHA256_LEN + 1];

    kw_hex(KW_BYTES(digest, KW_SHA256_LEN), text);
    KW_ENSURE(strcmp(text, sha256) == 0, err, BINDING_INVALID, "the %s of %s is %s", what, path,
              text);
    return KW_OK;
}

struct kw_result kw_region_root_load(const char *path, const char *sha256,
                                     struct kw_certificate *ret_root, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_region_record_load(path, &pem, err));
    KW_TRY(kw_certificate_from_pem(ret_root, kw_buf_bytes(&pem), err));
    KW_TRY(kw_certificate_fingerprint(ret_root, digest, err));
    return compare("root", path, digest, sha256, err);
}

struct kw_result kw_region_request_load(const char *path, const char *sha256,
                                        struct kw_buf *ret_record, struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_region_record_load(path, ret_record, err));
    KW_TRY(kw_sha256(kw_buf_bytes(ret_record), digest, err));
    return compare("request", path, digest, sha256, err);
}
