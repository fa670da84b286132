/* The crypto core as one object: what main.c builds, what every call works on. Loop thread only. */
#ifndef KW_SERVICES_CRYPTOCORE_CORE_H
#define KW_SERVICES_CRYPTOCORE_CORE_H

#include "common/audit/capsule_check.h"
#include "common/loop/process.h"
#include "common/observe/observe.h"
#include "common/rpc/hop.h"
#include "common/rpc/rpc.h"
#include "common/rpc/service_renewal.h"
#include "services/cryptocore/config.h"
#include "services/cryptocore/confinement.h"
#include "services/cryptocore/hsm/worker_pool.h"
#include "services/cryptocore/ledger.h"
#include "services/cryptocore/pki_files.h"
#include "services/cryptocore/trust_watch.h"

struct kw_core {
    const struct kw_core_config *config;
    struct kw_loop *loop;
    struct kw_process *process;
    struct kw_rpc *rpc;
    struct kw_hop_server *server;
    struct kw_hsm_pool *hsm;
    struct kw_ledger *ledger;
    struct kw_seal_verifier *seals;
    struct kw_replay *replay;
    struct kw_core_pki pki;
    struct kw_trust_watch trust_watch;
    struct kw_observe *observe;
    struct kw_service_renewal *renewal; /* of the core's own certificate */
    _Atomic bool hsm_ready;             /* read by the probes' thread */
    struct kw_timer farewell; /* at the end: how long the orchestrator may take to leave */
    bool parted;
    struct kw_confinement confinement;
    struct kw_id boot_id;
    uint64_t start_ms;
    int port;
    bool announced;   /* READY was printed */
    size_t in_flight; /* calls under way, the standing ones not counted */
};

/* A call has ended: the last one lets a draining process go on to its end. */
void kw_core_call_ended(struct kw_core *core);

#endif
