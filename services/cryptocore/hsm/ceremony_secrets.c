/* KEK and MAC key: born extractable as session objects, wrapped once for keeping, then kept by the
 * token for good.
 *
 *     generate (session, extractable) ──▶ KWP under ECDH(recovery key) ──▶ blob
 *                 └─────────▶ copy: token, private, sensitive, not extractable
 */
#include "common/crypto/cmac.h"
#include "common/crypto/digest.h"
#include "common/crypto/ecdh.h"
#include "services/cryptocore/hsm/ceremony_keys.h"
#include "services/cryptocore/hsm/keys.h"
#include "services/cryptocore/hsm/objects.h"
#include "services/cryptocore/hsm/template.h"

#include <string.h>

/* What the blob's keys are wrapped under. */
struct keeper {
    struct kw_hsm_object wrapping;
    struct kw_writer *blob;
};

static void keeper_done(struct keeper *keeper)
{
    kw_hsm_object_done(&keeper->wrapping);
}

/* Agrees a key with the recovery key, puts it into the HSM and writes the head of the blob. */
static struct kw_result keeper_init(struct keeper *keeper, struct kw_hsm_session *session,
                                    struct kw_bytes recovery_spki, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key recovery = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret agreed = {0};
    uint8_t ephemeral[KW_P384_POINT_LEN];
    uint8_t fingerprint[KW_SHA256_LEN];

    KW_TRY(kw_public_key_from_spki(&recovery, recovery_spki, err));
    KW_TRY(kw_sha256(recovery_spki, fingerprint, err));
    KW_TRY(kw_ecdh_send(&recovery, kw_bytes_str(KW_HSM_BLOB_INFO), KW_AES256_LEN, ephemeral,
                        &agreed, err));
    KW_TRY(kw_hsm_key_import(session, &agreed, KW_HSM_USE_WRAP, &keeper->wrapping, err));
    kw_put_raw(keeper->blob, kw_bytes_str(KW_HSM_BLOB_MAGIC));
    kw_put_raw(keeper->blob, KW_BYTES_OF(fingerprint));
    kw_put_raw(keeper->blob, KW_BYTES_OF(ephemeral));
    kw_put_u16(keeper->blob, KW_HSM_BLOB_KEYS);
    return KW_OK;
}

static struct kw_result keep(struct keeper *keeper, struct kw_hsm_session *session,
                             const struct kw_hsm_object *key, const char *label,
                             uint8_t ret_check[KW_HSM_CHECK_LEN], struct kw_error *err)
{
    uint8_t wrapped[KW_HSM_WRAPPED_LEN];

    KW_TRY(kw_hsm_check_value(session, key->handle, ret_check, err));
    KW_TRY(kw_hsm_key_wrap(session, keeper->wrapping.handle, key->handle, wrapped, sizeof(wrapped),
                           err));
    kw_put_str(keeper->blob, label);
    kw_put_raw(keeper->blob, KW_BYTES_OF(wrapped));
    kw_put_raw(keeper->blob, KW_BYTES(ret_check, KW_HSM_CHECK_LEN));
    return KW_OK;
}

struct kw_result kw_hsm_ceremony_settle(struct kw_hsm_session *session,
                                        const struct kw_hsm_object *key, const char *label,
                                        unsigned how, const struct kw_hsm_made *made,
                                        struct kw_error *err)
{
    struct kw_hsm_template changes = {.count = 0};
    struct kw_hsm_object_id id = kw_hsm_object_id(label, made->mark);
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;

    kw_hsm_template_bool(&changes, CKA_TOKEN, true);
    if ((how & KW_HSM_SETTLE_CLOSES) != 0) {
        kw_hsm_template_bool(&changes, CKA_EXTRACTABLE, false);
    }
    kw_hsm_template_bool(&changes, CKA_SIGN, (how & KW_HSM_SETTLE_SIGNS) != 0);
    kw_hsm_template_add(&changes, CKA_LABEL, label, strlen(label));
    kw_hsm_template_add(&changes, CKA_ID, id.bytes, id.len);
    return KW_C(session, CopyObject, key->handle, changes.attributes, changes.count, &handle);
}

