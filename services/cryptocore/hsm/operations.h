/* The operations themselves, one file each, and what they share. All have the same form:
 *
 *     session   the keys of the HSM; its `fault` says what a PKCS#11 failure was
 *     arena     memory of the answer, alive until it is sent
 *     answer    written on success only; `op` and `result` are the dispatcher's business
 *
 * What an operation makes in the HSM is gone when it returns.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_OPERATIONS_H
#define KW_SERVICES_CRYPTOCORE_HSM_OPERATIONS_H

#include "common/base/arena.h"
#include "services/cryptocore/hsm/keys.h"
#include "services/cryptocore/hsm/ops.h"

typedef struct kw_result kw_hsm_operation(struct kw_hsm_session *session, struct kw_arena *arena,
                                          const struct kw_hsm_request *request,
                                          struct kw_hsm_answer *answer, struct kw_error *err);

kw_hsm_operation kw_hsm_op_generate;
kw_hsm_operation kw_hsm_op_derive;
kw_hsm_operation kw_hsm_op_verify_possession;
kw_hsm_operation kw_hsm_op_mac_facts;
kw_hsm_operation kw_hsm_op_verify_facts;
kw_hsm_operation kw_hsm_op_ptk_create;
kw_hsm_operation kw_hsm_op_ptk_confirm;
kw_hsm_operation kw_hsm_op_issue_certificate;
kw_hsm_operation kw_hsm_op_sign_checkpoint;
kw_hsm_operation kw_hsm_op_health;

/* Runs a request and fills the answer, failed or not. A lost session is opened again, once; what an
 * operation made went with it, so any of them may run again here, where its result has not left. A
 * session lost twice is an HSM that is unwell (`fault` DEVICE). A session in which an object could
 * not be destroyed is replaced. */
void kw_hsm_run(struct kw_hsm_session *session, struct kw_arena *arena,
                const struct kw_hsm_request *request, struct kw_hsm_answer *ret_answer);

/* Makes the MAC of a new binding, all other fields of which are filled. Fails: HSM_*, CRYPTO. */
struct kw_result kw_hsm_key_binding_seal(struct kw_hsm_session *session,
                                         struct kw_key_binding *binding, struct kw_error *err);
struct kw_result kw_hsm_ptk_binding_seal(struct kw_hsm_session *session,
                                         struct kw_ptk_binding *binding, struct kw_error *err);

/* Checks a stored device key's MAC, and leaves the key wrapped. Fails: BINDING_INVALID, HSM_*,
 * CRYPTO. */
struct kw_result kw_hsm_key_binding_verify(struct kw_hsm_session *session,
                                           const struct kw_key_binding *binding,
                                           struct kw_error *err);

/* Checks a stored key's MAC and unwraps it for the given uses. Fails: BINDING_INVALID,
 * HSM_KEY_MISSING (KEK), HSM_*. */
struct kw_result kw_hsm_device_open(struct kw_hsm_session *session,
                                    const struct kw_key_binding *binding,
                                    struct kw_hsm_object *ret_key, struct kw_error *err);
struct kw_result kw_hsm_ptk_open(struct kw_hsm_session *session,
                                 const struct kw_ptk_binding *binding, unsigned uses,
                                 struct kw_hsm_object *ret_key, struct kw_error *err);

/* Opens what was just sealed, and compares check values: no key is given away that could not be
 * opened again. Fails: HSM_SELF_TEST, HSM_*. */
struct kw_result kw_hsm_device_prove(struct kw_hsm_session *session,
                                     const struct kw_key_binding *binding, struct kw_error *err);
struct kw_result kw_hsm_ptk_prove(struct kw_hsm_session *session,
                                  const struct kw_ptk_binding *binding, struct kw_error *err);

/* Every fact's MAC. Fails: BINDING_INVALID, HSM_*. */
struct kw_result kw_hsm_facts_verify(struct kw_hsm_session *session,
                                     const struct kw_hsm_fact *facts, size_t count,
                                     struct kw_error *err);

#endif
