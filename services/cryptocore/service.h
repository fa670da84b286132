/* The crypto core's life: built from its settings, running, drained, taken apart. */
#ifndef KW_SERVICES_CRYPTOCORE_SERVICE_H
#define KW_SERVICES_CRYPTOCORE_SERVICE_H

#include "services/cryptocore/core.h"

/* Builds everything and starts to listen; READY is printed when the HSM has passed its self-tests.
 * On failure what was built is still there for kw_core_free. Fails: as the parts. */
struct kw_result kw_core_start(struct kw_core *core, const struct kw_core_config *config,
                               struct kw_error *err);

/* Serves until a signal has ended it. Returns the exit code. */
int kw_core_run(struct kw_core *core);

/* After kw_core_run. */
void kw_core_free(struct kw_core *core);

#endif
