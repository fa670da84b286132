/* Opening a session, finding the keys through it, and doing both again after a loss. */
#include "services/cryptocore/hsm/session.h"

#include "services/cryptocore/hsm/keys.h"
#include "services/cryptocore/hsm/login.h"
#include "services/cryptocore/hsm/objects.h"

/* CMAC by KW_HSM_CANARY_KEY over nothing: tests/vectors/keyward-kat.json, aes_cmac[0]. */
static const uint8_t canary_answer[KW_HSM_MAC_LEN] = {
    0xe0, 0x14, 0x56, 0x67, 0xe7, 0x55, 0xf7, 0xa7, 0x2e, 0xb3, 0x15, 0x33, 0x2c, 0x62, 0x6d, 0x2b};

struct kw_result kw_hsm_session_result(struct kw_hsm_session *session,
                                       enum kw_hsm_function function, CK_RV rv,
                                       struct kw_error *err)
{
    session->calls[function]++;
    if (rv == CKR_OK) {
        return KW_OK;
    }
    session->fault = kw_hsm_class_of(rv);
    session->fault_rv = rv;
    return kw_error_make(err, kw_hsm_class_reason(session->fault), __FILE__, __LINE__,
                         "%s: %s 0x%lx", kw_hsm_function_name(function), kw_hsm_rv_name(rv), rv);
}

struct kw_result kw_hsm_session_distrust(struct kw_hsm_session *session, const char *what,
                                         struct kw_error *err)
{
    session->fault = KW_HSM_CLASS_DEVICE;
    KW_FAIL(err, HSM_SELF_TEST, "the HSM answers wrongly: %s", what);
}

static struct kw_result connect_token(struct kw_hsm_session *session, struct kw_error *err)
{
    CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;
    CK_RV rv;

    KW_ENSURE(session->module->slot != NULL, err, HSM_UNAVAILABLE, "the token is gone");
    rv = session->module->functions->C_OpenSession(kw_hsm_module_slot(session->module),
                                                   session->flags, NULL, NULL, &handle);
    KW_TRY(kw_hsm_session_result(session, KW_C_OpenSession, rv, err));
    session->handle = handle;
    return kw_hsm_login(session, err);
}

static void disconnect_token(struct kw_hsm_session *session)
{
    if (session->handle != CK_INVALID_HANDLE) {
        CK_RV rv = session->module->functions->C_CloseSession(session->handle);

        KW_IGNORE(kw_hsm_session_result(session, KW_C_CloseSession, rv, NULL));
    }
    session->handle = CK_INVALID_HANDLE;
    session->kek_count = 0;
    session->mac_key = CK_INVALID_HANDLE;
    session->canary = CK_INVALID_HANDLE;
    session->whole = false;
    session->littered = false;
}

struct kw_result kw_hsm_session_open(struct kw_hsm_session *session, struct kw_hsm_module *module,
                                     enum kw_hsm_access access, struct kw_error *err)
{
    struct kw_result result;

    *session = (struct kw_hsm_session){
        .module = module,
        .flags = CKF_SERIAL_SESSION | (access == KW_HSM_READ_WRITE ? CKF_RW_SESSION : 0),
    };
    result = connect_token(session, err);
    if (!kw_ok(result)) {
        kw_hsm_session_close(session);
    }
    return result;
}

void kw_hsm_session_close(struct kw_hsm_session *session)
{
    if (session == NULL || session->module == NULL) {
        return;
    }
    disconnect_token(session);
    kw_buf_done(&session->scratch);
    session->module = NULL;
}

/* A copy with the same attributes, unwrap template included; it goes with the session. */
static struct kw_result session_copy(struct kw_hsm_session *session, CK_OBJECT_HANDLE *handle,
                                     struct kw_error *err)
{
    const CK_BBOOL token = CK_FALSE;
    CK_ATTRIBUTE changes[] = {KW_CK_VALUE(CKA_TOKEN, token)};

    if (!session->module->provider->token_keys_on_disk) {
        return KW_OK;
    }
    return KW_C(session, CopyObject, *handle, changes, KW_CK_COUNT(changes), handle);
}

static struct kw_result kek_load(struct kw_hsm_session *session, uint32_t version,
                                 struct kw_error *err)
{
    char label[KW_HSM_LABEL_SIZE];
    CK_OBJECT_HANDLE handle;

