/* The replicator's mind: which lane goes to which peer, from where on, and when. Everything that
 * decides is here, without I/O, threads or a clock: events go in, wishes come out by the callbacks
 * of struct kw_replicator_io, and the answers to wishes are events again. The service drives it from
 * its loop, the simulator from its own.
 *
 *     our owner ──lane is at 7──▶ ┌──────────┐ ──read(lane, after 5)──▶ our owner
 *                                 │ lanes    │ ◀──read_done(batch)─────
 *     peer ──ack(lane, 5)───────▶ │  × peers │ ──send(BATCH)──────────▶ peer
 *     peer ──BATCH──────────────▶ │          │ ──apply(batch)─────────▶ our owner
 *          ◀──ACK, NEED────────── └──────────┘ ◀──applied(verdict)─────
 *
 * What must stay true:
 * - Nothing it does can corrupt state: owners sign what they send and check what they apply. A
 *   wrong replicator makes the mesh late, and the staleness of signed heads shows it.
 * - It holds no batch longer than a call: back-pressure is credit. At most KW_LINK_BATCHES_MAX
 *   batches of a lane are on their way to one peer, and a peer that acknowledges nothing gets
 *   nothing more. Our owners are never made to wait.
 * - After a link was down both sides say what they hold, and go on from there. There is no other state
 *   to be agreed on.
 *
 * One thread.
 */
#ifndef KW_SERVICES_REPLICATOR_CORE_REPLICATOR_H
#define KW_SERVICES_REPLICATOR_CORE_REPLICATOR_H

#include "common/feed/lane_check.h"
#include "services/replicator/core/frame.h"
#include "services/replicator/core/place.h"

struct kw_replicator;

/* Names a wish until it is answered. */
struct kw_ticket {
    uint32_t peer;
    enum kw_owner owner;
    struct kw_id lane; /* of a read */
    uint64_t link;     /* which life of the link; what comes for an earlier one is dropped */
};

struct kw_replicator_io {
    void *context;
    /* Hands a frame to the link, in order. */
    void (*send)(void *context, uint32_t peer, const struct kw_frame *frame);
    /* Has the link room for another batch? Where it has not, none is read, until kw_replicator_writable.
     * NULL: always. */
    bool (*room)(void *context, uint32_t peer);
    /* The same for an urgent change, which goes ahead of batches. Where there is none it is left to its
     * lane. NULL: always. */
    bool (*urgent_room)(void *context, uint32_t peer);
    /* Asks our owner for the lane's next batch after `after`; answered by kw_replicator_read. */
    void (*read)(void *context, struct kw_ticket ticket, uint64_t after);
    /* Hands a batch to our owner; answered by kw_replicator_applied, or kw_replicator_unapplied. */
    void (*apply)(void *context, struct kw_ticket ticket, struct kw_bytes batch);
    /* The same for an urgent change; answered by kw_replicator_urgent_applied. */
    void (*apply_urgent)(void *context, struct kw_ticket ticket, struct kw_bytes urgent);
    /* The same for a peer's voucher; answered by kw_replicator_voucher_applied. */
    void (*apply_voucher)(void *context, struct kw_ticket ticket, struct kw_bytes voucher);
    /* A peer's store holds this durably: for retention, and for who waits for a second copy. */
    void (*acked)(void *context, uint32_t peer, enum kw_owner owner, struct kw_id peer_store,
                  struct kw_id lane, uint64_t seq);
    /* A peer's owner asks ours, or answers it: QUESTION, ANSWER. NULL: nobody does. */
    void (*question)(void *context, uint32_t peer, const struct kw_frame *frame);
    /* The peer broke the rules, or we begin anew: cut the link. `why` is a constant. */
    void (*cut)(void *context, uint32_t peer, const char *why);
};

struct kw_replicator_options {
    struct kw_id mesh;
    struct kw_id stores[KW_OWNER_COUNT_]; /* our owners', those that are known */
    struct kw_place us;
    struct kw_places cells; /* all of the mesh, us included; borrowed */
    struct kw_replicator_io io;
};

