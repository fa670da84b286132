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
    SIM_SAID_MAX = 1 << 14,
};

/* What an acknowledged operation said. */
enum sim_what {
    SIM_MADE_PARTNER,
    SIM_REVOKED_PARTNER,
    SIM_SUSPENDED,
    SIM_LIFTED, /* by somebody who knew of it */
    SIM_REVOKED_ALL,
    SIM_MADE_GRANT,
    SIM_REVOKED_GRANT,
    SIM_RAN,
    SIM_MADE_KEY,
};

/* Who said it, where and when: its place in a lane. */
struct sim_said {
    enum sim_what what;
    size_t which; /* partner, grant, request or key */
    size_t sub;   /* a suspension of it, or a revocation of all */
    size_t cell;
    size_t member;
    struct kw_id lane;
    uint64_t seq;
    uint64_t at_ms;
    uint64_t ahead_ms; /* its clock then, beyond what clocks are off in good order */
    bool
        lost; /* every disk that it was on is gone: it may come yet, from the network, or may not */
};

struct sim_partner {
    struct kw_id id;
    struct kw_id suspensions[SIM_SUSPENSIONS_MAX];
    size_t suspension_count;
    struct sim_count_of {
        size_t member;
        uint64_t count; /* of that store, after it */
    } revoke_alls[SIM_REVOKE_ALLS_MAX];
    size_t revoke_all_count;
};

struct sim_grant {
    struct kw_id id;
    size_t partner;
    uint64_t made_ms;
    uint64_t seen[SIM_STORES_MAX]; /* of revoke-alls, by the store that counted */
    bool denied[SIM_CELLS_MAX];    /* the cell said that it is revoked: it can't go back */
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
    struct sim_said said[SIM_SAID_MAX];
    size_t said_count;
    uint64_t window_ms; /* how long a stop acknowledged elsewhere may go unheard */
};

/* Something was acknowledged. */
void sim_truth_said(struct sim *sim, const struct sim_said *said);

/* A disk was lost, or is an older one: what was nowhere else is in doubt. What this cell denied it may not know
 * any more. */
void sim_truth_lost(struct sim *sim, size_t cell);

/* Can it be relied on that this is heard everywhere? Not of what is lost, nor of what a fence leaves out. */
bool sim_truth_certain(const struct sim *sim, const struct sim_said *said);

/* What a key version is found by. Two cells that make one for a device at once make two. */
void sim_key_name(const struct sim_key *key, uint8_t ret_name[KW_ID_LEN]);

/* A use of this grant was allowed: was it right to? Ends the run if not. */
void sim_truth_allowed(struct sim *sim, size_t cell, const struct sim_grant *grant);

/* Has everybody who is not fenced promised something lately, as this cell knows it? */
bool sim_truth_is_fresh(struct sim *sim, size_t cell);

/* What all cells say must be this; and they say the same, byte for byte. */
void sim_truth_at_the_end(struct sim *sim);

#endif