    KW_TRY(kw_hsm_object_find(session, CKO_SECRET_KEY, kw_hsm_kek_label(version, label), &handle,
                              err));
    if (handle == CK_INVALID_HANDLE) {
        return KW_OK;
    }
    KW_TRY(session_copy(session, &handle, err));
    session->keks[session->kek_count++] = (struct kw_hsm_kek){version, handle};
    return KW_OK;
}

static struct kw_result canary_load(struct kw_hsm_session *session, struct kw_error *err)
{
    KW_TRY(kw_hsm_object_find(session, CKO_SECRET_KEY, KW_HSM_CANARY_LABEL, &session->canary, err));
    if (session->canary == CK_INVALID_HANDLE) {
        session->fault = KW_HSM_CLASS_DEVICE;
        KW_FAIL(err, HSM_KEY_MISSING, "the token has no canary: wiped, or another one");
    }
    return kw_hsm_session_probe(session, err);
}

struct kw_result kw_hsm_session_keys(struct kw_hsm_session *session, struct kw_error *err)
{
    session->whole = false;
    KW_TRY(canary_load(session, err));
    KW_TRY(kw_hsm_object_find(session, CKO_SECRET_KEY, KW_HSM_MAC_LABEL, &session->mac_key, err));
    KW_ENSURE(session->mac_key != CK_INVALID_HANDLE, err, HSM_KEY_MISSING, "%s", KW_HSM_MAC_LABEL);
    KW_TRY(session_copy(session, &session->mac_key, err));
    session->kek_count = 0;
    for (uint32_t version = 1; version <= KW_HSM_KEK_VERSIONS_MAX; version++) {
        KW_TRY(kek_load(session, version, err));
    }
    KW_ENSURE(session->kek_count > 0, err, HSM_KEY_MISSING, "no version of the KEK");
    session->whole = true;
    return KW_OK;
}

static struct kw_result token_renew(struct kw_hsm_session *session, struct kw_error *err)
{
    struct kw_result result = kw_hsm_module_renew(session->module, err);

    if (!kw_ok(result)) {
        session->fault = KW_HSM_CLASS_DEVICE;
    }
    return result;
}

struct kw_result kw_hsm_session_reconnect(struct kw_hsm_session *session, struct kw_error *err)
{
    disconnect_token(session);
    session->fault = KW_HSM_CLASS_NONE;
    KW_TRY(token_renew(session, err));
    return connect_token(session, err);
}

struct kw_result kw_hsm_session_recover(struct kw_hsm_session *session, struct kw_error *err)
{
    struct kw_result result;

    KW_TRY(kw_hsm_session_reconnect(session, err));
    result = kw_hsm_session_keys(session, err);
    if (result.reason == KW_E_HSM_KEY_MISSING && session->canary == CK_INVALID_HANDLE) {
        KW_FAIL(err, HSM_UNAVAILABLE, "the canary is gone from under a running worker");
    }
    return result;
}

struct kw_result kw_hsm_session_kek(const struct kw_hsm_session *session, uint32_t version,
                                    CK_OBJECT_HANDLE *ret_kek, struct kw_error *err)
{
    for (size_t i = 0; i < session->kek_count; i++) {
        if (session->keks[i].version == version) {
            *ret_kek = session->keks[i].handle;
            return KW_OK;
        }
    }
    KW_FAIL(err, HSM_KEY_MISSING, "KEK version %u", version);
}

/* A lost session, or a handle that no longer holds, says nothing about the HSM and is repaired
 * elsewhere; everything else does. */
struct kw_result kw_hsm_session_probe(struct kw_hsm_session *session, struct kw_error *err)
{
    uint8_t mac[KW_HSM_MAC_LEN];
    struct kw_result result = kw_hsm_cmac(session, session->canary, NULL, 0, mac, err);

    if (kw_ok(result)) {
        return kw_bytes_equal(KW_BYTES_OF(mac), KW_BYTES_OF(canary_answer))
                   ? KW_OK
                   : kw_hsm_session_distrust(session, "the canary", err);
    }
    if (session->fault == KW_HSM_CLASS_SESSION || session->fault == KW_HSM_CLASS_HANDLE) {
        return result;
    }
    session->fault = KW_HSM_CLASS_DEVICE;
    KW_FAIL(err, HSM_UNAVAILABLE, "the canary does not answer");
}
