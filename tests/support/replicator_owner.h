/* An owner that a test plays to a replicator: it holds lanes as numbers, tells of them, hands over batches
 * that say no more than lane, from and to, judges those of others by counting, and does wrong what the
 * test wants.
 */
#ifndef KW_TESTS_SUPPORT_REPLICATOR_OWNER_H
#define KW_TESTS_SUPPORT_REPLICATOR_OWNER_H

#include "common/feed/lane_check.h"
#include "common/rpc/hop.h"
#include "common/rpc/rpc.h"
#include "services/replicator/core/frame.h"
#include "services/replicator/core/place.h"

enum {
    OWNER_LANES_MAX = 24,
    OWNER_HEARD_MAX = 64,
    OWNER_PARKED_MAX = 512,
};

/* What it does wrong. */
enum owner_wrong {
    OWNER_GOOD,
    OWNER_NO_NAME,    /* tells of lanes before it says who it is */
    OWNER_TWO_NAMES,  /* says it twice */
    OWNER_BAD_STORE,  /* its store's id is too short */
    OWNER_GARBAGE,    /* what it tells is no message */
    OWNER_BAD_PLACE,  /* a lane of a place without a name */
    OWNER_OTHER_LANE, /* hands over a batch of another lane than it was asked for */
    OWNER_LONG_BATCH, /* one that is too long */
    OWNER_NO_FINDING, /* one without saying what it found */
    OWNER_NO_VERDICT, /* judges without a verdict */
    OWNER_NO_EXTENT,  /* and without saying how far it holds the lane */
    OWNER_TRIMMED,    /* has deleted what it is asked for */
    OWNER_UNREADABLE, /* can't read what it is handed */
    OWNER_BUSY,       /* has no room for it */
};

struct owner_lane {
    struct kw_id id;
    struct kw_place origin;
    struct kw_extent extent;
};

struct owner_ack {
    struct kw_id store;
    struct kw_id lane;
    uint64_t seq;
};

struct test_owner {
    struct kw_loop *loop;
    enum kw_owner kind;
    struct kw_id mesh;
    struct kw_id store;
    struct kw_place place;
    const char *credentials_dir;
    const char *replicator; /* who may connect */
    struct kw_rpc *rpc;     /* of this life: it has a boot id */
    bool rpc_closed;
    struct kw_hop_server *server; /* NULL: it is away */
    int port;                     /* the same in every life */
    struct kw_hop_call *standing;
    enum owner_wrong wrong;
    struct owner_lane lanes[OWNER_LANES_MAX]; /* the first is its own */
    size_t lane_count;
    uint64_t batch;                 /* changes of one batch */
    size_t padding;                 /* bytes of one, beside */
    const char *voucher;            /* or NULL */
    bool parks;                     /* judges nothing, notes nothing, until owner_unpark */
    void *parked[OWNER_PARKED_MAX]; /* records */
    size_t parked_count;
    struct kw_hop_call *parked_acks[OWNER_PARKED_MAX];
    size_t parked_ack_count;
    enum kw_lane_verdict verdict; /* if not 0: what it makes of all */
    /* its diary */
    unsigned subscribed;
    unsigned reads;
    unsigned applies; /* records, of all kinds */
    unsigned gaps;
    size_t longest; /* record */
    unsigned acks_told;
    enum kw_reason acks_end;                /* how acknowledgements end */
    struct owner_ack acks[OWNER_HEARD_MAX]; /* the newest of each store and lane */
    size_t ack_count;
    char urgents[OWNER_HEARD_MAX][32]; /* heard of, once each */
    size_t urgent_count;
    unsigned urgents_known; /* that were known */
    unsigned urgent_at;     /* which record the last one was */
    char vouchers[OWNER_HEARD_MAX][32];
    size_t voucher_count;
};

/* Set: loop, kind, mesh, store, place, credentials_dir, replicator. Begins a life. */
void owner_start(struct test_owner *owner);

/* Ends it, as a crash does; the test turns the loop by `turn`. */
void owner_stop(struct test_owner *owner, void (*turn)(void *context), void *context);

/* It makes changes, and promises. */
void owner_write(struct test_owner *owner, uint64_t changes);
void owner_promise(struct test_owner *owner, uint64_t closed);
void owner_vouch(struct test_owner *owner, const char *text);

/* False: not now, the standing call takes no more. */
bool owner_urgent(struct test_owner *owner, const char *text);

/* It holds so much of another's lane, and tells. */
struct owner_lane *owner_hold(struct test_owner *owner, struct kw_id lane,
                              const struct kw_place *origin, uint64_t seq);

/* Answers what it parked, and judges again. */
void owner_unpark(struct test_owner *owner);

/* Its own lane; how far it holds a lane; what a peer's store acknowledged of it. */
struct kw_id owner_lane_id(const struct test_owner *owner);
uint64_t owner_held(const struct test_owner *owner, struct kw_id lane);
uint64_t owner_acked(const struct test_owner *owner, struct kw_id store, struct kw_id lane);

/* A batch as this owner makes it: to be said by a peer that a test plays. */
struct kw_bytes owner_batch(struct kw_id lane, uint64_t from, uint64_t to, size_t len,
                            uint8_t *room);

#endif
