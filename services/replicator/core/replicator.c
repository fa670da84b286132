/* The replicator's life, and urgent changes, which have no lane to wait for. */
#include "services/replicator/core/replicator_internal.h"

#include "common/base/metrics.h"

#include <stdlib.h>

struct kw_result kw_replicator_new(const struct kw_replicator_options *options,
                                   struct kw_replicator **ret_replicator, struct kw_error *err)
{
    struct kw_replicator *replicator = calloc(1, sizeof(*replicator));

    KW_ENSURE(replicator != NULL, err, MEMORY, "a replicator");
    replicator->options = *options;
    replicator->peer_count = kw_place_peers(&options->cells, &options->us, replicator->places);
    if (replicator->peer_count > KW_PEERS_MAX) {
        free(replicator);
        KW_FAIL(err, LIMIT_REACHED, "more than %u peers", KW_PEERS_MAX);
    }
    *ret_replicator = replicator;
    return KW_OK;
}

void kw_replicator_free(struct kw_replicator *replicator)
{
    if (replicator == NULL) {
        return;
    }
    for (size_t i = 0; i < replicator->lane_count; i++) {
        free(replicator->lanes[i]);
    }
    for (size_t i = 0; i < KW_OWNER_COUNT_; i++) {
        kw_buf_done(&replicator->vouchers[i]);
    }
    free(replicator);
}

#define NO_PEER UINT32_MAX

/* A peer that brings news without end does not cut us off from one that is slow. */
static bool takes_urgents(const struct kw_replicator *r, uint32_t peer)
{
    const struct kw_replicator_io *io = &r->options.io;
    bool takes = io->urgent_room == NULL || io->urgent_room(io->context, peer);

    if (!takes) {
        kw_metric_add(KW_M_LIMITS_REACHED, "link_urgents", 1);
    }
    return takes;
}

/* To everybody but who brought it. Whoever has it already finds nothing new in it, and stops. Where there is no room
 * its lane brings it; and where that never comes, who has it says it anew. */
static void flood(struct kw_replicator *r, enum kw_owner owner, struct kw_bytes urgent,
                  uint32_t from)
{
    struct kw_frame frame = {.type = KW_FRAME_URGENT, .owner = owner, .record = urgent};

    for (uint32_t peer = 0; peer < r->peer_count; peer++) {
        if (r->peers[peer].ready && peer != from && takes_urgents(r, peer)) {
            r->options.io.send(r->options.io.context, peer, &frame);
        }
    }
}

void kw_replicator_urgent(struct kw_replicator *replicator, enum kw_owner owner,
                          struct kw_bytes urgent)
{
    flood(replicator, owner, urgent, NO_PEER);
}

void kw_replicator_urgent_applied(struct kw_replicator *replicator, struct kw_ticket ticket,
                                  enum kw_lane_verdict verdict, struct kw_bytes urgent)
{
    (void)kw_link_judged(replicator, ticket, verdict); /* news is news, also of who is gone */
    if (verdict == KW_LANE_NEWS) {
        flood(replicator, ticket.owner, urgent, ticket.peer);
    }
}
