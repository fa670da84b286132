/* Lanes: what is to be sent to whom. */
#include "services/replicator/core/replicator_internal.h"

#include "common/sync/stamp.h"

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
    for (size_t i = 0; i < r->peer_count; i++) {
        lane->turns[i] = kw_place_turn(&options->cells, &options->us, origin, &r->places[i]);
    }
    r->lanes[r->lane_count++] = lane;
    *ret_lane = lane;
    return KW_OK;
}

/* Batches that are read for it are bounded, and none is read for one that does not take them: what waits
 * for a link is no more than that. */
static bool has_room(const struct kw_replicator *r, uint32_t peer)
{
    const struct kw_replicator_io *io = &r->options.io;

    return r->peers[peer].reads < KW_LINK_READS_MAX &&
           (io->room == NULL || io->room(io->context, peer));
}

void kw_carried_pump(struct kw_replicator *r, struct kw_carried *lane, uint32_t peer,
                     uint64_t now_ms)
{
    struct kw_progress *progress = &lane->peers[peer];
    struct kw_ticket ticket = {
        .peer = peer, .owner = lane->owner, .lane = lane->id, .link = r->peers[peer].link};

    if (!r->peers[peer].ready || !kw_progress_wants(progress, lane->ours) ||
        !kw_progress_due(progress, lane->ours, lane->turns[peer], now_ms) || !has_room(r, peer)) {
        return;
    }
    progress->reading = true;
    r->peers[peer].reads++;
    progress->asked = lane->ours;
    r->options.io.read(r->options.io.context, ticket, progress->sent.seq);
}

void kw_carried_pump_all(struct kw_replicator *r, struct kw_carried *lane, uint64_t now_ms)
{
    for (uint32_t peer = 0; peer < r->peer_count; peer++) {
        kw_carried_pump(r, lane, peer, now_ms);
    }
}

/* Begins behind the lane that was last to get something, so that none waits for ever. */
void kw_peer_pump(struct kw_replicator *r, uint32_t peer, uint64_t now_ms)
{
    struct kw_peer *link = &r->peers[peer];
    size_t first = link->turn;

    for (size_t i = 0; i < r->lane_count; i++) {
        size_t at = (first + i) % r->lane_count;
        unsigned reads = link->reads;

        kw_carried_pump(r, r->lanes[at], peer, now_ms);
        if (link->reads > reads) {
            link->turn = at + 1;
        }
    }
}

void kw_carried_forget(struct kw_replicator *r, enum kw_owner owner)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->lane_count; i++) {
        if (r->lanes[i]->owner == owner) {
            free(r->lanes[i]);
        } else {
            r->lanes[kept++] = r->lanes[i];
        }
    }
    r->lane_count = kept;
}

/* Owners count acknowledgements as far as they hold the lane themselves: who was ahead of us is told of
 * again, now that we go on to `seq`. */
static void tell_acked(const struct kw_replicator *r, const struct kw_carried *lane, uint64_t seq)
{
    for (uint32_t peer = 0; peer < r->peer_count; peer++) {
        uint64_t known = lane->peers[peer].known.seq;

        if (r->peers[peer].up && seq > lane->ours.seq && known > lane->ours.seq) {
            r->options.io.acked(r->options.io.context, peer, lane->owner,
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
    for (uint32_t peer = 0; peer < replicator->peer_count; peer++) {
        carried->peers[peer].held_back =
            carried->peers[peer].held_back && extent.seq == carried->ours.seq;
    }
    carried->ours = extent;
    kw_carried_pump_all(replicator, carried, now_ms);
    return KW_OK;
}

/* What was read, if anything, is sent. Where there was less than we were told of, asking again at once would find
 * the same, unless the lane grew meanwhile: it may end at a fence, be deleted, or its owner be away. */
static void send_read(struct kw_replicator *r, struct kw_carried *lane, uint32_t peer,
                      const struct kw_frame *frame, struct kw_extent extent, uint64_t now_ms)
{
    struct kw_progress *progress = &lane->peers[peer];
    bool grew = lane->ours.seq > progress->asked.seq;

    if (frame->record.len == 0) {
        progress->sent.closed = progress->asked.closed;
        progress->held_back = !grew;
        return;
    }
    progress->held_back =
        !grew && extent.seq <= progress->sent.seq && progress->sent.seq < lane->ours.seq;
    kw_progress_sent(progress, extent, now_ms);
    r->options.io.send(r->options.io.context, peer, frame);
}

void kw_replicator_read(struct kw_replicator *replicator, struct kw_ticket ticket,
                        struct kw_bytes batch, struct kw_extent extent, uint64_t now_ms)
{
    struct kw_carried *lane = kw_carried_find(replicator, ticket.owner, ticket.lane);
    struct kw_frame frame = {.type = KW_FRAME_BATCH, .owner = ticket.owner, .record = batch};
    bool was_full;

    if (lane == NULL || !kw_link_current(replicator, ticket)) {
        return;
    }
    was_full = replicator->peers[ticket.peer].reads-- >= KW_LINK_READS_MAX;
    lane->peers[ticket.peer].reading = false;
    send_read(replicator, lane, ticket.peer, &frame, extent, now_ms);
    if (was_full) {
        kw_peer_pump(replicator, ticket.peer, now_ms);
    } else {
        kw_carried_pump(replicator, lane, ticket.peer, now_ms);
    }
}

struct kw_lag kw_replicator_lag(const struct kw_replicator *replicator, uint32_t peer,
                                enum kw_owner owner)
{
    struct kw_lag lag = {0};

    for (size_t i = 0; i < replicator->lane_count; i++) {
        const struct kw_carried *lane = replicator->lanes[i];
        const struct kw_extent *known = &lane->peers[peer].known;
        uint64_t ours_ms = kw_hlc_ms(lane->ours.closed), theirs_ms = kw_hlc_ms(known->closed);

        if (lane->owner != owner) {
            continue;
        }
        lag.changes += lane->ours.seq > known->seq ? lane->ours.seq - known->seq : 0;
        if (ours_ms > theirs_ms && ours_ms - theirs_ms > lag.promise_ms) {
            lag.promise_ms = ours_ms - theirs_ms;
        }
    }
    return lag;
}
