/* The service: its parts in the order of their lives.
 *
 *     start: mind ─▶ owners ─▶ peers, listening; links when an owner is there ─▶ ready when both are
 *     drain: links end, no new ones ─▶ drained
 *     stop:  peers ─▶ owners ─▶ renewal ─▶ gRPC ─▶ stopped
 *
 * Nothing that it has in flight is owed to anybody: what was not acknowledged comes again.
 */
#ifndef KW_SERVICES_REPLICATOR_SERVICE_H
#define KW_SERVICES_REPLICATOR_SERVICE_H

#include "common/base/result.h"
#include "common/loop/loop.h"
#include "services/replicator/config.h"
#include "services/replicator/core/frame.h"
#include "services/replicator/core/place.h"

struct kw_replicator_service;

/* Loop thread, all of them. */
struct kw_replicator_events {
    void (*ready)(void *context);                                /* both owners are there (again) */
    void (*failed)(const struct kw_error *error, void *context); /* can't go on */
    void (*drained)(void *context);                              /* no link is left */
    void (*stopped)(void *context);                              /* everything is closed */
    void *context;
};

/* Listens and calls. `config` and what `events` points at outlive it. On failure nothing is left but what
 * kw_replicator_service_stop and _free take apart: `*ret_service` is set all the same, unless it could not be
 * made (NULL). Fails: CONFIG_INVALID, ARGUMENT_INVALID, LIMIT_REACHED, SYSTEM, MEMORY. */
struct kw_result kw_replicator_service_new(struct kw_loop *loop,
                                           const struct kw_replicator_config *config,
                                           const struct kw_replicator_events *events,
                                           struct kw_replicator_service **ret_service,
                                           struct kw_error *err);

/* Where it listens. */
int kw_replicator_service_port(const struct kw_replicator_service *service);

/* For /readyz. Any thread. */
bool kw_replicator_service_has(struct kw_replicator_service *service, enum kw_owner owner);

/* Is there a link with that cell? */
bool kw_replicator_service_linked(const struct kw_replicator_service *service,
                                  const struct kw_place *place);

/* Ends all links; `drained` comes. */
void kw_replicator_service_drain(struct kw_replicator_service *service);

/* Closes everything; `stopped` comes. */
void kw_replicator_service_stop(struct kw_replicator_service *service);

/* After the loop ended. Accepts NULL. */
void kw_replicator_service_free(struct kw_replicator_service *service);

#endif