/* A peer is its index in kw_place_peers. `options` is copied, what it points to is not. Fails: MEMORY,
 * LIMIT_REACHED (more than KW_PEERS_MAX peers). */
struct kw_result kw_replicator_new(const struct kw_replicator_options *options,
                                   struct kw_replicator **ret_replicator, struct kw_error *err);

/* Accepts NULL. */
void kw_replicator_free(struct kw_replicator *replicator);

/* --- events: links --- */

/* A link is there. Not before an owner of ours is known, since our hello says who they are. */
void kw_replicator_link_up(struct kw_replicator *replicator, uint32_t peer, uint64_t now_ms);
void kw_replicator_link_down(struct kw_replicator *replicator, uint32_t peer);

/* A frame has come. It is not kept. */
void kw_replicator_frame(struct kw_replicator *replicator, uint32_t peer,
                         const struct kw_frame *frame, uint64_t now_ms);

/* There is room again on its link. */
void kw_replicator_writable(struct kw_replicator *replicator, uint32_t peer, uint64_t now_ms);

/* The store of a peer's owner, once it has said hello and how far it is, and while its link is up; else none. */
struct kw_id kw_replicator_peer_store(const struct kw_replicator *replicator, uint32_t peer,
                                      enum kw_owner owner);

/* --- events: our owners --- */

/* An owner has begun a life, with this store: what was known of it is forgotten, it tells of its lanes anew,
 * and so do we, by links made anew. */
void kw_replicator_owner(struct kw_replicator *replicator, enum kw_owner owner, struct kw_id store);

/* Who our owner is, for those who don't know it yet: told to every peer, now and with each new link.
 * Copied. Fails: MEMORY (it has none then). */
struct kw_result kw_replicator_voucher(struct kw_replicator *replicator, enum kw_owner owner,
                                       struct kw_bytes voucher, struct kw_error *err);

/* An owner holds this much of a lane: told for every lane at the start, and whenever it grows. `origin`
 * is where its store is. Fails: LIMIT_REACHED (more than KW_LANES_MAX), MEMORY. */
struct kw_result kw_replicator_lane(struct kw_replicator *replicator, enum kw_owner owner,
                                    struct kw_id lane, const struct kw_place *origin,
                                    struct kw_extent extent, uint64_t now_ms, struct kw_error *err);

/* What was read: a batch and how far it goes; empty: nothing now. */
void kw_replicator_read(struct kw_replicator *replicator, struct kw_ticket ticket,
                        struct kw_bytes batch, struct kw_extent extent, uint64_t now_ms);

/* How a batch of `ticket` was judged, and what is now held of its lane. */
void kw_replicator_applied(struct kw_replicator *replicator, struct kw_ticket ticket,
                           enum kw_lane_verdict verdict, const struct kw_reach *held);

/* An urgent change of our own, to be sent at once. */
void kw_replicator_urgent(struct kw_replicator *replicator, enum kw_owner owner,
                          struct kw_bytes urgent);

/* How an urgent change of `ticket` was judged, and the change: news travels on. */
void kw_replicator_urgent_applied(struct kw_replicator *replicator, struct kw_ticket ticket,
                                  enum kw_lane_verdict verdict, struct kw_bytes urgent);

/* How a voucher of `ticket` was judged. */
void kw_replicator_voucher_applied(struct kw_replicator *replicator, struct kw_ticket ticket,
                                   enum kw_lane_verdict verdict);

/* Nobody judged what was handed over: our owner was not there. Who brought it brings it again. */
void kw_replicator_unapplied(struct kw_replicator *replicator, struct kw_ticket ticket);

/* --- time --- */

/* Time has passed: backups look who has fallen behind. At least every KW_LINK_TICK_MS. */
void kw_replicator_tick(struct kw_replicator *replicator, uint64_t now_ms);

/* --- to be shown --- */

/* What a peer has not said it holds of what our owner holds: changes of all lanes together, and by how much
 * the promise that is furthest back is older than ours. As known when it last said so. */
struct kw_lag {
    uint64_t changes;
    uint64_t promise_ms;
};

struct kw_lag kw_replicator_lag(const struct kw_replicator *replicator, uint32_t peer,
                                enum kw_owner owner);

#endif
