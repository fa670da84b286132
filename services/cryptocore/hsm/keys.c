/* The primitives: generate, import, wrap, unwrap, MAC. */
#include "services/cryptocore/hsm/keys.h"

#include "services/cryptocore/hsm/template.h"

#define AES_KEY_LEN   32
#define AES_BLOCK_LEN 16

static const CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static const CK_KEY_TYPE aes_type = CKK_AES;
static const CK_KEY_TYPE generic_type = CKK_GENERIC_SECRET;
static const CK_ULONG aes_key_len = AES_KEY_LEN;

void kw_hsm_object_done(struct kw_hsm_object *object)
{
    struct kw_hsm_session *session;
    CK_RV rv;

    if (object == NULL || object->session == NULL) {
        return;
    }
    session = object->session;
    rv = session->module->functions->C_DestroyObject(session->handle, object->handle);
    if (!kw_ok(kw_hsm_session_result(session, KW_C_DestroyObject, rv, NULL))) {
        session->littered = true;
    }
    *object = (struct kw_hsm_object){0};
}

/* Takes over what a call has made. An HSM that ran out of something may have made it all the same:
 * then its handle is unknown, and only the session's end removes it. */
static struct kw_result take(struct kw_hsm_session *session, struct kw_result result,
                             CK_OBJECT_HANDLE handle, struct kw_hsm_object *ret_key)
{
    if (!kw_ok(result)) {
        session->littered |= session->fault == KW_HSM_CLASS_LOAD;
        return result;
    }
    *ret_key = (struct kw_hsm_object){.session = session, .handle = handle};
    return KW_OK;
}

struct kw_result kw_hsm_key_generate(struct kw_hsm_session *session, unsigned uses,
                                     struct kw_hsm_object *ret_key, struct kw_error *err)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};
    struct kw_hsm_template template;
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    struct kw_result result;

    kw_hsm_template_secret(&template, uses);
    kw_hsm_template_add(&template, CKA_VALUE_LEN, &aes_key_len, sizeof(aes_key_len));
    result = KW_C(session, GenerateKey, &mechanism, template.attributes, template.count, &handle);
    return take(session, result, handle, ret_key);
}

struct kw_result kw_hsm_key_import(struct kw_hsm_session *session, const struct kw_secret *value,
                                   unsigned uses, struct kw_hsm_object *ret_key,
                                   struct kw_error *err)
{
    const CK_KEY_TYPE *type = value->len == AES_KEY_LEN ? &aes_type : &generic_type;
    struct kw_bytes bytes = kw_secret_bytes(value);
    struct kw_hsm_template template;
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    struct kw_result result;

    kw_hsm_template_secret(&template, uses);
    kw_hsm_template_add(&template, CKA_CLASS, &secret_class, sizeof(secret_class));
    kw_hsm_template_add(&template, CKA_KEY_TYPE, type, sizeof(*type));
    kw_hsm_template_add(&template, CKA_VALUE, bytes.data, bytes.len);
    result = KW_C(session, CreateObject, template.attributes, template.count, &handle);
    return take(session, result, handle, ret_key);
}

struct kw_result kw_hsm_key_wrap(struct kw_hsm_session *session, CK_OBJECT_HANDLE wrapping,
                                 CK_OBJECT_HANDLE key, uint8_t *ret_wrapped, size_t len,
                                 struct kw_error *err)
{
    CK_MECHANISM mechanism = {.mechanism = session->module->provider->kwp};
    CK_ULONG got = len;

    KW_TRY(KW_C(session, WrapKey, &mechanism, wrapping, key, ret_wrapped, &got));
    KW_ENSURE(got == len, err, HSM, "wrapped key of %lu bytes, not %zu", got, len);
    return KW_OK;
}

/* Does it say that the blob is wrong? */
static bool blames_blob(const struct kw_hsm_session *session)
{
    switch (session->fault_rv) {
    case CKR_WRAPPED_KEY_INVALID:
    case CKR_WRAPPED_KEY_LEN_RANGE:
    case CKR_ENCRYPTED_DATA_INVALID:
    case CKR_ENCRYPTED_DATA_LEN_RANGE:
        return true;
    case CKR_GENERAL_ERROR:
        return session->module->provider->tamper_is_general;
    default:
        return false;
    }
}

/* A refused blob and a broken HSM can look the same. The canary tells them apart. */
static struct kw_result unwrap_refused(struct kw_hsm_session *session, struct kw_result refusal,
                                       struct kw_error *err)
{
    if (!blames_blob(session)) {
        return refusal;
    }
    KW_TRY(kw_hsm_session_probe(session, err));
    session->fault = KW_HSM_CLASS_NONE;
    KW_FAIL(err, BINDING_INVALID, "the HSM does not unwrap this key");
}

struct kw_result kw_hsm_key_unwrap_as(struct kw_hsm_session *session, CK_OBJECT_HANDLE wrapping,
                                      struct kw_bytes wrapped, struct kw_hsm_template *template,
                                      struct kw_hsm_object *ret_key, struct kw_error *err)
{
    CK_MECHANISM mechanism = {.mechanism = session->module->provider->kwp};
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    struct kw_result result;

