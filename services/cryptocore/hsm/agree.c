/* C_DeriveKey, once for each kind of provider. */
#include "services/cryptocore/hsm/agree.h"

#include "common/crypto/kdf.h"
#include "services/cryptocore/hsm/template.h"

#define SHARED_LEN 48U /* the x coordinate of a point on P-384 */
#define KEY_LEN    32U

/* As PKCS#11 v2.40 §2.3.3 has it. p11-kit's header has no such struct. */
struct ecdh1_params {
    CK_ULONG kdf;
    CK_ULONG shared_data_len;
    CK_BYTE *shared_data;
    CK_ULONG public_data_len;
    CK_BYTE *public_data;
};

static const CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static const CK_KEY_TYPE generic_type = CKK_GENERIC_SECRET;
static const CK_KEY_TYPE aes_type = CKK_AES;
static const CK_ULONG shared_len = SHARED_LEN;
static const CK_ULONG key_len = KEY_LEN;

static CK_BYTE *mutable(struct kw_bytes bytes)
{
    return (CK_BYTE *)(uintptr_t)bytes.data;
}

static struct kw_result derive(struct kw_hsm_session *session, CK_OBJECT_HANDLE own,
                               struct ecdh1_params *params, struct kw_hsm_template *template,
                               struct kw_hsm_object *ret_key, struct kw_error *err)
{
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, params, sizeof(*params)};
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;

    KW_TRY(
        KW_C(session, DeriveKey, &mechanism, own, template->attributes, template->count, &handle));
    *ret_key = (struct kw_hsm_object){.session = session, .handle = handle};
    return KW_OK;
}

/* --- the shared secret, and our KDF --- */

static struct kw_result shared_derive(struct kw_hsm_session *session, CK_OBJECT_HANDLE own,
                                      struct kw_bytes point, struct kw_hsm_object *ret_shared,
                                      struct kw_error *err)
{
    struct ecdh1_params params = {
        .kdf = CKD_NULL, .public_data_len = point.len, .public_data = mutable(point)};
    struct kw_hsm_template template = {.count = 0};

    kw_hsm_template_add(&template, CKA_CLASS, &secret_class, sizeof(secret_class));
    kw_hsm_template_add(&template, CKA_KEY_TYPE, &generic_type, sizeof(generic_type));
    kw_hsm_template_add(&template, CKA_VALUE_LEN, &shared_len, sizeof(shared_len));
    kw_hsm_template_bool(&template, CKA_TOKEN, false);
    kw_hsm_template_bool(&template, CKA_PRIVATE, true);
    kw_hsm_template_bool(&template, CKA_SENSITIVE, false);
    kw_hsm_template_bool(&template, CKA_EXTRACTABLE, true);
    return derive(session, own, &params, &template, ret_shared, err);
}

static struct kw_result shared_read(struct kw_hsm_session *session, CK_OBJECT_HANDLE shared,
                                    struct kw_secret *ret_shared, struct kw_error *err)
{
    CK_ATTRIBUTE value;

    KW_TRY(kw_secret_init(ret_shared, SHARED_LEN, err));
    value = (CK_ATTRIBUTE)KW_CK_BYTES(CKA_VALUE, ret_shared->slot, SHARED_LEN);
    KW_TRY(KW_C(session, GetAttributeValue, shared, &value, 1));
    KW_ENSURE(value.ulValueLen == SHARED_LEN, err, HSM, "a shared secret of %lu bytes",
              value.ulValueLen);
    return KW_OK;
}

static struct kw_result agree_raw(struct kw_hsm_session *session, CK_OBJECT_HANDLE own,
                                  struct kw_bytes point, struct kw_bytes info,
                                  struct kw_hsm_object *ret_key, struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object object = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret shared = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};

    KW_TRY(shared_derive(session, own, point, &object, err));
    KW_TRY(shared_read(session, object.handle, &shared, err));
    KW_TRY(kw_kdf_x963_sha384(&shared, info, KEY_LEN, &key, err));
    return kw_hsm_key_import(session, &key, KW_HSM_USE_UNWRAP, ret_key, err);
}

/* --- all of it in the HSM --- */

static struct kw_result agree_whole(struct kw_hsm_session *session, CK_OBJECT_HANDLE own,
                                    struct kw_bytes point, struct kw_bytes info,
                                    struct kw_hsm_object *ret_key, struct kw_error *err)
{
    struct ecdh1_params params = {.kdf = CKD_SHA384_KDF,
                                  .shared_data_len = info.len,
                                  .shared_data = mutable(info),
                                  .public_data_len = point.len,
                                  .public_data = mutable(point)};
    struct kw_hsm_template template;

    kw_hsm_template_secret(&template, KW_HSM_USE_UNWRAP);
    kw_hsm_template_add(&template, CKA_CLASS, &secret_class, sizeof(secret_class));
    kw_hsm_template_add(&template, CKA_KEY_TYPE, &aes_type, sizeof(aes_type));
    kw_hsm_template_add(&template, CKA_VALUE_LEN, &key_len, sizeof(key_len));
    return derive(session, own, &params, &template, ret_key, err);
}

struct kw_result kw_hsm_agree(struct kw_hsm_session *session, CK_OBJECT_HANDLE own,
                              struct kw_bytes point, struct kw_bytes info,
                              struct kw_hsm_object *ret_key, struct kw_error *err)
{
    return session->module->provider->ecdh == KW_HSM_ECDH_RAW
               ? agree_raw(session, own, point, info, ret_key, err)
               : agree_whole(session, own, point, info, ret_key, err);
}
