/* The link to the orchestrator: the hop client, and whether a stream is there. */
#ifndef KW_SERVICES_AUTHZ_LINK_H
#define KW_SERVICES_AUTHZ_LINK_H

#include "services/authz/authz.h"

/* Connects to config->targets, expecting the orchestrator of the own cell, and goes on trying.
 * Fills authz->inner. Fails: CONFIG_INVALID, ARGUMENT_INVALID (names), MEMORY. */
struct kw_result kw_link_start(struct kw_authz *authz, struct kw_rpc *rpc, struct kw_error *err);

#endif
