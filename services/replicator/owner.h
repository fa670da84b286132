/* An owner of the own cell, authz or orchestrator, as the replicator sees it: who it is and what it holds,
 * told on a standing call; and what it is asked (proto/keyward/internal/v1/feed.proto).
 *
 *     FEED_SUBSCRIBE ──▶ begun, voucher, lane, urgent …   as they come
 *     kw_owner_read  ──FEED_READ──▶ read                  once each, whatever happens
 *     kw_owner_apply ──FEED_APPLY─▶ applied               likewise; in order, but what is urgent first
 *     kw_owner_ack   ──FEED_ACK───▶ (noted)               of one lane the newest is enough
 *     kw_owner_peers ──FEED_PEERS─▶ (taken)               then it may ask: question
 *     kw_owner_ask   ──FEED_ASK───▶ replied, replied …    another cell's question, to it
 *     kw_owner_answered ─FEED_ANSWERED─▶ (taken)          what came of its own
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

/* A question of the owner. Borrowed. */
struct kw_owner_question {
    uint64_t number;
    struct kw_id store; /* whom it asks */
    struct kw_bytes record;
};

/* Somebody else's question to the owner, until it is replied to. */
struct kw_owner_asked {
    uint32_t peer;
    uint64_t link; /* which life of the link it came on */
    uint64_t number;
};

/* One that can be asked. */
struct kw_owner_peer {
    struct kw_id store;
    const struct kw_place *place; /* borrowed */
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
    void (*question)(void *context, enum kw_owner owner, const struct kw_owner_question *question);
    /* A piece of what it says to a question; the last one has no `more`, and is empty if that is nothing. */
    void (*replied)(void *context, enum kw_owner owner, const struct kw_owner_asked *asked,
                    struct kw_bytes piece, bool more);
    void (*peers_untold)(void *context, enum kw_owner owner); /* they were not taken */
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

/* Whom it may ask, at most KW_PEERS_MAX. `peers_untold` follows if it did not take that, perhaps before this
 * returns. */
void kw_owner_peers(struct kw_owner_client *client, const struct kw_owner_peer *peers,
                    size_t count);

/* Another owner asks it (KWJ1); `replied` follows, perhaps before this returns. */
void kw_owner_ask(struct kw_owner_client *client, const struct kw_owner_asked *asked,
                  struct kw_bytes record);

/* A piece of what was answered to its question. What is lost it asks again. */
void kw_owner_answered(struct kw_owner_client *client, uint64_t number, uint32_t part,
                       struct kw_bytes piece, bool more);

#endif
