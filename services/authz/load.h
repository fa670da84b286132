/* What authz has to know before it may decide anything: read once at start, from its own store and
 * from the officers' directories. */
#ifndef KW_SERVICES_AUTHZ_LOAD_H
#define KW_SERVICES_AUTHZ_LOAD_H

#include "services/authz/authz.h"
#include "services/authz/officers.h"

/* Zero-initialise; release with kw_authz_load_done. */
struct kw_authz_load {
    struct kw_authz *authz;
    struct kw_store_job job;
    struct kw_officers officers;
    struct kw_id mesh;
    const struct kw_voucher_trust *vouchers; /* NULL: none is believed, and nobody vouches for us */
    const struct kw_order_trust *orders;     /* NULL: the same of officers' orders */
    uint64_t now_ms;
    void (*loaded)(void *context, struct kw_result result, const struct kw_error *error);
    void *context;
};

/* Opens the feed and registers the officers; fills the witness and the quotas of load->authz, whose
 * store is open and whom nobody else uses yet. `loaded` comes once, on the loop thread: its result
 * may be CONFIG_INVALID (officers), STORE_UNAVAILABLE, INTERNAL, MEMORY, SYSTEM, CRYPTO. Fails:
 * CONFIG_INVALID (the mesh's id, officers), STORE_UNAVAILABLE, LIMIT_REACHED, MEMORY; then `loaded`
 * does not come. */
struct kw_result kw_authz_load_start(struct kw_authz_load *load, struct kw_error *err);

void kw_authz_load_done(struct kw_authz_load *load);

#endif
