/* The table of PKCS#11 return values: whose trouble each is, and so what helps. */
#include "services/cryptocore/hsm/errors.h"

#define ROW(code, class)                                                                           \
    {                                                                                              \
        code, #code, KW_HSM_CLASS_##class                                                          \
    }

static const struct {
    CK_RV code;
    const char *name;
    enum kw_hsm_class class;
} rows[] = {
    ROW(CKR_SESSION_HANDLE_INVALID, SESSION),
    ROW(CKR_SESSION_CLOSED, SESSION),
    ROW(CKR_USER_NOT_LOGGED_IN, SESSION),
    ROW(CKR_OPERATION_ACTIVE, SESSION),
    ROW(CKR_OPERATION_NOT_INITIALIZED, SESSION),
    ROW(CKR_OBJECT_HANDLE_INVALID, HANDLE),
    ROW(CKR_KEY_HANDLE_INVALID, HANDLE),
    ROW(CKR_WRAPPING_KEY_HANDLE_INVALID, HANDLE),
    ROW(CKR_UNWRAPPING_KEY_HANDLE_INVALID, HANDLE),
    ROW(CKR_DEVICE_ERROR, DEVICE),
    ROW(CKR_DEVICE_REMOVED, DEVICE),
    ROW(CKR_TOKEN_NOT_PRESENT, DEVICE),
    ROW(CKR_TOKEN_NOT_RECOGNIZED, DEVICE),
    ROW(CKR_GENERAL_ERROR, DEVICE),
    ROW(CKR_FUNCTION_FAILED, DEVICE),
    ROW(CKR_CRYPTOKI_NOT_INITIALIZED, DEVICE),
    /* No PIN was looked at. SoftHSM says so of a token that another process is just writing. */
    ROW(CKR_USER_PIN_NOT_INITIALIZED, DEVICE),
    ROW(CKR_DEVICE_MEMORY, LOAD),
    ROW(CKR_SESSION_COUNT, LOAD),
    ROW(CKR_HOST_MEMORY, LOAD),
    ROW(CKR_PIN_INCORRECT, LOGIN),
    ROW(CKR_PIN_LOCKED, LOGIN),
    ROW(CKR_PIN_INVALID, LOGIN),
    ROW(CKR_PIN_LEN_RANGE, LOGIN),
    ROW(CKR_PIN_EXPIRED, LOGIN),
    ROW(CKR_ENCRYPTED_DATA_INVALID, DATA),
    ROW(CKR_ENCRYPTED_DATA_LEN_RANGE, DATA),
    ROW(CKR_MECHANISM_INVALID, DATA),
    ROW(CKR_MECHANISM_PARAM_INVALID, DATA),
    ROW(CKR_SIGNATURE_INVALID, DATA),
    ROW(CKR_WRAPPED_KEY_INVALID, DATA),
    ROW(CKR_WRAPPED_KEY_LEN_RANGE, DATA),
    ROW(CKR_TEMPLATE_INCONSISTENT, DATA),
    ROW(CKR_KEY_UNEXTRACTABLE, DATA),
    ROW(CKR_KEY_FUNCTION_NOT_PERMITTED, DATA),
};

static const enum kw_reason reasons[] = {
    [KW_HSM_CLASS_NONE] = KW_E_NONE,
    [KW_HSM_CLASS_SESSION] = KW_E_HSM_UNAVAILABLE,
    [KW_HSM_CLASS_HANDLE] = KW_E_HSM_KEY_MISSING,
    [KW_HSM_CLASS_DEVICE] = KW_E_HSM_UNAVAILABLE,
    [KW_HSM_CLASS_LOAD] = KW_E_HSM_BUSY,
    [KW_HSM_CLASS_LOGIN] = KW_E_HSM_LOGIN_REFUSED,
    [KW_HSM_CLASS_DATA] = KW_E_HSM,
};

enum kw_hsm_class kw_hsm_class_of(CK_RV rv)
{
    if (rv == CKR_OK) {
        return KW_HSM_CLASS_NONE;
    }
    for (size_t i = 0; i < KW_CK_COUNT(rows); i++) {
        if (rows[i].code == rv) {
            return rows[i].class;
        }
    }
    return KW_HSM_CLASS_DATA;
}

enum kw_reason kw_hsm_class_reason(enum kw_hsm_class class)
{
    return reasons[class];
}

const char *kw_hsm_rv_name(CK_RV rv)
{
    for (size_t i = 0; i < KW_CK_COUNT(rows); i++) {
        if (rows[i].code == rv) {
            return rows[i].name;
        }
    }
    return "CKR";
}
