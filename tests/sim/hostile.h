/* A hostile relay, a hostile replicator, and somebody with the key of a store that was fenced: what each of them
 * tries, by name, and what those who are to believe it make of it. */
#ifndef KW_TESTS_SIM_HOSTILE_H
#define KW_TESTS_SIM_HOSTILE_H

#include "services/replicator/core/frame.h"
#include "tests/sim/sim.h"

/* What is tried, in words, and whether it may be believed: what came late is as good as what came in time. */
/* clang-format off */
#define SIM_ATTACKS(X)                                                                             \
    X(FORGED_ROW,      "forged row",                 false)                                        \
    X(FORGED_PROMISE,  "forged promise",             false)                                        \
    X(FORGED_URGENT,   "forged urgent change",       false)                                        \
    X(REPLAYED,        "replayed batch",             true)                                         \
    X(REPLAYED_URGENT, "replayed urgent change",     true)                                         \
    X(ALTERED_ROW,     "altered row, its head as it was", false)                                   \
    X(TRUNCATED,       "truncated lane",             false)                                        \
    X(SKIPPED,         "batch without its beginning", true)                                        \
    X(OLD_LIFE,        "another incarnation",        false)                                        \
    X(OTHER_MESH,      "another mesh's batch",       false)                                        \
    X(FENCED,          "fenced store's change",      false)                                        \
    X(FENCED_URGENT,   "fenced store's urgent change", false)                                      \
    X(HELLO_SELF,      "hello with our own store",   false)                                        \
    X(HELLO_MESH,      "hello of another mesh",      false)                                        \
    X(FALSE_ACK,       "false acknowledgement",      true)                                         \
    X(FORGED_ANSWER,   "forged snapshot row",        false)                                        \
    X(CUT_ANSWER,      "truncated snapshot",         false)                                        \
    X(REPLAYED_ANSWER, "replayed snapshot",          false)
/* clang-format on */

enum sim_attack {
    SIM_NO_ATTACK,
#define SIM_ATTACK(name, text, may) SIM_##name,
    SIM_ATTACKS(SIM_ATTACK)
#undef SIM_ATTACK
    SIM_ATTACK_END_,
};

enum {
    SIM_REFUSALS_MAX = 8, /* names of one attack's */
};

struct sim_refusal {
    const char *name; /* a verdict, or why a link was cut */
    uint64_t count;
};

struct sim_attempts {
    uint64_t count;
    uint64_t believed;
    struct sim_refusal refusals[SIM_REFUSALS_MAX];
};

struct sim_hostile {
    struct sim_attempts attempts[SIM_ATTACK_END_];
    enum sim_attack now; /* what was done to the frame that a replicator is looking at */
};

struct sim_attack_row {
    const char *text;
    bool may; /* be believed */
};

const struct sim_attack_row *sim_attack_row(enum sim_attack attack);

/* What a relay makes of a frame's record, or of what the frame says. */
enum sim_attack sim_hostile_frame(struct sim *sim, size_t to, struct kw_frame *frame,
                                  struct kw_reach *reaches, struct kw_buf *record);

/* What it makes of an answer. */
enum sim_attack sim_hostile_answer(struct sim *sim, struct kw_buf *answer);

/* Somebody has the key of a store that everybody knows to be fenced, and says something to somebody. */
void sim_hostile_dead(struct sim *sim);

/* One more try of it. */
void sim_hostile_tried(struct sim *sim, enum sim_attack attack);

/* What became of it. Ends the run when it was believed and may not be. */
void sim_hostile_judged(struct sim *sim, unsigned attack, const char *verdict, bool believed);

/* Adds one run's attempts to the sum of others'. */
void sim_hostile_add(struct sim_hostile *sum, const struct sim_hostile *one);

#endif
