/* What time does: links that have fallen silent, batches that were not acknowledged, peers that a backup
 * should help. */
#include "services/replicator/core/replicator_internal.h"

static void tick_peer(struct kw_replicator *r, uint32_t peer, uint64_t now_ms)
{
    struct kw_peer *link = &r->peers[peer];

    if (now_ms - link->heard_ms > KW_LINK_SILENT_MS) {
        kw_link_cut(r, peer, "silent");
        return;
    }
    if (now_ms - link->reach_ms >= KW_REACH_MS) {
        kw_link_reach(r, peer, now_ms);
    }
    if (now_ms - link->vouched_ms >= link->vouch_ms) {
        kw_owners_vouch(r, peer, now_ms);
    }
    for (size_t i = 0; i < r->lane_count; i++) {
        r->lanes[i]->peers[peer].held_back = false;
        kw_progress_resend(&r->lanes[i]->peers[peer], now_ms);
    }
    kw_peer_pump(r, peer, now_ms);
}

/* A tick that is late says that we did not listen, not that nobody spoke: what was said meanwhile is still
 * to be read. */
static void forgive(struct kw_replicator *r, uint64_t now_ms)
{
    for (uint32_t peer = 0; peer < r->peer_count; peer++) {
        r->peers[peer].heard_ms = now_ms;
    }
}

void kw_replicator_tick(struct kw_replicator *replicator, uint64_t now_ms)
{
    if (now_ms - replicator->tick_ms > KW_LINK_SILENT_MS / 2) {
        forgive(replicator, now_ms);
    }
    replicator->tick_ms = now_ms;
    for (uint32_t peer = 0; peer < replicator->peer_count; peer++) {
        if (replicator->peers[peer].up) {
            tick_peer(replicator, peer, now_ms);
        }
    }
}
