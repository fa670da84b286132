/* Reading who we are; making the lanes' key. */
#include "common/feed_service/identity.h"

#include "common/base/log.h"
#include "common/crypto/keyfile.h"
#include "common/pki/officer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static struct kw_result look(const char *path, bool *ret_there, struct kw_error *err)
{
    struct stat status;

    *ret_there = lstat(path, &status) == 0;
    KW_ENSURE(*ret_there || errno == ENOENT, err, CONFIG_INVALID, "lane key %s: error %d", path,
              errno);
    return KW_OK;
}

static struct kw_result make(const char *path, struct kw_private_key *key, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_TRY(kw_private_key_generate(key, KW_CURVE_P256, err));
    KW_TRY(kw_private_key_to_pem(key, &pem, err));
    KW_TRY(kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(&pem), KW_KEYFILE_MODE_PRIVATE, err));
    KW_LOG(INFO, "a key for our lanes was made", KW_F_STR("file", path));
    return KW_OK;
}

static struct kw_result read_key(const char *path, struct kw_private_key *key, struct kw_error *err)
{
    struct kw_error why;

    KW_ENSURE(kw_ok(kw_private_key_from_file(key, path, &why)), err, CONFIG_INVALID, "lane key: %s",
              why.message);
    KW_ENSURE(key->curve == KW_CURVE_P256, err, CONFIG_INVALID, "lane key %s is not on P-256",
              path);
    return KW_OK;
}

static struct kw_result key_load(const char *path, struct kw_private_key *key, struct kw_error *err)
{
    bool there;

    KW_ENSURE(path != NULL && path[0] != '\0', err, CONFIG_INVALID, "no file for the lanes' key");
    KW_TRY(look(path, &there, err));
    return there ? read_key(path, key, err) : make(path, key, err);
}

static struct kw_result load(struct kw_feed_identity *identity,
                             const struct kw_feed_identity_options *options, struct kw_error *err)
{
    struct kw_voucher_trust *trust = &identity->trust;
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};

    KW_TRY(kw_spiffe_service(options->trust_domain, options->region, options->cell,
                             options->service, &trust->self, err));
    KW_ENSURE(
        strlen(options->region) < KW_PLACE_NAME_SIZE && strlen(options->cell) < KW_PLACE_NAME_SIZE,
        err, CONFIG_INVALID, "a region's or cell's name is longer than %u", KW_PLACE_NAME_SIZE - 1);
    KW_TRY(kw_credentials_load(&identity->credentials, options->credentials_dir, err));
    KW_TRY(key_load(options->lane_key_file, &identity->key, err));
    KW_TRY(kw_private_key_public(&identity->key, &public, err));
    KW_TRY(kw_public_key_spki(&public, &trust->key, err));
    if (options->pki_dir != NULL) {
        KW_TRY(kw_officer_load(options->pki_dir, options->trust_domain, &identity->orders.officer,
                               err));
    }
    trust->services = &identity->credentials.trust;
    identity->credentials_dir = options->credentials_dir;
    return KW_OK;
}

struct kw_result kw_feed_identity_load(struct kw_feed_identity *identity,
                                       const struct kw_feed_identity_options *options,
                                       struct kw_error *err)
{
    struct kw_result loaded;

    *identity = (struct kw_feed_identity){0};
    loaded = load(identity, options, err);
    if (!kw_ok(loaded)) {
        kw_feed_identity_done(identity);
    }
    return loaded;
}

void kw_feed_identity_done(struct kw_feed_identity *identity)
{
    kw_private_key_done(&identity->key);
    kw_credentials_done(&identity->credentials);
    kw_public_key_done(&identity->orders.officer);
}
