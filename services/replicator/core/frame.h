/* What two replicators say to one another. Plain data; everything borrows. How it is encoded is the
 * link's business, not the core's. */
#ifndef KW_SERVICES_REPLICATOR_CORE_FRAME_H
#define KW_SERVICES_REPLICATOR_CORE_FRAME_H

#include "common/base/id.h"
#include "services/replicator/core/progress.h"

/* The owners of replicated state in a cell; each has a database, a store id and lanes of its own. */
enum kw_owner {
    KW_OWNER_AUTHZ,
    KW_OWNER_ORCHESTRATOR,
    KW_OWNER_COUNT_,
};

enum kw_frame_type {
    KW_FRAME_HELLO = 1, /* first, both ways: who the sender is */
    KW_FRAME_REACH,    /* after it, and now and then: what the sender's owners hold, of all lanes */
    KW_FRAME_BATCH,    /* KWN1: changes of one lane, or none: a heartbeat */
    KW_FRAME_URGENT,   /* KWU1: a change ahead of its lane */
    KW_FRAME_ACK,      /* durably held, and merged */
    KW_FRAME_NEED,     /* changes before that batch are missing: go on from here */
    KW_FRAME_VOUCHER,  /* KWV1: who the sender's owner is, for those who do not know it yet */
    KW_FRAME_QUESTION, /* KWJ1: of the sender's owner to the receiver's */
    KW_FRAME_ANSWER,   /* KWD1, or a piece of it; empty: none now */
    KW_FRAME_END_,
};

/* One lane, and how far. */
struct kw_reach {
    enum kw_owner owner;
    struct kw_id lane;
    struct kw_extent extent;
};

struct kw_frame {
    enum kw_frame_type type;
    /* HELLO */
    struct kw_id mesh;
    struct kw_id stores[KW_OWNER_COUNT_]; /* of the sender's owners */
    /* REACH; ACK and NEED: one */
    const struct kw_reach *reaches;
    size_t reach_count;
    /* BATCH, URGENT, VOUCHER, QUESTION, ANSWER */
    enum kw_owner owner;
    struct kw_bytes record;
    /* QUESTION, ANSWER */
    uint64_t number;
    bool more; /* an answer has more pieces */
};

#endif
