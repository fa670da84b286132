/* Building attribute arrays. */
#include "services/cryptocore/hsm/template.h"

#include "services/cryptocore/hsm/keys.h"

#include <assert.h>

static const CK_BBOOL yes = CK_TRUE;
static const CK_BBOOL no = CK_FALSE;

void kw_hsm_template_add(struct kw_hsm_template *template, CK_ATTRIBUTE_TYPE type,
                         const void *value, size_t len)
{
    assert(template->count < KW_HSM_TEMPLATE_MAX);
    template->attributes[template->count++] = (CK_ATTRIBUTE)KW_CK_BYTES(type, value, len);
}

void kw_hsm_template_bool(struct kw_hsm_template *template, CK_ATTRIBUTE_TYPE type, bool value)
{
    kw_hsm_template_add(template, type, value ? &yes : &no, sizeof(yes));
}

void kw_hsm_template_secret(struct kw_hsm_template *template, unsigned uses)
{
    template->count = 0;
    kw_hsm_template_bool(template, CKA_TOKEN, false);
    kw_hsm_template_bool(template, CKA_PRIVATE, true);
    kw_hsm_template_bool(template, CKA_SENSITIVE, true);
    kw_hsm_template_bool(template, CKA_EXTRACTABLE, (uses & KW_HSM_USE_EXTRACTABLE) != 0);
    kw_hsm_template_bool(template, CKA_SIGN, (uses & KW_HSM_USE_SIGN) != 0);
    kw_hsm_template_bool(template, CKA_WRAP, (uses & KW_HSM_USE_WRAP) != 0);
    kw_hsm_template_bool(template, CKA_UNWRAP, (uses & KW_HSM_USE_UNWRAP) != 0);
    kw_hsm_template_bool(template, CKA_VERIFY, false);
    kw_hsm_template_bool(template, CKA_ENCRYPT, false);
    kw_hsm_template_bool(template, CKA_DECRYPT, false);
    kw_hsm_template_bool(template, CKA_DERIVE, false);
}

void kw_hsm_template_kek(struct kw_hsm_template *template, struct kw_hsm_template *unwrapped,
                         unsigned more_uses)
{
    kw_hsm_template_unwrapped(unwrapped);
    kw_hsm_template_secret(template,
                           KW_HSM_USE_WRAP | KW_HSM_USE_UNWRAP | KW_HSM_USE_SIGN | more_uses);
    kw_hsm_template_add(template, CKA_UNWRAP_TEMPLATE, unwrapped->attributes,
                        unwrapped->count * sizeof(unwrapped->attributes[0]));
}

void kw_hsm_template_unwrapped(struct kw_hsm_template *template)
{
    template->count = 0;
    kw_hsm_template_bool(template, CKA_PRIVATE, true);
    kw_hsm_template_bool(template, CKA_SENSITIVE, true);
    kw_hsm_template_bool(template, CKA_EXTRACTABLE, false);
}
