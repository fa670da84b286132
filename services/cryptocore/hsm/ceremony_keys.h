/* The ceremony's two kinds of keys: secret keys that are kept in a blob, and signing keys that are
 * not. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_CEREMONY_KEYS_H
#define KW_SERVICES_CRYPTOCORE_HSM_CEREMONY_KEYS_H

#include "services/cryptocore/hsm/ceremony.h"
#include "services/cryptocore/hsm/objects.h"

/* What marks the objects of one run of the ceremony, so that a step that fails later removes those
 * and never another's. */
struct kw_hsm_made {
    uint8_t mark[KW_HSM_MARK_LEN];
    bool begun; /* there may be such objects */
};

/* KEK and MAC key version 1, and the canary: made, written to the blob for `recovery_spki`, put on
 * the token. Fails: ARGUMENT_INVALID (recovery key), HSM_*, CRYPTO. */
struct kw_result kw_hsm_ceremony_secrets(struct kw_hsm_session *session,
                                         struct kw_bytes recovery_spki,
                                         const struct kw_hsm_made *made,
                                         struct kw_hsm_keys_made *ret_keys, struct kw_error *err);

/* The P-384 key pair of one signer. Fails: HSM_*. */
struct kw_result kw_hsm_ceremony_signer(struct kw_hsm_session *session, enum kw_hsm_signer signer,
                                        const struct kw_hsm_made *made, struct kw_error *err);

#endif
