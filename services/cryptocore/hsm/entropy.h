/* Random bytes of the HSM's generator, watched and mixed with the kernel's: as good as the better of
 * the two. Keys are made by the HSM itself; this is for what a worker has to make. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_ENTROPY_H
#define KW_SERVICES_CRYPTOCORE_HSM_ENTROPY_H

#include "services/cryptocore/hsm/session.h"

/* Fills `out`. Fails: HSM_SELF_TEST (the generator is stuck), HSM_*, SYSTEM. */
struct kw_result kw_hsm_random(struct kw_hsm_session *session, uint8_t *out, size_t len,
                               struct kw_error *err);

/* Part of the self-test: what the generator gives at a worker's start. Fails: as that. */
struct kw_result kw_hsm_random_test(struct kw_hsm_session *session, struct kw_error *err);

#endif
