/* What the replicator's own files share. Not for users of replicator.h. */
#ifndef KW_SERVICES_REPLICATOR_CORE_INTERNAL_H
#define KW_SERVICES_REPLICATOR_CORE_INTERNAL_H

#include "services/replicator/core/replicator.h"

/* One lane and how far each peer has come in it. */
struct kw_carried {
    enum kw_owner owner;
    struct kw_id id;
    struct kw_extent ours;
    unsigned turns[KW_PEERS_MAX]; /* place.h */
    struct kw_progress peers[KW_PEERS_MAX];
};

struct kw_peer {
    uint64_t link; /* which life of the link; answers for an earlier one are dropped */
    bool up;
    bool ready; /* its HELLO and first REACH are here */
    struct kw_id stores[KW_OWNER_COUNT_];
    uint64_t begun_ms;
    uint64_t heard_ms;
    uint64_t reach_ms; /* when we told it our reach */
    uint64_t needs_ms; /* since when `needs` are counted */
    unsigned needs;
    uint64_t refused_ms; /* the same for records that our owner refused */
    unsigned refused;
    uint64_t known_ms; /* and for those that say nothing new */
    unsigned known;
    uint64_t reaches_ms; /* and for reaches, and vouchers, that it sends */
    unsigned reaches;
    uint64_t vouchers_ms;
    unsigned vouchers;
    uint64_t vouched_ms; /* when we told it who our owners are */
    uint64_t vouch_ms;   /* how long after that again */
    unsigned applies;    /* records that our owners have not judged yet */
    unsigned reads;      /* batches for it that our owners have not handed over yet */
    size_t turn;         /* the lane whose turn it is, when there is room for one */
};

struct kw_replicator {
    struct kw_replicator_options options;
    struct kw_place places[KW_PEERS_MAX]; /* where peers are */
    size_t peer_count;
    uint64_t tick_ms; /* the last tick */
    struct kw_peer peers[KW_PEERS_MAX];
    struct kw_buf vouchers[KW_OWNER_COUNT_]; /* of our owners; empty: none yet */
    struct kw_carried *lanes[KW_LANES_MAX];
    size_t lane_count;
    struct kw_reach reaches[KW_LANES_MAX]; /* room for one frame */
};

/* --- lanes.c --- */

/* The lane, or NULL. */
struct kw_carried *kw_carried_find(struct kw_replicator *r, enum kw_owner owner, struct kw_id id);

/* Asks our owner for what this peer, or every peer, may be sent now. */
void kw_carried_pump(struct kw_replicator *r, struct kw_carried *lane, uint32_t peer,
                     uint64_t now_ms);
void kw_carried_pump_all(struct kw_replicator *r, struct kw_carried *lane, uint64_t now_ms);

/* The same for every lane of a peer, each in its turn. */
void kw_peer_pump(struct kw_replicator *r, uint32_t peer, uint64_t now_ms);

/* Forgets all lanes of an owner. */
void kw_carried_forget(struct kw_replicator *r, enum kw_owner owner);

/* --- owners.c --- */

/* Tells a peer who our owner is, as far as we know. */
void kw_owner_vouch(const struct kw_replicator *r, enum kw_owner owner, uint32_t peer);

/* The same of all of them: with a new link, and now and then, since it may have been refused for want of CAs, or
 * of room, that are there by now. */
void kw_owners_vouch(struct kw_replicator *r, uint32_t peer, uint64_t now_ms);

/* --- verdicts.c --- */

enum kw_reply {
    KW_REPLY_NONE, /* it may pass: our members' list may be behind theirs */
    KW_REPLY_ACK,
    KW_REPLY_NEED,
    KW_REPLY_CUT, /* no honest cell hands that on: its own owner would have refused it */
};

/* What a peer is told of a batch that was judged so. */
enum kw_reply kw_reply_to(enum kw_lane_verdict verdict);

/* --- links.c --- */

/* Is the ticket's link still the same? */
bool kw_link_current(const struct kw_replicator *r, struct kw_ticket ticket);

/* Tells a peer what we hold of all lanes. */
void kw_link_reach(struct kw_replicator *r, uint32_t peer, uint64_t now_ms);

/* Our owner has judged a record of this ticket: who brings what no honest cell hands on, or too much
 * that is refused, is cut. False: its link is no more. */
bool kw_link_judged(struct kw_replicator *r, struct kw_ticket ticket, enum kw_lane_verdict verdict);

/* The peer broke the rules. */
void kw_link_cut(struct kw_replicator *r, uint32_t peer, const char *why);

#endif
