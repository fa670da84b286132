/* C_InitToken and C_InitPIN on the module's own function list. */
#include "services/cryptocore/hsm/fresh_token.h"

#include "common/base/secret.h"
#include "services/cryptocore/hsm/pkcs11.h"

#include <dlfcn.h>

#define LABEL_LEN 32U /* padded with blanks, PKCS#11 v2.40 §5.5 */
#define SLOTS_MAX 64U

struct fresh {
    void *library;
    CK_FUNCTION_LIST *functions;
    bool initialised;
};

static void fresh_done(struct fresh *fresh)
{
    if (fresh->initialised) {
        (void)fresh->functions->C_Finalize(NULL);
    }
    if (fresh->library != NULL) {
        (void)dlclose(fresh->library);
    }
}

static struct kw_result check(CK_RV rv, const char *function, struct kw_error *err)
{
    KW_ENSURE(rv == CKR_OK, err, HSM, "%s: 0x%lx", function, rv);
    return KW_OK;
}

static struct kw_result module_load(struct fresh *fresh, const char *path, struct kw_error *err)
{
    CK_RV (*list)(CK_FUNCTION_LIST **) = NULL;
    void *symbol;

    fresh->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    KW_ENSURE(fresh->library != NULL, err, CONFIG_INVALID, "PKCS#11 module %s cannot be loaded",
              path);
    symbol = dlsym(fresh->library, "C_GetFunctionList");
    KW_ENSURE(symbol != NULL, err, CONFIG_INVALID, "%s is no PKCS#11 module", path);
    memcpy(&list, &symbol, sizeof(list)); /* ISO C has no cast from object to function pointer */
    KW_TRY(check(list(&fresh->functions), "C_GetFunctionList", err));
    KW_TRY(check(fresh->functions->C_Initialize(NULL), "C_Initialize", err));
    fresh->initialised = true;
    return KW_OK;
}

/* What a slot holds. The greater, the more it is what we look for. */
enum slot_state {
    SLOT_OTHER,
    SLOT_FREE,
    SLOT_BEGUN, /* our label, no user PIN: an attempt failed between C_InitToken and C_InitPIN */
    SLOT_DONE,  /* our label and a user PIN: it may hold keys */
};

static enum slot_state state_of(const struct fresh *fresh, CK_SLOT_ID slot,
                                const unsigned char label[LABEL_LEN])
{
    CK_TOKEN_INFO info;

    if (fresh->functions->C_GetTokenInfo(slot, &info) != CKR_OK) {
        return SLOT_OTHER;
    }
    if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) {
        return SLOT_FREE;
    }
    if (!kw_bytes_equal(KW_BYTES_OF(info.label), KW_BYTES(label, LABEL_LEN))) {
        return SLOT_OTHER;
    }
    return (info.flags & CKF_USER_PIN_INITIALIZED) != 0 ? SLOT_DONE : SLOT_BEGUN;
}

static struct kw_result slot_find(const struct fresh *fresh, const unsigned char label[LABEL_LEN],
                                  CK_SLOT_ID *ret_slot, enum slot_state *ret_state,
                                  struct kw_error *err)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;

    *ret_state = SLOT_OTHER;
    KW_TRY(check(fresh->functions->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList", err));
    for (CK_ULONG i = 0; i < count; i++) {
        enum slot_state state = state_of(fresh, slots[i], label);

        if (state > *ret_state) {
            *ret_state = state;
            *ret_slot = slots[i];
        }
    }
    KW_ENSURE(*ret_state != SLOT_OTHER, err, HSM_UNAVAILABLE, "the module has no free slot");
    return KW_OK;
}

static struct kw_result user_pin_set(const struct fresh *fresh, CK_SLOT_ID slot,
                                     const struct kw_secret *so_pin, const struct kw_secret *pin,
                                     struct kw_error *err)
{
    CK_SESSION_HANDLE session;

    KW_TRY(check(fresh->functions->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                                 NULL, &session),
                 "C_OpenSession", err));
    KW_TRY(check(fresh->functions->C_Login(session, CKU_SO, so_pin->slot, so_pin->len), "C_Login",
                 err));
    return check(fresh->functions->C_InitPIN(session, pin->slot, pin->len), "C_InitPIN", err);
}

struct kw_result kw_hsm_fresh_token(const char *module_path, const char *label,
                                    const char *so_pin_path, const char *pin_path,
                                    struct kw_error *err)
{
    KW_SCOPED(fresh_done) struct fresh fresh = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret so_pin = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret pin = {0};
    unsigned char padded[LABEL_LEN];
    enum slot_state state = SLOT_OTHER;
    CK_SLOT_ID slot = 0;

    KW_ENSURE(strlen(label) <= LABEL_LEN, err, CONFIG_INVALID, "token label is over %u bytes",
              LABEL_LEN);
    memset(padded, ' ', sizeof(padded));
    kw_copy(padded, label, strlen(label));
    KW_TRY(kw_secret_from_file(&so_pin, so_pin_path, err));
    KW_TRY(kw_secret_from_file(&pin, pin_path, err));
    KW_TRY(module_load(&fresh, module_path, err));
    KW_TRY(slot_find(&fresh, padded, &slot, &state, err));
    if (state == SLOT_DONE) {
        return KW_OK;
    }
    KW_TRY(check(fresh.functions->C_InitToken(slot, so_pin.slot, so_pin.len, padded), "C_InitToken",
                 err));
    return user_pin_set(&fresh, slot, &so_pin, &pin, err);
}
