/* What the service's files share. Not for users of service.h. */
#ifndef KW_SERVICES_REPLICATOR_SERVICE_INTERNAL_H
#define KW_SERVICES_REPLICATOR_SERVICE_INTERNAL_H

#include "common/rpc/rpc.h"
#include "common/rpc/service_renewal.h"
#include "services/replicator/owner.h"
#include "services/replicator/peers.h"
#include "services/replicator/questions.h"
#include "services/replicator/service.h"

#include <stdatomic.h>

struct kw_replicator_service {
    struct kw_loop *loop;
    const struct kw_replicator_config *config;
    struct kw_replicator_events events;
    struct kw_id mesh;
    struct kw_cells cells;
    struct kw_replicator *mind;
    struct kw_rpc *rpc;
    struct kw_owner_client *owners[KW_OWNER_COUNT_];
    struct kw_peers *peers;
    struct kw_questions questions;
    struct kw_service_renewal *renewal; /* of the own certificate */
    struct kw_timer tick;
    unsigned ticks;
    int port;
    atomic_bool has[KW_OWNER_COUNT_]; /* which owners are there */
    atomic_bool draining;
    bool failing;
};

uint64_t kw_carry_now_ms(void);

/* carry.c: what the mind wishes; what peers and owners say. Each with the service as its context. */
extern const struct kw_replicator_io kw_carry_io;
extern const struct kw_peers_events kw_carry_peers_events;
extern const struct kw_owner_events kw_carry_owner_events;

/* show.c: metrics that are looked up. */
void kw_show(const struct kw_replicator_service *service);

#endif
