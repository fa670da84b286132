/* Renewal of services' certificates: the one thing the core signs without a capsule.
 * The new key is vouched for by the present one; whose it is must be on the officer-signed list, of
 * this region and cell, and not on the list of the denied. */
#ifndef KW_SERVICES_CRYPTOCORE_RENEW_SERVICE_H
#define KW_SERVICES_CRYPTOCORE_RENEW_SERVICE_H

#include "common/rpc/service_renewal.h"
#include "services/cryptocore/core.h"

/* A service asks, through the layers between. Loop thread. */
void kw_core_renew_open(struct kw_hop_call *hop, const struct kw_hop_open *open,
                        struct kw_core *core);

/* The core's own: `ask` of its kw_service_renewal, with the core as context. Fails: as a request of
 * another service would, HSM_UNAVAILABLE, HSM_BUSY, MEMORY. */
struct kw_result kw_core_renew_own(struct kw_service_renewal *renewal, struct kw_bytes request,
                                   void *context, struct kw_error *err);

#endif
