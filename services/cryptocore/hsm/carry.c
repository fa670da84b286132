/* Opening the blob, and wrapping anew.
 *
 *     KWB1 ─ ECDH(recovery key) ─▶ KEK, MAC key (kw_secret) ─ ECDH(carrier) ─▶ struct kw_hsm_carried
 */
#include "services/cryptocore/hsm/carry.h"

#include "common/base/codec.h"
#include "common/crypto/cmac.h"
#include "common/crypto/digest.h"
#include "common/crypto/ecdh.h"
#include "common/crypto/keywrap.h"
#include "services/cryptocore/hsm/ceremony_keys.h"

#include <assert.h>

struct secrets {
    struct kw_secret kek;
    struct kw_secret mac;
};

static void secrets_done(struct secrets *secrets)
{
    kw_secret_done(&secrets->kek);
    kw_secret_done(&secrets->mac);
}

/* What the blob says, before it is opened. */
struct blob {
    struct kw_bytes recovery; /* digest of the recovery key */
    struct kw_bytes ephemeral;
    struct kw_hsm_carried_key kek;
    struct kw_hsm_carried_key mac;
};

static void entry_read(struct kw_reader *r, const char *label, struct kw_hsm_carried_key *ret_key)
{
    if (!kw_bytes_equal(kw_get_var(r), kw_bytes_str(label))) {
        r->failed = true;
    }
    kw_get_copy(r, ret_key->wrapped, sizeof(ret_key->wrapped));
    kw_get_copy(r, ret_key->check, sizeof(ret_key->check));
}

static struct kw_result blob_read(struct kw_bytes bytes, struct blob *blob, struct kw_error *err)
{
    struct kw_reader r = KW_READER(bytes);
    char label[KW_HSM_LABEL_SIZE];

    if (!kw_bytes_equal(kw_get_raw(&r, strlen(KW_HSM_BLOB_MAGIC)),
                        kw_bytes_str(KW_HSM_BLOB_MAGIC))) {
        r.failed = true;
    }
    blob->recovery = kw_get_raw(&r, KW_SHA256_LEN);
    blob->ephemeral = kw_get_raw(&r, KW_P384_POINT_LEN);
    if (kw_get_u16(&r) != KW_HSM_BLOB_KEYS) {
        r.failed = true;
    }
    entry_read(&r, kw_hsm_kek_label(1, label), &blob->kek);
    entry_read(&r, KW_HSM_MAC_LABEL, &blob->mac);
    return kw_reader_end(&r, "ceremony blob", err);
}

/* Before anything is tried with it: the blob says whose it is. */
static struct kw_result recovery_check(const struct kw_private_key *recovery,
                                       const struct blob *blob, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    uint8_t digest[KW_SHA256_LEN];
    struct kw_spki spki;

    KW_TRY(kw_private_key_public(recovery, &public, err));
    KW_TRY(kw_public_key_spki(&public, &spki, err));
    KW_TRY(kw_sha256(kw_spki_bytes(&spki), digest, err));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(digest), blob->recovery), err, BINDING_INVALID,
              "the blob was wrapped for another recovery key");
    return KW_OK;
}

/* The check value is said again of the key that came out. */
static struct kw_result key_open(const struct kw_secret *wrapping,
                                 const struct kw_hsm_carried_key *kept, const char *what,
                                 struct kw_secret *ret_key, struct kw_error *err)
{
    uint8_t check[KW_HSM_CHECK_LEN];

    KW_TRY(kw_kwp_unwrap(wrapping, KW_BYTES_OF(kept->wrapped), ret_key, err));
    KW_TRY(kw_check_value(ret_key, check, err));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(check), KW_BYTES_OF(kept->check)), err, BINDING_INVALID,
              "the %s of the blob has another check value", what);
    return KW_OK;
}

static struct kw_result blob_open(const struct kw_private_key *recovery, const struct blob *blob,
                                  struct secrets *secrets, struct kw_error *err)
{
    KW_SCOPED(kw_secret_done) struct kw_secret wrapping = {0};

    KW_TRY(recovery_check(recovery, blob, err));
    KW_TRY(kw_ecdh_receive(recovery, blob->ephemeral, kw_bytes_str(KW_HSM_BLOB_INFO), KW_AES256_LEN,
                           &wrapping, err));
    KW_TRY(key_open(&wrapping, &blob->kek, "KEK", &secrets->kek, err));
    return key_open(&wrapping, &blob->mac, "MAC key", &secrets->mac, err);
}

static struct kw_result wrap(const struct kw_secret *wrapping, const struct kw_secret *key,
                             uint8_t ret_wrapped[KW_HSM_WRAPPED_LEN], struct kw_error *err)
{
    struct kw_wrapped wrapped;

    KW_TRY(kw_kwp_wrap(wrapping, key, &wrapped, err));
    assert(wrapped.len == KW_HSM_WRAPPED_LEN); /* both have a check value, which is of 32 bytes */
    kw_copy(ret_wrapped, wrapped.bytes, KW_HSM_WRAPPED_LEN);
    return KW_OK;
}

static struct kw_result prove(const struct kw_secret *kek, uint8_t ret_proof[KW_HSM_WRAPPED_LEN],
                              struct kw_error *err)
{
    static const uint8_t canary[] = KW_HSM_CANARY_KEY;
    KW_SCOPED(kw_secret_done) struct kw_secret known = {0};

    KW_TRY(kw_secret_copy(&known, KW_BYTES_OF(canary), err));
    return wrap(kek, &known, ret_proof, err);
}

struct kw_result kw_hsm_carry(const struct kw_private_key *recovery, struct kw_bytes blob,
                              const struct kw_public_key *carrier, struct kw_bytes info,
                              struct kw_hsm_carried *ret_carried, struct kw_error *err)
{
    KW_SCOPED(secrets_done) struct secrets secrets = {.kek = {0}};
    KW_SCOPED(kw_secret_done) struct kw_secret wrapping = {0};
    struct kw_hsm_carried carried = {.ephemeral = {0}};
    struct blob kept;

    KW_TRY(blob_read(blob, &kept, err));
    KW_TRY(blob_open(recovery, &kept, &secrets, err));
    carried.kek = kept.kek;
    carried.mac = kept.mac;
    KW_TRY(kw_ecdh_send(carrier, info, KW_AES256_LEN, carried.ephemeral, &wrapping, err));
    KW_TRY(wrap(&wrapping, &secrets.kek, carried.kek.wrapped, err));
    KW_TRY(wrap(&wrapping, &secrets.mac, carried.mac.wrapped, err));
    KW_TRY(prove(&secrets.kek, carried.kek_proof, err));
    *ret_carried = carried;
    return KW_OK;
}
