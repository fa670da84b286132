/* The orchestrator as one object: what main.c builds and what every call works on. Loop thread
 * only. */
#ifndef KW_SERVICES_ORCHESTRATOR_SERVICE_H
#define KW_SERVICES_ORCHESTRATOR_SERVICE_H

#include "common/audit/replay.h"
#include "common/audit/seal.h"
#include "common/feed/feed.h"
#include "common/feed_service/feed_service.h"
#include "common/pki/credentials.h"
#include "common/rpc/hop.h"
#include "common/rpc/rpc.h"
#include "common/rpc/service_renewal.h"
#include "common/store/store.h"
#include "services/orchestrator/config.h"
#include "services/orchestrator/destruction.h"
#include "services/orchestrator/protection.h"
#include "services/orchestrator/receipt_copy.h"

struct kw_core_link;

/* Embedded in whoever runs it. */
struct kw_orch {
    const struct kw_orch_config *config;
    struct kw_loop *loop;
    struct kw_rpc *rpc;
    struct kw_store *store;
    struct kw_core_link *link;
    struct kw_hop_server *server;
    struct kw_service_renewal *renewal;
    int port;
    struct kw_credentials credentials;
    struct kw_seal_verifier *seals;
    struct kw_replay *replay;
    struct kw_secret page_key;
    struct kw_id boot_id; /* names this life: the stream of its receipts */
    struct kw_id mesh;
    struct kw_feed feed;       /* of the thread of write jobs; open before any other of them */
    struct kw_feed_log copies; /* of receipts */
    struct kw_receipt_copy_options copy_options;
    struct kw_store_job opening;
    bool feed_open;
    struct kw_feed_identity identity; /* zeroed: nothing is replicated */
    struct kw_officers_trust officers;
    struct kw_feed_service
        *feed_service; /* of the replicator; closed when `feed_serves` is false */
    bool feed_serves;
    struct kw_protection protection;
    int feed_port; /* 0: nothing is replicated */
    uint64_t start_ms;
    _Atomic bool core_ready; /* read by the probes' thread */

    size_t in_flight; /* calls, also those nobody waits for any more */
    bool draining;
    bool server_drained;
    bool link_closed;
    bool stopping;
    void (*drained)(void *context);
    void (*stopped)(void *context);
    void (*failed)(const struct kw_error *error, void *context); /* the store can't go on */
    void (*linked)(void *context); /* the core is there (again), and the feed; may be NULL */
    void (*broken)(void *context); /* the receipt chain: only another life helps; may be NULL */
    void *context;
};

/* Opens the store and starts to listen. `orch->failed`, `linked`, `broken` and `context` are set, all else is
 * zero. On failure nothing is left but what kw_orch_done releases. Fails: CONFIG_INVALID,
 * STORE_UNAVAILABLE, SYSTEM, MEMORY. */
struct kw_result kw_orch_start(struct kw_orch *orch, struct kw_loop *loop,
                               const struct kw_orch_config *config, struct kw_error *err);

/* Takes no new calls; `drained` when none is left. */
void kw_orch_drain(struct kw_orch *orch, void (*drained)(void *context));

/* Gives up what is left, stores what has happened, closes everything; then `stopped`. */
void kw_orch_stop(struct kw_orch *orch, void (*stopped)(void *context));

/* After the loop has ended. Accepts zeroed. */
void kw_orch_done(struct kw_orch *orch);

/* Called by each call. */
void kw_orch_call_began(struct kw_orch *orch);
void kw_orch_call_ended(struct kw_orch *orch);

/* Who it is in the mesh, by its settings. Borrows. */
struct kw_feed_identity_options kw_orch_identity_options(const struct kw_orch_config *config);

/* `keyward-orchestrator new-life`: its store begins a new life (common/feed_service/new_life.h). Fails: as that. */
struct kw_result kw_orch_new_life(const struct kw_orch_config *config, struct kw_error *err);

/* `keyward-orchestrator orphans FILE`: what its store said beyond what is honoured, into a file
 * (common/feed_service/orphan_bundle.h). Fails: as that. */
struct kw_result kw_orch_orphans(const struct kw_orch_config *config, const char *file,
                                 struct kw_error *err);

#endif
