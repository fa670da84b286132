/* The truth: what was acknowledged, when and where, as no cell knows it. Held against what cells allow while
 * faults last, and against what they all say when it is quiet. */
#ifndef KW_TESTS_SIM_TRUTH_H
#define KW_TESTS_SIM_TRUTH_H

#include "tests/sim/cell.h"

enum {
    SIM_PARTNERS_MAX = 24,
    SIM_GRANTS_MAX = 1024,
    SIM_SUSPENSIONS_MAX = 40, /* of one partner: fewer than fit into a set */
    SIM_REVOKE_ALLS_MAX = 64,
    SIM_REQUESTS_MAX = 256,
    SIM_KEYS_MAX = 512,
    SIM_DEVICES = 8,
};

/* When something that disables was acknowledged, and where. 0: it was not. */
struct sim_stop {
    uint64_t at_ms;
    size_t cell;
};

struct sim_suspension {
    struct kw_id id;
    struct sim_stop stop;
    bool lifted; /* by somebody who knew of it */
};

struct sim_revoke_all {
    struct sim_stop stop;
    uint64_t count; /* of its cell's store, after it */
};

struct sim_partner {
    struct kw_id id;
    struct sim_stop revoked;
    struct sim_suspension suspensions[SIM_SUSPENSIONS_MAX];
    size_t suspension_count;
    struct sim_revoke_all revoke_alls[SIM_REVOKE_ALLS_MAX];
    size_t revoke_all_count;
};

struct sim_grant {
    struct kw_id id;
    size_t partner;
    uint64_t seen[SIM_CELLS_MAX]; /* of revoke-alls, by the store that counted */
    struct sim_stop revoked;
    bool denied[SIM_CELLS_MAX]; /* the cell said that it is revoked: it can't go back */
};

/* A key version that a cell made. */
struct sim_key {
    size_t device;
    size_t cell;
    uint64_t version; /* as its cell counted */
    uint64_t check_value;
    uint8_t name[KW_ID_LEN];
};

struct sim_truth {
    struct sim_partner partners[SIM_PARTNERS_MAX];
    size_t partner_count;
    struct sim_grant grants[SIM_GRANTS_MAX];
    size_t grant_count;
    struct sim_key keys[SIM_KEYS_MAX];
    size_t key_count;
    unsigned runs[SIM_REQUESTS_MAX]; /* how often each request was done */
    uint64_t window_ms;              /* how long a stop acknowledged elsewhere may go unheard */
};

/* What a key version is found by. Two cells that make one for a device at once make two. */
void sim_key_name(const struct sim_key *key, uint8_t ret_name[KW_ID_LEN]);

/* A use of this grant was allowed: was it right to? Ends the run if not. */
void sim_truth_allowed(struct sim *sim, size_t cell, const struct sim_grant *grant);

/* What all cells say must be this; and they say the same, byte for byte. */
void sim_truth_at_the_end(struct sim *sim);

#endif
