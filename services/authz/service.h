/* The service: its parts in the order of their lives.
 *
 *     start: store ─▶ officers, witness, quotas ─▶ link to the orchestrator ─▶ listener, feed ─▶ started
 *     drain: no new calls; those in flight finish; the feed's likewise ─▶ drained
 *     stop:  listener, feed, link ─▶ last calls ─▶ diary ─▶ store ─▶ gRPC ─▶ stopped
 */
#ifndef KW_SERVICES_AUTHZ_SERVICE_H
#define KW_SERVICES_AUTHZ_SERVICE_H

#include "services/authz/authz.h"

struct kw_authz_service;

/* Loop thread, all of them. */
struct kw_authz_events {
    void (*started)(int port, void *context); /* listening: once */
    void (*linked)(void *context);            /* the orchestrator is there (again); may be NULL */
    void (*failed)(const struct kw_error *error, void *context); /* can't start, or can't go on */
    void (*drained)(void *context);                              /* nothing is in flight any more */
    void (*stopped)(void *context);                              /* everything is closed */
    void *context;
};

/* Begins the start: `started` or `failed` follows. `config` and what `events` points at outlive it.
 * On failure nothing is left but what kw_authz_service_stop and _free take apart: `*ret_service` is
 * set all the same, unless it could not be made (NULL). Fails: CONFIG_INVALID, STORE_UNAVAILABLE,
 * SYSTEM, MEMORY, CRYPTO. */
struct kw_result kw_authz_service_new(struct kw_loop *loop, const struct kw_authz_config *config,
                                      const struct kw_authz_events *events,
                                      struct kw_authz_service **ret_service, struct kw_error *err);

/* What its parts share: for tests, which look into the store through it. */
struct kw_authz *kw_authz_service_inside(struct kw_authz_service *service);

/* Where the replicator connects, once `started` was told; 0: nothing is replicated. */
int kw_authz_service_feed_port(const struct kw_authz_service *service);

/* For /readyz. Any thread. */
bool kw_authz_service_linked(struct kw_authz_service *service);
bool kw_authz_service_joined(const struct kw_authz_service *service);

/* Takes no new calls; `drained` comes. */
void kw_authz_service_drain(struct kw_authz_service *service);

/* Closes everything; `stopped` comes. */
void kw_authz_service_stop(struct kw_authz_service *service);

/* After the loop ended. Accepts NULL. */
void kw_authz_service_free(struct kw_authz_service *service);

/* Who it is in the mesh, by its settings. Borrows. */
struct kw_feed_identity_options kw_authz_identity_options(const struct kw_authz_config *config);

/* `keyward-authz new-life`: its store begins a new life (common/feed_service/new_life.h). Fails: as that. */
struct kw_result kw_authz_new_life(const struct kw_authz_config *config, struct kw_error *err);

/* `keyward-authz orphans FILE`: what its store said beyond what is honoured, into a file
 * (common/feed_service/orphan_bundle.h). Fails: as that. */
struct kw_result kw_authz_orphans(const struct kw_authz_config *config, const char *file,
                                  struct kw_error *err);

#endif
