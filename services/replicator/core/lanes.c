/* Lanes: what is to be sent to whom. */
#include "services/replicator/core/replicator_internal.h"

#include <stdlib.h>

struct kw_carried *kw_carried_find(struct kw_replicator *r, enum kw_owner owner, struct kw_id id)
{
    for (size_t i = 0; i < r->lane_count; i++) {
        if (r->lanes[i]->owner == owner && kw_id_equal(r->lanes[i]->id, id)) {
            return r->lanes[i];
        }
    }
    return NULL;
}

static struct kw_result add(struct kw_replicator *r, enum kw_owner owner, struct kw_id id,
                            const struct kw_place *origin, struct kw_carried **ret_lane,
                            struct kw_error *err)
{
    const struct kw_replicator_options *options = &r->options;
    struct kw_carried *lane;

    KW_ENSURE(r->lane_count < KW_LANES_MAX, err, LIMIT_REACHED, "more than %u lanes", KW_LANES_MAX);
    lane = calloc(1, sizeof(*lane));
    KW_ENSURE(lane != NULL, err, MEMORY, "a lane");
    *lane = (struct kw_carried){.owner = owner, .id = id};
    for (size_t i = 0; i < options->peers.count; i++) {
        lane->turns[i] =
            kw_place_turn(&options->cells, &options->us, origin, &options->peers.items[i]);
    }
    r->lanes[r->lane_count++] = lane;
    *ret_lane = lane;
    return KW_OK;
}

void kw_carried_pump(struct kw_replicator *r, struct kw_carried *lane, uint32_t peer,
                     uint64_t now_ms)
{
    struct kw_progress *progress = &lane->peers[peer];
    struct kw_ticket ticket = {
        .peer = peer, .owner = lane->owner, .lane = lane->id, .link = r->peers[peer].link};

    if (!r->peers[peer].ready || !kw_progress_wants(progress, lane->ours) ||
        !kw_progress_due(progress, lane->ours, lane->turns[peer], now_ms)) {
        return;
    }
    progress->reading = true;
    progress->asked = lane->ours;
    r->options.io.read(r->options.io.context, ticket, progress->sent.seq);
}

void kw_carried_pump_all(struct kw_replicator *r, struct kw_carried *lane, uint64_t now_ms)
{
    for (uint32_t peer = 0; peer < r->options.peers.count; peer++) {
        kw_carried_pump(r, lane, peer, now_ms);
    }
}

/* Owners count acknowledgements as far as they hold the lane themselves: who was ahead of us is told of
 * again, now that we go on to `seq`. */
static void tell_acked(const struct kw_replicator *r, const struct kw_carried *lane, uint64_t seq)
{
    for (uint32_t peer = 0; peer < r->options.peers.count; peer++) {
        uint64_t known = lane->peers[peer].known.seq;

        if (r->peers[peer].up && seq > lane->ours.seq && known > lane->ours.seq) {
            r->options.io.acked(r->options.io.context, lane->owner,
                                r->peers[peer].stores[lane->owner], lane->id, known);
        }
    }
}

struct kw_result kw_replicator_lane(struct kw_replicator *replicator, enum kw_owner owner,
                                    struct kw_id lane, const struct kw_place *origin,
                                    struct kw_extent extent, uint64_t now_ms, struct kw_error *err)
{
    struct kw_carried *carried = kw_carried_find(replicator, owner, lane);

    if (carried == NULL) {
        KW_TRY(add(replicator, owner, lane, origin, &carried, err));
    }
    tell_acked(replicator, carried, extent.seq);
    carried->ours = extent;
    kw_carried_pump_all(replicator, carried, now_ms);
    return KW_OK;
}

void kw_replicator_read(struct kw_replicator *replicator, struct kw_ticket ticket,
                        struct kw_bytes batch, struct kw_extent extent, uint64_t now_ms)
{
    struct kw_carried *lane = kw_carried_find(replicator, ticket.owner, ticket.lane);
    struct kw_frame frame = {.type = KW_FRAME_BATCH, .owner = ticket.owner, .record = batch};
    struct kw_progress *progress;

    if (lane == NULL || !kw_link_current(replicator, ticket)) {
        return;
    }
    progress = &lane->peers[ticket.peer];
    progress->reading = false;
    if (batch.len == 0) {
        /* Nothing to be had, though there was something to ask for: not again before it grows. */
        progress->sent.closed = progress->asked.closed;
        return;
    }
    kw_progress_sent(progress, extent, now_ms);
    replicator->options.io.send(replicator->options.io.context, ticket.peer, &frame);
    kw_carried_pump(replicator, lane, ticket.peer, now_ms);
}
