/* The officers' desk: which stores are members, by which keys and in which lives, and what of a fenced one is
 * honoured. What is said here every cell is told: within SIM_ORDER_MS if it is up, else when it starts.
 *
 * A fence is drawn up by what the survivors hold: each says so when it is told, and is told again when
 * another one had more. */
#ifndef KW_TESTS_SIM_DESK_H
#define KW_TESTS_SIM_DESK_H

#include "common/crypto/key.h"
#include "common/feed/lane.h"
#include "tests/sim/sim.h"

struct sim_life {
    struct kw_id incarnation;
    struct kw_id lane;
    uint64_t fence; /* the last number of it that is honoured */
};

/* A store. */
struct sim_member {
    struct kw_id id;
    size_t cell;
    const struct kw_private_key *key;
    struct sim_life lives[SIM_LIVES_MAX];
    size_t life_count;
    bool fenced;
    uint64_t fenced_ms;
    uint64_t raised_ms;                            /* when its fence last grew */
    uint64_t version;                              /* of what is said of it */
    uint64_t says[SIM_STORES_MAX * SIM_LIVES_MAX]; /* of lanes, in its own: trim.c */
};

struct sim_desk {
    struct sim_member members[SIM_STORES_MAX];
    size_t count;
};

/* What a cell was told of a store, and has in its rows. */
struct sim_told {
    uint64_t version;
    size_t life_count;
    bool fenced;
    uint64_t fence[SIM_LIVES_MAX];
};

extern const struct kw_id sim_mesh;

/* The members' signing keys, the same for all runs; the last one is of somebody who is none. */
void sim_desk_make_keys(void);
const struct kw_private_key *sim_forger_key(void);

/* The member whose store this is, new if it was never heard of. */
size_t sim_desk_member(struct sim *sim, struct kw_id store, size_t cell);
size_t sim_desk_find(const struct sim *sim, struct kw_id store);

/* A store lives this incarnation: everybody is told. */
void sim_desk_life(struct sim *sim, size_t member, const struct kw_lane *lane);

/* Nothing more of this store, but for what survivors have. */
void sim_desk_fence(struct sim *sim, size_t member);

/* Its tail is gone. Who joins by it has rows of that, and no lane that says so: others may lack them for good, which
 * is for the comparison of rows to mend. */
void sim_desk_leaks(struct sim *sim, size_t member);

/* Has this cell not heard yet that some store is fenced? Its rows may be more than is honoured of that one, and who joins by
 * it has them, too. */
bool sim_desk_lacks_fence(const struct sim *sim, size_t cell);

/* How much of that lane of a fenced store is honoured now; of others, everything. */
uint64_t sim_desk_honours(const struct sim *sim, size_t member, struct kw_id lane);

/* Tells a cell, which is up, everything now. */
void sim_desk_tell(struct sim *sim, size_t cell);

#endif
