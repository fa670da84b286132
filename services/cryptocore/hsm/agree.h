/* ECDH inside the HSM: the receiver's side of common/crypto/ecdh.h. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_AGREE_H
#define KW_SERVICES_CRYPTOCORE_HSM_AGREE_H

#include "services/cryptocore/hsm/keys.h"

/* The AES key that `own` (P-384, may derive) agrees on with the sender's point: X9.63 with SHA-384
 * and `info`. The key may unwrap and nothing else. Where the HSM gives the shared secret alone, that
 * is for a moment in this process, in a kw_secret, and the KDF is ours (provider table). Fails:
 * HSM_*, CRYPTO, MEMORY. */
struct kw_result kw_hsm_agree(struct kw_hsm_session *session, CK_OBJECT_HANDLE own,
                              struct kw_bytes point, struct kw_bytes info,
                              struct kw_hsm_object *ret_key, struct kw_error *err);

#endif
