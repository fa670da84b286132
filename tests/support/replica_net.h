/* A mesh of replicators on a virtual network: real minds, owners that only count. For the replicator's
 * own tests; the simulator (tests/sim) has real owners.
 *
 * Each cell has one lane, its own, and what it holds of a lane is a number. A batch is that number, from
 * and to; a network is a queue of frames with a time each, one for each direction of a link. Nothing
 * here sleeps or asks a clock.
 */
#ifndef KW_TESTS_SUPPORT_REPLICA_NET_H
#define KW_TESTS_SUPPORT_REPLICA_NET_H

#include "services/replicator/core/replicator.h"

enum {
    NET_CELLS_MAX = 9,
    NET_FRAMES_MAX = 256, /* on one wire */
};

struct net_frame {
    uint64_t due_ms;
    enum kw_frame_type type;
    struct kw_id stores[KW_OWNER_COUNT_];
    struct kw_reach reaches[NET_CELLS_MAX];
    size_t reach_count;
    uint64_t batch[4]; /* lane, from, to, closed; of an urgent change: lane, number */
};

/* One direction of a link. */
struct net_wire {
    struct net_frame *frames[NET_FRAMES_MAX];
    size_t first;
    size_t count;
    uint64_t last_ms; /* frames keep their order */
    bool stalled;     /* holds everything, loses nothing */
};

struct net_cell {
    struct replica_net *net;
    size_t index;
    bool down;
    struct kw_replicator *replicator;
    size_t peer_cells[NET_CELLS_MAX];
    size_t peer_count;
    struct kw_extent held[NET_CELLS_MAX]; /* by origin */
    uint64_t urgent[NET_CELLS_MAX];       /* the last one heard of */
    uint64_t applied;                     /* batches that brought news */
    uint64_t useless;                     /* batches that brought none, but changes */
    uint64_t received[NET_CELLS_MAX];     /* batches with changes, by origin */
    uint64_t cuts;
    const char *why;
};

struct replica_net {
    uint64_t now_ms;
    uint64_t random;
    uint64_t delay_ms;
    uint64_t jitter_ms;
    uint64_t batch; /* changes of one batch: few, so that there are many batches */
    size_t count;
    struct kw_place places[NET_CELLS_MAX];
    struct net_cell cells[NET_CELLS_MAX];
    struct net_wire wires[NET_CELLS_MAX][NET_CELLS_MAX]; /* from, to */
    bool linked[NET_CELLS_MAX][NET_CELLS_MAX];           /* is up now */
    bool blocked[NET_CELLS_MAX][NET_CELLS_MAX];          /* may not come up */
    size_t in_flight_max; /* batches of one lane on one wire, the most there ever were */
};

/* `regions` × `letters` cells, all links up. */
void net_init(struct replica_net *net, size_t regions, size_t letters, uint64_t seed);
void net_done(struct replica_net *net);

/* A number below `end`. */
uint64_t net_random(struct replica_net *net, uint64_t end);

/* The cell makes a change; at the same time it promises. */
void net_write(struct replica_net *net, size_t cell);
void net_write_urgent(struct replica_net *net, size_t cell);

/* Nothing goes between two cells: the link is down until it is lifted. */
void net_block(struct replica_net *net, size_t a, size_t b, bool blocked);

/* A cell dies, with what it had not told; what it held durably it has when it comes back. */
void net_crash(struct replica_net *net, size_t cell);
void net_restart(struct replica_net *net, size_t cell);

/* Time passes, in steps, with heartbeats and ticks. */
void net_run(struct replica_net *net, uint64_t ms);

/* Does every cell that is up hold the same of all lanes, and everything? */
bool net_equal(const struct replica_net *net);

#endif
