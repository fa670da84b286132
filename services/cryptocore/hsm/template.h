/* Templates of secret keys: every attribute said aloud, so that no default of a module decides. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_TEMPLATE_H
#define KW_SERVICES_CRYPTOCORE_HSM_TEMPLATE_H

#include "services/cryptocore/hsm/pkcs11.h"

#include <stdbool.h>
#include <stddef.h>

#define KW_HSM_TEMPLATE_MAX 20

struct kw_hsm_template {
    CK_ATTRIBUTE attributes[KW_HSM_TEMPLATE_MAX];
    CK_ULONG count;
};

/* A session object, private, sensitive, with these uses (enum kw_hsm_use) and no others. */
void kw_hsm_template_secret(struct kw_hsm_template *template, unsigned uses);

/* Adds; `value` must live as long as the template. There is room for what this folder adds. */
void kw_hsm_template_add(struct kw_hsm_template *template, CK_ATTRIBUTE_TYPE type,
                         const void *value, size_t len);
void kw_hsm_template_bool(struct kw_hsm_template *template, CK_ATTRIBUTE_TYPE type, bool value);

/* A KEK before it is settled on the token: what it may do, that it may sign (for its check value), and `unwrapped`, the
 * template that it demands of what it unwraps, which a key has from birth or never. */
void kw_hsm_template_kek(struct kw_hsm_template *template, struct kw_hsm_template *unwrapped,
                         unsigned more_uses);

/* {private, sensitive, not extractable}: what a KEK demands of every key that it unwraps. */
void kw_hsm_template_unwrapped(struct kw_hsm_template *template);

#endif
