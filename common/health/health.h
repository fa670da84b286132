/* The health check of a service, as a verb of its own program:
 *
 *     keyward-authz health --config=FILE            should it be sent work?
 *     keyward-authz health --live --config=FILE     or would only a restart help?
 *
 * For whoever runs the service and can start a program beside it, in the same network and with the same files: a container's engine,
 * an orchestrator of containers, a person.
 */
#ifndef KW_COMMON_HEALTH_HEALTH_H
#define KW_COMMON_HEALTH_HEALTH_H

#include "common/base/settings.h"

/* Do the arguments begin with the verb? */
bool kw_health_asked(int argc, char **argv);

/* The whole program then. Of the settings those are read that all services have, and edge_credentials_dir where there is one. Returns
 * the exit code: 0 when the service shows its own certificate where it listens, and its /readyz says 200; with --live, when its /livez
 * does, whoever may be at its door. Else 1, and one line on stderr says what is wrong. Blocks for KW_HEALTH_MS at most, and for as long
 * as the name of a host takes to look up. */
int kw_health_main(const struct kw_settings_spec *spec, int argc, char **argv);

#endif
