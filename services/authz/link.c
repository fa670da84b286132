/* Who the inner neighbour is, and how its coming and going is noted. */
#include "services/authz/link.h"

#include "common/base/log.h"
#include "common/base/metrics.h"

static void on_state(bool connected, struct kw_id peer_boot_id, void *context)
{
    struct kw_authz *authz = context;
    bool was_linked = atomic_load(&authz->linked);
    bool linked = kw_hop_client_connected(authz->inner);

    atomic_store(&authz->linked, linked);
    if (linked && !was_linked && authz->link_up != NULL) {
        authz->link_up(authz);
    }
    if (!connected) {
        kw_metric_add(KW_M_HOP_RECONNECTS, "orchestrator", 1);
    }
    KW_LOG(INFO, connected ? "orchestrator connected" : "orchestrator lost",
           KW_F_HEX("boot", kw_id_bytes(&peer_boot_id)));
}

struct kw_result kw_link_start(struct kw_authz *authz, struct kw_rpc *rpc, struct kw_error *err)
{
    const struct kw_authz_config *config = authz->config;
    const char *targets[KW_HOP_TARGETS_MAX + 1] = {NULL};
    struct kw_spiffe peer;
    char peer_text[KW_SPIFFE_TEXT_SIZE];
    struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir = config->credentials_dir,
        .trust_domain = config->trust_domain,
        .peer = peer_text,
        .state = on_state,
        .context = authz,
    };

    for (size_t i = 0; i < config->targets.count; i++) {
        targets[i] = config->targets.items[i];
    }
    KW_TRY(kw_spiffe_service(config->trust_domain, config->region, config->cell, "orchestrator",
                             &peer, err));
    (void)kw_spiffe_text(&peer, peer_text);
    return kw_hop_client_new(rpc, &options, &authz->inner, err);
}
