/* Renewal of this process's own certificate, for as long as it runs.
 *
 *     every KW_CREDENTIALS_CHECK_MS: is it time? ─▶ next key, request signed by the present key
 *        ─▶ ask (inward to the core) ─▶ answer checked ─▶ new generation of the credentials
 *           directory ─▶ hops, edge and capsules pick it up by themselves
 *
 * What fails is logged and tried again at the next check: half of the certificate's life is left.
 * Loop thread.
 */
#ifndef KW_COMMON_RPC_SERVICE_RENEWAL_H
#define KW_COMMON_RPC_SERVICE_RENEWAL_H

#include "common/pki/credentials.h"
#include "common/rpc/hop.h"

struct kw_service_renewal;

struct kw_service_renewal_options {
    struct kw_loop *loop;
    const char *credentials_dir; /* a link that kw_credentials_write made; borrowed */
    const char *trust_domain;    /* borrowed */
    /* Where the request goes: the hop to the inner neighbour, NULL while there is none … */
    struct kw_hop_client *const *inner;
    /* … or, at the core, which has no inner neighbour, whom it asks instead.
     * kw_service_renewal_answer comes once, not from inside; on failure it does not come. */
    struct kw_result (*ask)(struct kw_service_renewal *renewal, struct kw_bytes request,
                            void *context, struct kw_error *err);
    void *context;
};

/* The first check is soon. Fails: MEMORY. */
struct kw_result kw_service_renewal_start(const struct kw_service_renewal_options *options,
                                          struct kw_service_renewal **ret_renewal,
                                          struct kw_error *err);

/* How `ask` ended; with a success, a RenewServiceResponse. */
void kw_service_renewal_answer(struct kw_service_renewal *renewal, struct kw_result result,
                               const struct kw_error *error, struct kw_bytes response);

/* No question is under way any more (the hop client is closed, or the core has answered): frees,
 * then `closed`. Accepts NULL and then calls `closed` at once. */
void kw_service_renewal_close(struct kw_service_renewal *renewal, void (*closed)(void *context),
                              void *context);

#endif
