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

struct kw_result kw_hsm_signer_key(const struct kw_hsm_module *module, enum kw_hsm_signer signer,
                                   struct kw_private_key *ret_key, struct kw_error *err)
{
    const char *label = kw_hsm_signer_label(signer);
    PKCS11_KEY *keys = NULL; /* libp11's, until the slot goes */
    PKCS11_KEY *key;
    unsigned count = 0;
    struct kw_result result;
    EVP_PKEY *evp;

    KW_ENSURE(PKCS11_enumerate_keys(module->slot->token, &keys, &count) == 0, err, HSM_UNAVAILABLE,
              "libp11 cannot list the signing keys");
    key = key_find(keys, count, label);
    KW_ENSURE(key != NULL, err, HSM_KEY_MISSING, "%s", label);
    evp = PKCS11_get_private_key(key);
    KW_ENSURE(evp != NULL, err, HSM_UNAVAILABLE, "libp11 gives no key %s", label);
    result = kw_private_key_from_evp(ret_key, evp, err);
    EVP_PKEY_free(evp);
    return result;
}

struct kw_result kw_hsm_signer_judge(struct kw_hsm_session *session, struct kw_result result,
                                     struct kw_error *err)
{
    if (result.reason != KW_E_CRYPTO) {
        return result;
    }
    KW_TRY(kw_hsm_session_probe(session, err));
    session->fault = KW_HSM_CLASS_DEVICE;
    KW_FAIL(err, HSM, "the HSM did not sign");
}
