/* What a worker proves before it serves: the HSM computes what it should, and its keys are what the
 * ceremony made. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_SELF_TEST_H
#define KW_SERVICES_CRYPTOCORE_HSM_SELF_TEST_H

#include "services/cryptocore/hsm/session.h"

/* Known answers for wrap, unwrap, CMAC and the KDF; attributes of the KEKs, of the MAC key and of
 * the signing keys; that the KEKs' unwrap template is honoured; that no secret key is readable
 * without login and no label names two objects. The session's keys have been found. Fails:
 * HSM_SELF_TEST, HSM_KEY_MISSING, HSM_*. */
struct kw_result kw_hsm_self_test(struct kw_hsm_session *session, struct kw_error *err);

#endif
