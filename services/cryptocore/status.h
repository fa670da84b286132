/* The core's own status: what the HSM allows now. Needs no capsule. */
#ifndef KW_SERVICES_CRYPTOCORE_STATUS_H
#define KW_SERVICES_CRYPTOCORE_STATUS_H

#include "services/cryptocore/core.h"

/* Answers `hop` with a GetStatusResponse that holds this layer. */
void kw_core_status_answer(struct kw_hop_call *hop, const struct kw_core *core);

#endif
