/* Signing keys: made on the token, never anywhere else. The carrier signs once, to prove that it is there, and agrees
 * once. */
#include "services/cryptocore/hsm/ceremony_keys.h"
#include "services/cryptocore/hsm/objects.h"
#include "services/cryptocore/hsm/template.h"

#include <string.h>

/* The object identifier of secp384r1 (1.3.132.0.34), DER. */
static const uint8_t p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

static void named(struct kw_hsm_template *template, const char *label,
                  const struct kw_hsm_object_id *id)
{
    kw_hsm_template_bool(template, CKA_TOKEN, true);
    kw_hsm_template_add(template, CKA_LABEL, label, strlen(label));
    kw_hsm_template_add(template, CKA_ID, id->bytes, id->len);
}

struct kw_result kw_hsm_ceremony_signer(struct kw_hsm_session *session, enum kw_hsm_signer signer,
                                        const struct kw_hsm_made *made, struct kw_error *err)
{
    const char *label = kw_hsm_signer_label(signer);
    struct kw_hsm_object_id id = kw_hsm_object_id(label, made->mark);
    CK_MECHANISM mechanism = {.mechanism = CKM_EC_KEY_PAIR_GEN};
    struct kw_hsm_template public = {.count = 0};
    struct kw_hsm_template private = {.count = 0};
    CK_OBJECT_HANDLE public_handle = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE private_handle = CK_INVALID_HANDLE;

    named(&public, label, &id);
    kw_hsm_template_add(&public, CKA_EC_PARAMS, p384, sizeof(p384));
    kw_hsm_template_bool(&public, CKA_PRIVATE, false);
    kw_hsm_template_bool(&public, CKA_VERIFY, true);
    named(&private, label, &id);
    kw_hsm_template_bool(&private, CKA_PRIVATE, true);
    kw_hsm_template_bool(&private, CKA_SENSITIVE, true);
    kw_hsm_template_bool(&private, CKA_EXTRACTABLE, false);
    kw_hsm_template_bool(&private, CKA_SIGN, true);
    kw_hsm_template_bool(&private, CKA_DECRYPT, false);
    kw_hsm_template_bool(&private, CKA_UNWRAP, false);
    kw_hsm_template_bool(&private, CKA_DERIVE, signer == KW_HSM_CARRIER);
    return KW_C(session, GenerateKeyPair, &mechanism, public.attributes, public.count,
                private.attributes, private.count, &public_handle, &private_handle);
}
