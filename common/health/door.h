/* Inside common/health: does the service stand at its own door? */
#ifndef KW_COMMON_HEALTH_DOOR_H
#define KW_COMMON_HEALTH_DOOR_H

#include "common/base/result.h"

struct kw_health_wire;

/* Shakes hands by TLS 1.3 until the other side has proved to hold the key of the certificate it shows, which must be valid now and have
 * the names of the one in `credentials_dir` — not its very bytes: after a renewal the old one is shown for a moment more. Says nothing
 * of itself, sends no certificate, and leaves the rest of the handshake undone. Fails: PEER_UNAVAILABLE (no TLS, closed),
 * IDENTITY_INVALID (another's certificate, or expired), DEADLINE_EXCEEDED, CONFIG_INVALID (no certificate in the directory), CRYPTO, MEMORY. */
struct kw_result kw_health_door_check(struct kw_health_wire *wire, const char *credentials_dir,
                                      struct kw_error *err);

#endif
