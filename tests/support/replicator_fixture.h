/* Replicators of several cells in one process, on one loop that the test turns: real minds, real mutual TLS
 * on loopback, owners that the test plays (replicator_owner.h). And a peer that the test plays itself. */
#ifndef KW_TESTS_SUPPORT_REPLICATOR_FIXTURE_H
#define KW_TESTS_SUPPORT_REPLICATOR_FIXTURE_H

#include "common/base/clock.h"
#include "services/replicator/frame_codec.h"
#include "services/replicator/service.h"
#include "tests/support/certs.h"
#include "tests/support/must.h"
#include "tests/support/replicator_owner.h"

enum {
    REP_CELLS_MAX = 4,
    REP_TEXT = 192,
};

struct rep_cell {
    struct rep_mesh *mesh;
    size_t index;
    struct kw_place place;
    char credentials[3][REP_TEXT]; /* the replicator's, authz's, the orchestrator's */
    char spiffe_id[REP_TEXT];
    struct test_owner owners[KW_OWNER_COUNT_];
    struct kw_replicator_config config;
    char texts[REP_CELLS_MAX][REP_TEXT];
    char *list[REP_CELLS_MAX];
    char addresses[3][REP_TEXT];
    struct kw_replicator_service *service; /* NULL: it is away */
    int port;                              /* the same in every life */
    int seen_port;                         /* where others look for it; 0: the same */
    unsigned ready;
    bool failed;
    struct kw_error failure;
    bool drained;
    bool stopped;
};

struct rep_mesh {
    char dir[64];
    struct test_ca ca;
    struct kw_loop *loop;
    struct kw_timer turn;
    struct kw_rpc *rpc; /* of peers that the test plays */
    bool rpc_closed;
    struct rep_cell cells[REP_CELLS_MAX];
    size_t count;
};

/* Cells "eu/a eu/b us/a", with their owners and without their replicators. */
void rep_init(struct rep_mesh *mesh, const char *cells);
void rep_done(struct rep_mesh *mesh);
void rep_turn(struct rep_mesh *mesh);

/* All replicators; each is ready, and linked with its peers. */
void rep_start_all(struct rep_mesh *mesh);

/* One; it waits until that is ready. */
void rep_start(struct rep_cell *cell);

/* Without waiting. Fails: as kw_replicator_service_new. */
struct kw_result rep_begin(struct rep_cell *cell, struct kw_error *err);

/* Ends it as SIGTERM does; or at once. */
void rep_drain(struct rep_cell *cell);
void rep_stop(struct rep_cell *cell);

/* An owner of it dies, or begins again. */
void rep_owner_stop(struct test_owner *owner, struct rep_mesh *mesh);

/* Is there a link, for both of them? */
bool rep_linked(const struct rep_cell *cell, const struct rep_cell *peer);

/* How many links were cut for this reason, by anybody. */
int64_t rep_cuts(const char *reason);

/* --- a peer that the test plays --- */

struct rep_peer {
    struct rep_mesh *mesh;
    struct kw_hop_client *client;
    struct kw_hop_call *call; /* NULL: it is over, for `reason` and `why` */
    enum kw_reason reason;
    char why[REP_TEXT];
    bool deaf; /* gives no credit back */
    unsigned items;
    size_t bytes;
    unsigned frames[KW_FRAME_END_]; /* that came, by type */
    struct kw_buf coming;
    struct kw_link_hello hello; /* theirs */
};

/* A hop to a cell's replicator, with the credentials in `dir`. */
void rep_peer_connect(struct rep_peer *peer, struct rep_mesh *mesh, const struct rep_cell *to,
                      const char *dir);

/* Calls; with a greeting as `as`, if that is not NULL. */
void rep_peer_call(struct rep_peer *peer, uint32_t method);
void rep_peer_greet(struct rep_peer *peer, const struct rep_cell *as);

/* Says a frame; a piece as it is. False: the call takes no more now. */
bool rep_peer_say(struct rep_peer *peer, const struct kw_frame *frame,
                  const struct kw_link_hello *hello);
bool rep_peer_item(struct rep_peer *peer, struct kw_bytes item);
void rep_peer_close(struct rep_peer *peer);

#define REP_PATIENCE_NS (20ULL * 1000 * 1000 * 1000)

#define REP_EVENTUALLY(of_mesh, condition)                                                         \
    do {                                                                                           \
        uint64_t rep_end_ = kw_clock_mono_ns() + REP_PATIENCE_NS;                                  \
        while (!(condition) && kw_clock_mono_ns() < rep_end_) {                                    \
            rep_turn(of_mesh);                                                                     \
        }                                                                                          \
        REQUIRE(condition, "not within 20 s: %s", #condition);                                     \
    } while (0)

#endif
