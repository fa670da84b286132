/* Our owners: who they are, and who vouches for them. */
#include "services/replicator/core/replicator_internal.h"

#define VOUCH_FIRST_MS 1000U

void kw_owner_vouch(const struct kw_replicator *r, enum kw_owner owner, uint32_t peer)
{
    struct kw_frame frame = {
        .type = KW_FRAME_VOUCHER, .owner = owner, .record = kw_buf_bytes(&r->vouchers[owner])};

    if (r->peers[peer].up && frame.record.len > 0) {
        r->options.io.send(r->options.io.context, peer, &frame);
    }
}

/* Soon again, then ever more seldom: where our region has just come, its CAs may be news to the peer's owners. */
static uint64_t interval_after(uint64_t interval_ms)
{
    uint64_t next_ms = interval_ms == 0 ? VOUCH_FIRST_MS : 2 * interval_ms;

    return next_ms < KW_LINK_VOUCH_MS ? next_ms : KW_LINK_VOUCH_MS;
}

void kw_owners_vouch(struct kw_replicator *r, uint32_t peer, uint64_t now_ms)
{
    r->peers[peer].vouched_ms = now_ms;
    r->peers[peer].vouch_ms = interval_after(r->peers[peer].vouch_ms);
    for (size_t i = 0; i < KW_OWNER_COUNT_; i++) {
        kw_owner_vouch(r, (enum kw_owner)i, peer);
    }
}

void kw_replicator_owner(struct kw_replicator *replicator, enum kw_owner owner, struct kw_id store)
{
    replicator->options.stores[owner] = store;
    kw_buf_done(&replicator->vouchers[owner]);
    kw_carried_forget(replicator, owner);
    for (uint32_t peer = 0; peer < replicator->peer_count; peer++) {
        kw_link_cut(replicator, peer, "our owner begins anew");
    }
}

struct kw_result kw_replicator_voucher(struct kw_replicator *replicator, enum kw_owner owner,
                                       struct kw_bytes voucher, struct kw_error *err)
{
    kw_buf_clear(&replicator->vouchers[owner]);
    KW_TRY(kw_buf_append(&replicator->vouchers[owner], voucher, err));
    for (uint32_t peer = 0; peer < replicator->peer_count; peer++) {
        kw_owner_vouch(replicator, owner, peer);
    }
    return KW_OK;
}

/* Nothing more to be done with it: whoever needs it further away gets it with our owner's row of that
 * store. */
void kw_replicator_voucher_applied(struct kw_replicator *replicator, struct kw_ticket ticket,
                                   enum kw_lane_verdict verdict)
{
    (void)kw_link_judged(replicator, ticket, verdict);
}

void kw_replicator_unapplied(struct kw_replicator *replicator, struct kw_ticket ticket)
{
    if (kw_link_current(replicator, ticket)) {
        replicator->peers[ticket.peer].applies -= replicator->peers[ticket.peer].applies > 0;
    }
}
