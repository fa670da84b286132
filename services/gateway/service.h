/* The gateway's life: built from its settings, running, drained, taken apart. */
#ifndef KW_SERVICES_GATEWAY_SERVICE_H
#define KW_SERVICES_GATEWAY_SERVICE_H

#include "services/gateway/gateway.h"

/* Builds everything, listens, prints READY; authz need not be there yet. On failure what was built
 * is left to the end of the process. Fails: as the parts. */
struct kw_result kw_gateway_start(struct kw_gateway *gateway,
                                  const struct kw_gateway_config *config, struct kw_error *err);

/* Serves until a signal has ended it. Returns the exit code. */
int kw_gateway_run(struct kw_gateway *gateway);

/* After kw_gateway_run. */
void kw_gateway_free(struct kw_gateway *gateway);

#endif
