/* Metrics that nobody counts as they change: they are looked up now and then. */
#include "services/replicator/service_internal.h"

#include "common/base/metrics.h"

#include <stdio.h>

static void show_lag(const struct kw_replicator_service *service, uint32_t peer,
                     enum kw_owner owner)
{
    struct kw_lag lag = kw_replicator_lag(service->mind, peer, owner);
    char label[KW_METRIC_LABEL_SIZE];

    (void)snprintf(label, sizeof(label), "%s %s", kw_peers_name(service->peers, peer),
                   kw_owner_name(owner));
    kw_metric_set(KW_M_REPLICATION_LAG, label, (int64_t)lag.changes);
    kw_metric_set(KW_M_REPLICATION_PROMISE_LAG, label, (int64_t)lag.promise_ms);
}

void kw_show(const struct kw_replicator_service *service)
{
    for (uint32_t peer = 0; peer < kw_peers_count(service->peers); peer++) {
        kw_metric_set(KW_M_LINK_QUEUE, kw_peers_name(service->peers, peer),
                      (int64_t)kw_peers_queued(service->peers, peer));
        show_lag(service, peer, KW_OWNER_AUTHZ);
        show_lag(service, peer, KW_OWNER_ORCHESTRATOR);
    }
}
