/* The owner's side of replication: what authz and orchestrator tell the replicator of their cell, and
 * take from it, on a hop of its own (proto/keyward/internal/v1/feed.proto).
 *
 *     replicator                           owner
 *     FEED_SUBSCRIBE ────────────────────▶ standing; one at a time
 *       ◀── owner │ voucher │ lanes, urgents; then whatever grew
 *     FEED_READ lane, after ─────────────▶ read job ─▶ a batch in pieces, a heartbeat, nothing, trimmed
 *     FEED_APPLY piece, piece, … END ────▶ write job: judged, merged ─▶ durable ─▶ verdict, extent
 *     FEED_ACK store, lane, seq ─────────▶ write job, with those that wait ─▶ durable ─▶ answer
 *     FEED_PEERS stores ─────────────────▶ whom to ask: what follows from it is in errands.h
 *       ◀── question                         of ours, to one of them
 *     FEED_ANSWERED piece ───────────────▶ … of the answer
 *     FEED_ASK question ─────────────────▶ read job ─▶ answer in pieces
 *
 * Who brings a change is not asked whether it is good: owners signed it, and common/feed judges it. So a
 * wrong replicator makes the mesh late, and nothing false. It can fill no memory either: what is read for
 * it, and what it brought and is not durable yet, is bounded by bytes.
 *
 * What must stay true:
 * - Nothing is answered before it is durable, and no promise leaves that is not.
 * - Local writes never wait for it.
 * - Without a subscriber nothing is promised or said: what waits is released, what all have is deleted, and figures are
 *   made, seldom.
 *
 * Loop thread, all of it.
 */
#ifndef KW_COMMON_FEED_SERVICE_FEED_SERVICE_H
#define KW_COMMON_FEED_SERVICE_FEED_SERVICE_H

#include "common/feed/feed.h"
#include "common/feed/freshness.h"
#include "common/feed_service/identity.h"
#include "common/rpc/hop.h"

struct kw_feed_service;

/* What pointers point to outlives the service. */
struct kw_feed_service_options {
    struct kw_loop *loop;
    struct kw_rpc *rpc;
    struct kw_store *store;
    struct kw_feed *feed;              /* opened, with the identity's trust as its `vouchers` */
    struct kw_feed_identity *identity; /* renewed here */
    const char *listen;                /* "127.0.0.1:0" */
    uint64_t
        keep_ms; /* after the start, what all have acknowledged is kept: others may begin, too */
    uint64_t pace_ms; /* of what is asked of neighbours (errands.h); 0: KW_ERRAND_PACE_MS */
    /* Where the replicator has its certificate renewed, inward; it points to NULL while nobody is there. NULL:
     * nowhere. */
    struct kw_hop_client *const *inner;
    /* Others hold more of a lane, or who they are was looked at: now and then. NULL: nobody asks. */
    void (*held)(void *context);
    void *context;
};

/* Listens, for the replicator of the own cell and for nobody else, and begins to vouch for the store.
 * Fails: CONFIG_INVALID (address, credentials), SYSTEM, MEMORY. */
struct kw_result kw_feed_service_start(const struct kw_feed_service_options *options,
                                       struct kw_feed_service **ret_service, int *ret_port,
                                       struct kw_error *err);

/* How old what is known of other regions is (common/feed/freshness.h), by a figure that is made anew every
 * KW_FEED_UPKEEP_MS; KW_FRESHNESS_NEVER: nothing is known, also before it was made. 0: no other region is waited
 * for; or `service` is NULL: nothing is replicated. Any thread. */
uint64_t kw_feed_service_age_ms(const struct kw_feed_service *service, uint64_t wall_ms);

/* The owner drains: nobody waits longer for copies (second_copy.h) than any change does. Accepts NULL. */
void kw_feed_service_hurry(struct kw_feed_service *service);

/* Is not all here yet that a donor has, so that nothing is to be decided by what is (feed_join.h)? Any thread.
 * `service` NULL: no. */
bool kw_feed_service_joins(const struct kw_feed_service *service);

/* Ends the standing call, takes no new ones; `drained` when what was asked is answered. */
void kw_feed_service_drain(struct kw_feed_service *service, void (*drained)(void *context),
                           void *context);

/* Cancels what is left; `closed` when it uses neither loop nor store nor gRPC any more: then the store
 * may be closed. */
void kw_feed_service_close(struct kw_feed_service *service, void (*closed)(void *context),
                           void *context);

/* After `closed`, and after store and loop have ended. Accepts NULL. */
void kw_feed_service_free(struct kw_feed_service *service);

#endif
