/* An owner of the own cell, authz or orchestrator, as the replicator sees it: who it is and what it holds,
 * told on a standing call; and what it is asked (proto/keyward/internal/v1/feed.proto).
 *
 *     FEED_SUBSCRIBE ──▶ begun, voucher, lane, urgent …   as they come
 *     kw_owner_read  ──FEED_READ──▶ read                  once each, whatever happens
 *     kw_owner_apply ──FEED_APPLY─▶ applied               likewise; in order, but what is urgent first
 *     kw_owner_ack   ──FEED_ACK───▶ (noted)               of one lane the newest is enough
 *
 * All of it goes on the stream of the standing call, so that one process of the owner hears it, in order.
 * An owner that is away is asked again and again; what it was asked meanwhile ends without an answer.
 * Loop thread.
 */
#ifndef KW_SERVICES_REPLICATOR_OWNER_H
#define KW_SERVICES_REPLICATOR_OWNER_H

#include "common/rpc/hop.h"
#include "services/replicator/core/replicator.h"

struct kw_owner_client;

/* "authz", "orchestrator": its name in SPIFFE ids, settings and metrics. */
const char *kw_owner_name(enum kw_owner owner);

/* A lane, as the owner holds it. */
struct kw_owner_lane {
    struct kw_id id;
    struct kw_place origin;
    struct kw_extent extent;
};

/* What a peer brought, as it was handed over and what became of it. Borrowed. */
struct kw_owner_judged {
    struct kw_ticket ticket;
    enum kw_frame_type type; /* BATCH, URGENT, VOUCHER */
    struct kw_bytes record;
    bool judged; /* else the owner was not there, or had no room, and the rest says nothing */
    enum kw_lane_verdict verdict;
    struct kw_reach held;
};

/* `context` is the options'. */
struct kw_owner_events {
    /* The owner has begun a life, with this store; then it tells of all its lanes. */
    void (*begun)(void *context, enum kw_owner owner, struct kw_id mesh, struct kw_id store);
    void (*told)(void *context, enum kw_owner owner); /* it is there (again) */
    void (*lost)(void *context, enum kw_owner owner); /* it is not there any more */
    void (*lane)(void *context, enum kw_owner owner, const struct kw_owner_lane *lane);
    void (*urgent)(void *context, enum kw_owner owner, struct kw_bytes urgent);
    void (*voucher)(void *context, enum kw_owner owner, struct kw_bytes voucher);
    /* An empty batch: nothing, for now. */
    void (*read)(void *context, struct kw_ticket ticket, struct kw_bytes batch,
                 struct kw_extent extent);
    void (*applied)(void *context, const struct kw_owner_judged *judged);
};

struct kw_owner_options {
    struct kw_rpc *rpc;
    struct kw_loop *loop;
    enum kw_owner owner;
    const char *target;          /* host:port of its feed listener */
    const char *credentials_dir; /* these four are borrowed */
    const char *trust_domain;
    const char *region;
    const char *cell;
    struct kw_owner_events events;
    void *context;
};

/* Begins to call it. Fails: CONFIG_INVALID, ARGUMENT_INVALID (names), MEMORY. */
struct kw_result kw_owner_new(const struct kw_owner_options *options,
                              struct kw_owner_client **ret_client, struct kw_error *err);

/* What is under way ends without an answer, and is said to; then `closed`. */
void kw_owner_close(struct kw_owner_client *client, void (*closed)(void *context), void *context);

/* After `closed`. Accepts NULL. */
void kw_owner_free(struct kw_owner_client *client);

/* For the renewal of the own certificate; what it points at is NULL once the hop is closed. */
struct kw_hop_client *const *kw_owner_hop(const struct kw_owner_client *client);

/* Asks for the lane's next batch after `after`; `read` follows, perhaps before this returns. */
void kw_owner_read(struct kw_owner_client *client, struct kw_ticket ticket, uint64_t after);

/* Hands over what a peer brought (copied); `applied` follows, perhaps before this returns. */
void kw_owner_apply(struct kw_owner_client *client, struct kw_ticket ticket,
                    enum kw_frame_type type, struct kw_bytes record);

/* A peer's store holds a lane durably so far, says the cell of that place, which is copied. */
void kw_owner_ack(struct kw_owner_client *client, const struct kw_place *place, struct kw_id store,
                  struct kw_id lane, uint64_t seq);

#endif
