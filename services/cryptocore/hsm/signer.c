/* Finding signing keys through libp11. */
#include "services/cryptocore/hsm/signer.h"

#include "services/cryptocore/hsm/objects.h"

#include <string.h>

static PKCS11_KEY *key_find(PKCS11_KEY *keys, unsigned count, const char *label)
{
    for (unsigned i = 0; i < count; i++) {
        if (keys[i].label != NULL && strcmp(keys[i].label, label) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

static struct kw_result key_open(struct kw_hsm_session *session, const char *label,
                                 EVP_PKEY **ret_evp, struct kw_error *err)
{
    PKCS11_KEY *keys = NULL; /* libp11's, until the slot goes */
    PKCS11_KEY *key;
    unsigned count = 0;

    session->fault = KW_HSM_CLASS_SESSION;
    KW_ENSURE(session->module->slot != NULL &&
                  PKCS11_enumerate_keys(session->module->slot->token, &keys, &count) == 0,
              err, HSM_UNAVAILABLE, "libp11 cannot list the signing keys");
    key = key_find(keys, count, label);
    if (key == NULL) {
        session->fault = KW_HSM_CLASS_HANDLE;
        KW_FAIL(err, HSM_KEY_MISSING, "%s", label);
    }
    *ret_evp = PKCS11_get_private_key(key);
    KW_ENSURE(*ret_evp != NULL, err, HSM_UNAVAILABLE, "libp11 gives no key %s", label);
    session->fault = KW_HSM_CLASS_NONE;
    return KW_OK;
}

struct kw_result kw_hsm_signer_key(struct kw_hsm_session *session, enum kw_hsm_signer signer,
                                   struct kw_private_key *ret_key, struct kw_error *err)
{
    EVP_PKEY *evp = NULL;
    struct kw_result result;

    KW_TRY(key_open(session, kw_hsm_signer_label(signer), &evp, err));
    result = kw_private_key_from_evp(ret_key, evp, err);
    EVP_PKEY_free(evp);
    return result;
}

struct kw_result kw_hsm_signer_judge(struct kw_hsm_session *session, struct kw_result result,
                                     struct kw_error *err)
{
    if (result.reason == KW_E_SIGNATURE_INVALID) {
        return kw_hsm_session_distrust(session, "a signature that does not verify", err);
    }
    if (result.reason != KW_E_CRYPTO) {
        return result;
    }
    KW_TRY(kw_hsm_session_probe(session, err));
    session->fault = KW_HSM_CLASS_SESSION;
    KW_FAIL(err, HSM, "the HSM did not sign");
}
