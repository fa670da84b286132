/* Credentials that the region's own services CA signed, for names the ceremony gave no service:
 * what a thief, another cell or another service could hold. */
#ifndef KW_TESTS_SUPPORT_CORE_SERVICES_H
#define KW_TESTS_SUPPORT_CORE_SERVICES_H

#include "tests/support/core_fixture.h"

/* A credentials directory `name` for the id, by the CA in the core's token; its path in `path`
 * (PATH_MAX). From `age_ms` ago, for `life_ms`. */
void core_service_credentials(struct core_fixture *fx, const char *spiffe_id, const char *name,
                              uint64_t age_ms, uint64_t life_ms, char *path);

/* The same for a caller's key and certificate, with the issuing CA's certificate behind it; `ca` is
 * its file below pki/. */
void core_caller_credentials(struct core_fixture *fx, const struct core_caller *caller,
                             const char *ca, const char *name, char *path);

#endif
