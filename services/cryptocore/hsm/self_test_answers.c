/* Known-answer tests in the HSM, with the values of tests/vectors/keyward-kat.json. */
#include "common/crypto/kdf.h"
#include "services/cryptocore/hsm/keys.h"
#include "services/cryptocore/hsm/objects.h"
#include "services/cryptocore/hsm/self_test_parts.h"

/* aes_kwp_rfc5649; the key wrapped is the canary's. */
static const uint8_t kek_value[] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};
static const uint8_t key_value[] = KW_HSM_CANARY_KEY;
static const uint8_t wrapped_answer[KW_HSM_WRAPPED_LEN] = {
    0x38, 0xe2, 0x80, 0x15, 0x5c, 0xcf, 0x3f, 0x09, 0x39, 0x7e, 0x0b, 0x9f, 0x61, 0x0a,
    0x43, 0xc9, 0x11, 0x83, 0x33, 0x4b, 0xc5, 0xeb, 0x52, 0x0a, 0x01, 0xff, 0x13, 0x77,
    0xbf, 0x9f, 0x95, 0xf3, 0xe2, 0x0c, 0xb0, 0x9f, 0x4f, 0x3d, 0x59, 0xcd};

/* sp800_108_counter_cmac_partner_key: first block, for partner 00…0f, epoch 1, suite 1. */
static const uint8_t kdf_answer[KW_HSM_MAC_LEN] = {0xba, 0x1f, 0x2c, 0x3f, 0xd2, 0xac, 0x4f, 0x2b,
                                                   0xa4, 0x11, 0xf2, 0x08, 0x29, 0x96, 0x9b, 0xa8};

static struct kw_result known_import(struct kw_hsm_session *session, const uint8_t *value,
                                     size_t len, unsigned uses, struct kw_hsm_object *ret_key,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_secret_done) struct kw_secret secret = {0};

    KW_TRY(kw_secret_copy(&secret, KW_BYTES(value, len), err));
    return kw_hsm_key_import(session, &secret, uses, ret_key, err);
}

/* One block of the KDF, which also is the known answer of the CMAC. */
static struct kw_result kdf_test(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                 struct kw_error *err)
{
    static const struct kw_id partner = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
    uint8_t context[KW_PARTNER_KEY_CONTEXT_LEN];
    struct kw_kdf_input input = {.label = KW_KDF_LABEL_PARTNER_KEY,
                                 .context = KW_BYTES_OF(context),
                                 .bits = 8 * KW_PARTNER_KEY_LEN};
    struct kw_kdf_block block;
    struct kw_bytes part;
    uint8_t mac[KW_HSM_MAC_LEN];

    kw_kdf_partner_key_context(partner, 1, 1, context);
    KW_TRY(kw_kdf_block_input(&input, 1, &block, err));
    part = KW_BYTES(block.bytes, block.len);
    KW_TRY(kw_hsm_cmac(session, key, &part, 1, mac, err));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(mac), KW_BYTES_OF(kdf_answer)), err, HSM_SELF_TEST,
              "known answer of the KDF");
    return KW_OK;
}

struct kw_result kw_hsm_self_test_answers(struct kw_hsm_session *session, struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object kek = {0};
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object back = {0};
    uint8_t wrapped[KW_HSM_WRAPPED_LEN];

    KW_TRY(known_import(session, kek_value, sizeof(kek_value), KW_HSM_USE_WRAP | KW_HSM_USE_UNWRAP,
                        &kek, err));
    KW_TRY(known_import(session, key_value, sizeof(key_value), KW_HSM_USE_EXTRACTABLE, &key, err));
    KW_TRY(kw_hsm_key_wrap(session, kek.handle, key.handle, wrapped, sizeof(wrapped), err));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(wrapped), KW_BYTES_OF(wrapped_answer)), err, HSM_SELF_TEST,
              "known answer of the key wrap");
    KW_TRY(
        kw_hsm_key_unwrap(session, kek.handle, KW_BYTES_OF(wrapped), KW_HSM_USE_SIGN, &back, err));
    return kdf_test(session, back.handle, err);
}