static struct kw_result mac_key_make(struct kw_hsm_session *session, struct keeper *keeper,
                                     const struct kw_hsm_made *made,
                                     uint8_t ret_check[KW_HSM_CHECK_LEN], struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};

    KW_TRY(kw_hsm_key_generate(session, KW_HSM_USE_SIGN | KW_HSM_USE_EXTRACTABLE, &key, err));
    KW_TRY(keep(keeper, session, &key, KW_HSM_MAC_LABEL, ret_check, err));
    return kw_hsm_ceremony_settle(session, &key, KW_HSM_MAC_LABEL,
                                  KW_HSM_SETTLE_SIGNS | KW_HSM_SETTLE_CLOSES, made, err);
}

static struct kw_result kek_generate(struct kw_hsm_session *session, struct kw_hsm_object *ret_key,
                                     struct kw_error *err)
{
    static const CK_ULONG len = KW_AES256_LEN;
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};
    struct kw_hsm_template template;
    struct kw_hsm_template unwrapped;
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;

    kw_hsm_template_kek(&template, &unwrapped, KW_HSM_USE_EXTRACTABLE);
    kw_hsm_template_add(&template, CKA_VALUE_LEN, &len, sizeof(len));
    KW_TRY(KW_C(session, GenerateKey, &mechanism, template.attributes, template.count, &handle));
    *ret_key = (struct kw_hsm_object){.session = session, .handle = handle};
    return KW_OK;
}

static struct kw_result kek_make(struct kw_hsm_session *session, struct keeper *keeper,
                                 const struct kw_hsm_made *made,
                                 uint8_t ret_check[KW_HSM_CHECK_LEN], struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
    char label[KW_HSM_LABEL_SIZE];

    KW_TRY(kek_generate(session, &key, err));
    KW_TRY(keep(keeper, session, &key, kw_hsm_kek_label(1, label), ret_check, err));
    return kw_hsm_ceremony_settle(session, &key, label, KW_HSM_SETTLE_CLOSES, made, err);
}

struct kw_result kw_hsm_ceremony_canary(struct kw_hsm_session *session,
                                        const struct kw_hsm_made *made, struct kw_error *err)
{
    static const uint8_t value[] = KW_HSM_CANARY_KEY;
    KW_SCOPED(kw_secret_done) struct kw_secret secret = {0};
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};

    KW_TRY(kw_secret_copy(&secret, KW_BYTES_OF(value), err));
    KW_TRY(
        kw_hsm_key_import(session, &secret, KW_HSM_USE_SIGN | KW_HSM_USE_EXTRACTABLE, &key, err));
    return kw_hsm_ceremony_settle(session, &key, KW_HSM_CANARY_LABEL,
                                  KW_HSM_SETTLE_SIGNS | KW_HSM_SETTLE_CLOSES, made, err);
}

struct kw_result kw_hsm_ceremony_secrets(struct kw_hsm_session *session,
                                         struct kw_bytes recovery_spki,
                                         const struct kw_hsm_made *made,
                                         struct kw_hsm_keys_made *ret_keys, struct kw_error *err)
{
    struct kw_writer blob = KW_WRITER(&ret_keys->blob);
    KW_SCOPED(keeper_done) struct keeper keeper = {.blob = &blob};

    KW_TRY(keeper_init(&keeper, session, recovery_spki, err));
    KW_TRY(kek_make(session, &keeper, made, ret_keys->kek_check, err));
    KW_TRY(mac_key_make(session, &keeper, made, ret_keys->mac_check, err));
    KW_TRY(kw_hsm_ceremony_canary(session, made, err));
    return kw_writer_end(&blob, err);
}
