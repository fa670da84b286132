/* The credentials directory: reading one generation whole. Writing the next is
 * credentials_write.c's. */
#include "common/pki/credentials.h"

#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/openssl.h"

#include <errno.h>
#include <fcntl.h>

#define LOAD_ATTEMPTS_MAX                                                                          \
    3 /* a writer may replace the generation that is being read; twice over is a fault */

/* gRPC wants its PEM with a NUL, which does not count. */
static struct kw_result terminate(struct kw_buf *text, struct kw_error *err)
{
    KW_TRY(kw_buf_reserve(text, 1, err));
    text->data[text->len] = '\0';
    return KW_OK;
}

static struct kw_result file_load(int dir, const char *name, bool private_only,
                                  struct kw_buf *ret_text, struct kw_error *err)
{
    KW_TRY(kw_keyfile_read(dir, name, KW_CREDENTIALS_FILE_LEN_MAX, private_only, ret_text, err));
    return terminate(ret_text, err);
}

static struct kw_result text_copy(struct kw_bytes text, struct kw_buf *ret_text,
                                  struct kw_error *err)
{
    KW_TRY(kw_buf_append(ret_text, text, err));
    return terminate(ret_text, err);
}

/* Fills the parsed half from the texts. */
static struct kw_result credentials_parse(struct kw_credentials *c, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key certified = {0};
    struct kw_error why = {0};

    KW_ENSURE(kw_ok(kw_private_key_from_pem(&c->key, kw_buf_bytes(&c->key_pem), &why)), err,
              CONFIG_INVALID, "key.pem: %s", why.message);
    KW_ENSURE(kw_ok(kw_certificate_from_pem(&c->leaf, kw_buf_bytes(&c->cert_pem), &why)) &&
                  kw_ok(kw_certificate_public_key(&c->leaf, &certified, &why)),
              err, CONFIG_INVALID, "cert.pem: %s", why.message);
    KW_ENSURE(kw_ok(kw_trust_from_pem(&c->trust, kw_buf_bytes(&c->ca_pem), &why)), err,
              CONFIG_INVALID, "ca.pem: %s", why.message);
    KW_ENSURE(EVP_PKEY_eq(certified.evp, c->key.evp) == 1, err, CONFIG_INVALID,
              "key.pem is not the key of cert.pem");
    return KW_OK;
}

/* One attempt. All three files come through one descriptor, so they are of one generation or not
 * there. */
static struct kw_result load_once(struct kw_credentials *c, const char *path, struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    KW_ENSURE(dir >= 0, err, CONFIG_INVALID, "credentials %s: %s", path, strerror(errno));
    KW_TRY(file_load(dir, KW_CREDENTIALS_KEY, true, &c->key_pem, err));
    KW_TRY(file_load(dir, KW_CREDENTIALS_CERT, false, &c->cert_pem, err));
    KW_TRY(file_load(dir, KW_CREDENTIALS_CA, false, &c->ca_pem, err));
    return credentials_parse(c, err);
}

struct kw_result kw_credentials_load(struct kw_credentials *credentials, const char *path,
                                     struct kw_error *err)
{
    struct kw_result result = KW_OK;

    for (int attempt = 0; attempt < LOAD_ATTEMPTS_MAX; attempt++) {
        struct kw_credentials loaded = {0};

        result = load_once(&loaded, path, err);
        if (kw_ok(result)) {
            *credentials = loaded;
            return KW_OK;
        }
        kw_credentials_done(&loaded);
    }
    return result;
}

static struct kw_result texts_parse(const struct kw_credentials_pem *pem, struct kw_credentials *c,
                                    struct kw_error *err)
{
    KW_TRY(text_copy(pem->key, &c->key_pem, err));
    KW_TRY(text_copy(pem->cert, &c->cert_pem, err));
    KW_TRY(text_copy(pem->ca, &c->ca_pem, err));
    return credentials_parse(c, err);
}

struct kw_result kw_credentials_from_pem(struct kw_credentials *credentials,
                                         const struct kw_credentials_pem *pem, struct kw_error *err)
{
    struct kw_credentials parsed = {0};
    struct kw_result result = texts_parse(pem, &parsed, err);

    if (!kw_ok(result)) {
        kw_credentials_done(&parsed);
        return result;
    }
    *credentials = parsed;
    return KW_OK;
}

void kw_credentials_done(struct kw_credentials *credentials)
{
    if (credentials == NULL) {
        return;
    }
    kw_private_key_done(&credentials->key);
    kw_certificate_done(&credentials->leaf);
    kw_trust_done(&credentials->trust);
    kw_buf_done(&credentials->key_pem);
    kw_buf_done(&credentials->cert_pem);
    kw_buf_done(&credentials->ca_pem);
    *credentials = (struct kw_credentials){0};
}
