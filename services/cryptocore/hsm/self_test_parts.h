/* The two halves of the self-test (self_test.h). */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_SELF_TEST_PARTS_H
#define KW_SERVICES_CRYPTOCORE_HSM_SELF_TEST_PARTS_H

#include "services/cryptocore/hsm/session.h"

struct kw_result kw_hsm_self_test_answers(struct kw_hsm_session *session, struct kw_error *err);
struct kw_result kw_hsm_self_test_attributes(struct kw_hsm_session *session, struct kw_error *err);

#endif
