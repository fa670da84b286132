/* The signing keys of the HSM as private keys that common/crypto and common/pki take, through
 * libp11. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_SIGNER_H
#define KW_SERVICES_CRYPTOCORE_HSM_SIGNER_H

#include "common/crypto/key.h"
#include "services/cryptocore/hsm/ops.h"
#include "services/cryptocore/hsm/session.h"

/* The key pair with this signer's label; the private half stays in the HSM. `ret_key` is made here
 * and must go before the session is recovered or the module closed. Fails: HSM_KEY_MISSING (`fault`
 * is HANDLE), HSM_UNAVAILABLE (`fault` is SESSION). */
struct kw_result kw_hsm_signer_key(struct kw_hsm_session *session, enum kw_hsm_signer signer,
                                   struct kw_private_key *ret_key, struct kw_error *err);

/* libp11 keeps sessions of its own and tells no PKCS#11 codes: when a signature failed for no fault
 * of the request, the canary decides. If it is well, libp11's session is taken for lost (HSM,
 * `fault` SESSION), which recovering the session repairs. A signature that does not verify
 * (SIGNATURE_INVALID) is HSM_SELF_TEST. Returns `result` when it is the request's. */
struct kw_result kw_hsm_signer_judge(struct kw_hsm_session *session, struct kw_result result,
                                     struct kw_error *err);

#endif
