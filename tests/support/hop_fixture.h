/* A hop in one process for tests: an inner end that does what the method number says, an outer end
 * that writes down what comes back, one loop that the test turns itself. */
#ifndef KW_TESTS_SUPPORT_HOP_FIXTURE_H
#define KW_TESTS_SUPPORT_HOP_FIXTURE_H

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/rpc/client.h"
#include "common/rpc/hop.h"
#include "common/rpc/methods.h"
#include "common/rpc/rpc.h"
#include "tests/support/certs.h"

#include <pthread.h>
#include <stdatomic.h>

#define OUTER_ID "spiffe://test/region/r/cell/c/svc/outer"
#define INNER_ID "spiffe://test/region/r/cell/c/svc/inner"

/* What the inner end does with a call. */
enum hop_method {
    HOP_ECHO,                  /* unary: the same back */
    HOP_PARK,                  /* nothing, ever */
    HOP_RELAY,                 /* every message back, then success at END */
    HOP_SINK,                  /* takes messages; consumes only when the test says so */
    HOP_SOURCE,                /* sends SOURCE_ITEMS messages of SOURCE_ITEM_LEN as credit allows */
    HOP_REFUSE,                /* ends with a status that has everything in it */
    HOP_HUGE,                  /* replies with more than an item may hold */
    HOP_TOO_BIG,               /* sends such an item, then nothing */
    HOP_LINK = KW_METHOD_LINK, /* a sink, of the method that has a wider window */
};

#define SOURCE_ITEMS    40U
#define SOURCE_ITEM_LEN (64U * 1024U)

struct hop_fixture {
    char dir[64];
    char outer_dir[80];
    char inner_dir[80];
    struct test_ca ca;
    struct kw_loop *loop;
    struct kw_timer tick;
    struct kw_rpc *rpc;
    bool rpc_closed;
    pthread_t aside;
    bool aside_runs;
    atomic_bool aside_ends;
    struct kw_hop_server *server;
    struct kw_hop_client *client;
    int port;
    struct kw_id boot_id;
    struct kw_id peer_boot_id; /* as the outer end learnt it */
    unsigned connects;
    unsigned losses;
    bool kept; /* calls are opened as an officer's */
    /* the inner end's diary */
    unsigned opened;
    unsigned cancelled;
    unsigned ended;
    size_t received;   /* bytes of items */
    size_t sent_items; /* by HOP_SOURCE */
    bool trace_seen;
    char seen_peer[128];
    struct kw_hop_call *sink; /* the call of HOP_SINK */
    bool drained;
};

/* One call as the outer end sees it. */
struct hop_outcome {
    struct hop_fixture *fx;
    struct kw_hop_call *call; /* NULL once it is over */
    unsigned items;
    size_t bytes;
    struct kw_buf last; /* the last item's data */
    unsigned writables;
    unsigned statuses;
    enum kw_reason reason;
    char field[32];
    char description[64];
    uint32_t retry_after_ms;
    struct kw_buf context;
    bool consume;
};

/* Loop, gRPC and certificates. The ends are started by the test. */
void hop_fixture_init(struct hop_fixture *fx);
void hop_fixture_done(struct hop_fixture *fx);

/* Listens on `fx->port` (0: any), accepting OUTER_ID. */
void hop_start_inner(struct hop_fixture *fx);
void hop_stop_inner(struct hop_fixture *fx);
void hop_start_outer(struct hop_fixture *fx);

/* The outer end with these targets. Fails as kw_hop_client_new does. */
struct kw_result hop_start_outer_to(struct hop_fixture *fx, const char *const *targets);

/* Both ends, connected. */
void hop_up(struct hop_fixture *fx);

/* Opens a call; `text` NULL: without a first item. */
struct kw_result hop_call(struct hop_fixture *fx, struct hop_outcome *outcome,
                          enum hop_method method, struct kw_bytes data, bool end,
                          uint64_t timeout_ms);
void hop_outcome_done(struct hop_outcome *outcome);

/* One turn of the loop: waits for something to happen, a few milliseconds at most. */
void hop_turn(struct hop_fixture *fx);

/* A waiting client with the outer side's certificate, for the inner end; the caller frees it. */
struct kw_client *hop_outer_client(const struct hop_fixture *fx);

/* Has a thread of its own turn the loop, while this one waits for an answer; and ends that. What
 * the fixture holds may be looked at before and after. */
void hop_turn_aside(struct hop_fixture *fx);
void hop_turn_here(struct hop_fixture *fx);

#define HOP_PATIENCE_NS (10ULL * 1000 * 1000 * 1000)

/* Turns the loop until `condition` holds; fails the test when it does not in 10 s. */
#define HOP_EVENTUALLY(fx, condition)                                                              \
    do {                                                                                           \
        uint64_t hop_end_ = kw_clock_mono_ns() + HOP_PATIENCE_NS;                                  \
        while (!(condition) && kw_clock_mono_ns() < hop_end_) {                                    \
            hop_turn(fx);                                                                          \
        }                                                                                          \
        if (!(condition)) {                                                                        \
            cr_fatal("not within 10 s: %s", #condition);                                           \
        }                                                                                          \
    } while (0)

#endif