    kw_hsm_template_add(template, CKA_CLASS, &secret_class, sizeof(secret_class));
    kw_hsm_template_add(template, CKA_KEY_TYPE, &aes_type, sizeof(aes_type));
    result = KW_C(session, UnwrapKey, &mechanism, wrapping, (CK_BYTE *)(uintptr_t)wrapped.data,
                  wrapped.len, template->attributes, template->count, &handle);
    result = take(session, result, handle, ret_key);
    return kw_ok(result) ? result : unwrap_refused(session, result, err);
}

struct kw_result kw_hsm_key_unwrap(struct kw_hsm_session *session, CK_OBJECT_HANDLE wrapping,
                                   struct kw_bytes wrapped, unsigned uses,
                                   struct kw_hsm_object *ret_key, struct kw_error *err)
{
    struct kw_hsm_template template;

    kw_hsm_template_secret(&template, uses);
    return kw_hsm_key_unwrap_as(session, wrapping, wrapped, &template, ret_key, err);
}

/* One piece for C_Sign: a call less than feeding it part by part, and calls are what an HSM's time
 * goes into. */
static struct kw_result joined(struct kw_hsm_session *session, const struct kw_bytes *parts,
                               size_t count, struct kw_bytes *ret_input, struct kw_error *err)
{
    session->scratch.len = 0;
    KW_TRY(kw_buf_reserve(&session->scratch, 1, err)); /* modules refuse NULL even for no bytes */
    for (size_t i = 0; i < count; i++) {
        KW_TRY(kw_buf_append(&session->scratch, parts[i], err));
    }
    KW_ENSURE(session->scratch.len <= session->module->provider->blob_len_max, err,
              ARGUMENT_INVALID, "%zu bytes for one MAC", session->scratch.len);
    *ret_input = kw_buf_bytes(&session->scratch);
    return KW_OK;
}

struct kw_result kw_hsm_cmac(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                             const struct kw_bytes *parts, size_t count,
                             uint8_t ret_mac[KW_HSM_MAC_LEN], struct kw_error *err)
{
    CK_MECHANISM mechanism = {.mechanism = session->module->provider->cmac};
    CK_ULONG len = KW_HSM_MAC_LEN;
    struct kw_bytes input;

    KW_TRY(joined(session, parts, count, &input, err));
    KW_TRY(KW_C(session, SignInit, &mechanism, key));
    KW_TRY(KW_C(session, Sign, (CK_BYTE *)(uintptr_t)input.data, input.len, ret_mac, &len));
    KW_ENSURE(len == KW_HSM_MAC_LEN, err, HSM, "MAC of %lu bytes", len);
    return KW_OK;
}

/* True when the HSM, asked again, says the same; false is its contradiction of itself. */
static struct kw_result repeats(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                const struct kw_bytes *parts, size_t count,
                                const uint8_t mac[KW_HSM_MAC_LEN], bool *ret_same,
                                struct kw_error *err)
{
    uint8_t again[KW_HSM_MAC_LEN];

    KW_TRY(kw_hsm_cmac(session, key, parts, count, again, err));
    *ret_same = kw_bytes_equal_ct(KW_BYTES_OF(again), KW_BYTES(mac, KW_HSM_MAC_LEN));
    return KW_OK;
}

struct kw_result kw_hsm_cmac_sure(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                  const struct kw_bytes *parts, size_t count,
                                  uint8_t ret_mac[KW_HSM_MAC_LEN], struct kw_error *err)
{
    bool same = false;

    KW_TRY(kw_hsm_cmac(session, key, parts, count, ret_mac, err));
    KW_TRY(repeats(session, key, parts, count, ret_mac, &same, err));
    return same ? KW_OK : kw_hsm_session_distrust(session, "two MACs of one message", err);
}

struct kw_result kw_hsm_cmac_check(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                   const struct kw_bytes *parts, size_t count,
                                   const uint8_t mac[KW_HSM_MAC_LEN], bool *ret_right,
                                   struct kw_error *err)
{
    uint8_t own[KW_HSM_MAC_LEN];
    bool same = false;

    KW_TRY(kw_hsm_cmac(session, key, parts, count, own, err));
    *ret_right = kw_bytes_equal_ct(KW_BYTES_OF(own), KW_BYTES(mac, KW_HSM_MAC_LEN));
    if (*ret_right) {
        return KW_OK;
    }
    KW_TRY(repeats(session, key, parts, count, own, &same, err));
    if (!same) {
        return kw_hsm_session_distrust(session, "two MACs of one message", err);
    }
    return kw_hsm_session_probe(session, err);
}

struct kw_result kw_hsm_check_value(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                    uint8_t ret_check[KW_HSM_CHECK_LEN], struct kw_error *err)
{
    static const uint8_t zero[AES_BLOCK_LEN];
    struct kw_bytes part = KW_BYTES_OF(zero);
    uint8_t mac[KW_HSM_MAC_LEN];

    KW_TRY(kw_hsm_cmac(session, key, &part, 1, mac, err));
    kw_copy(ret_check, mac, KW_HSM_CHECK_LEN);
    kw_wipe(mac, sizeof(mac));
    return KW_OK;
}
