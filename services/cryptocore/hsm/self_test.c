/* The self-test as a whole. */
#include "services/cryptocore/hsm/self_test.h"

#include "services/cryptocore/hsm/entropy.h"
#include "services/cryptocore/hsm/self_test_parts.h"

struct kw_result kw_hsm_self_test(struct kw_hsm_session *session, struct kw_error *err)
{
    KW_TRY(kw_hsm_session_probe(session, err));
    KW_TRY(kw_hsm_random_test(session, err));
    KW_TRY(kw_hsm_self_test_answers(session, err));
    KW_TRY(kw_hsm_self_test_attributes(session, err));
    session->fault = KW_HSM_CLASS_NONE; /* the refusals that the template test provoked */
    return KW_OK;
}
