/* The worker's list of system calls, in the manners that a setting chooses from. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_WORKER_SANDBOX_H
#define KW_SERVICES_CRYPTOCORE_HSM_WORKER_SANDBOX_H

#include "services/cryptocore/hsm/sandbox_mode.h"

/* After the worker's own preparations and before it loads the module. OFF does nothing. Fails: as
 * kw_sandbox_enter. */
struct kw_result kw_hsm_worker_confine(enum kw_hsm_sandbox mode, struct kw_error *err);

#endif
