/* The signing keys of the HSM as private keys that common/crypto and common/pki take, through
 * libp11. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_SIGNER_H
#define KW_SERVICES_CRYPTOCORE_HSM_SIGNER_H

#include "common/crypto/key.h"
#include "services/cryptocore/hsm/ops.h"
#include "services/cryptocore/hsm/session.h"

/* The key pair with this signer's label; the private half stays in the HSM. `ret_key` is made here
 * and must go before the module is closed. Fails: HSM_KEY_MISSING, HSM_UNAVAILABLE. */
struct kw_result kw_hsm_signer_key(const struct kw_hsm_module *module, enum kw_hsm_signer signer,
                                   struct kw_private_key *ret_key, struct kw_error *err);

/* libp11 keeps sessions of its own and tells no PKCS#11 codes: when a signature failed for no fault
 * of the request, the canary decides. If it is well the key was refused (HSM); in both cases the
 * session is marked for the worker to end, since only a new process has new libp11 sessions.
 * Returns `result` when it is the request's. */
struct kw_result kw_hsm_signer_judge(struct kw_hsm_session *session, struct kw_result result,
                                     struct kw_error *err);

#endif
