/* A key's state: the fold of its facts.
 *
 * Pure: facts in, state out; no clock, no I/O, no order. Adding is commutative, associative and
 * idempotent, so cells that heard the same facts in any order, any number of times, hold the same
 * state byte for byte. A suspension and its lifting may be heard in either order; lifting one
 * leaves every other in force.
 *
 * Which suspensions are over can't be forgotten, or one that is heard late would stand up again; so
 * there is room for KW_KEY_SUSPENSIONS_MAX. The one that takes the last place stays: a full state
 * is suspended, whatever is lifted, and takes further suspensions as part of that.
 *
 * Whoever adds an enabling fact has verified its MAC before: a state believes what it is given.
 */
#ifndef KW_COMMON_LIFECYCLE_STATE_H
#define KW_COMMON_LIFECYCLE_STATE_H

#include "common/base/limits.h"
#include "common/lifecycle/fact.h"

/* Phases of SP 800-57 part 1 §7; compromised and destroyed stand beside them. */
enum kw_key_phase {
    KW_PHASE_PRE_ACTIVE = 1,
    KW_PHASE_ACTIVE,
    KW_PHASE_DEACTIVATED,
};

struct kw_suspension {
    struct kw_id id;
    bool suspended; /* its SUSPENDED fact was heard */
    bool lifted;    /* its LIFTED fact was heard, perhaps before */
};

/* Plain data, owns nothing; copy by assignment. Zeroed: the state of no facts. */
struct kw_key_state {
    bool confirmed;
    bool is_protected;
    bool activated;
    bool deactivated;
    bool compromised;
    bool destroyed;
    struct kw_id key; /* none until the first fact */
    size_t suspension_count;
    struct kw_suspension suspensions[KW_KEY_SUSPENSIONS_MAX]; /* by id, ascending */
};

/* Adds one fact. On failure `state` is as before.
 * Fails: ARGUMENT_INVALID (a fact about another key, or of no known kind). */
struct kw_result kw_state_add(struct kw_key_state *state, const struct kw_fact *fact,
                              struct kw_error *err);

/* The state of `count` facts of one key. Fails: as kw_state_add; which facts are refused does not
 * depend on their order. */
struct kw_result kw_state_fold(const struct kw_fact *facts, size_t count,
                               struct kw_key_state *ret_state, struct kw_error *err);

/* The state of both sides' facts together: fold(a ∪ b) = join(fold(a), fold(b)). Fails: as
 * kw_state_add. */
struct kw_result kw_state_join(const struct kw_key_state *a, const struct kw_key_state *b,
                               struct kw_key_state *ret_state, struct kw_error *err);

/* Has it a suspension that is not lifted, or as many as there is room for? A lifting that is known
 * alone suspends nothing. */
bool kw_state_suspended(const struct kw_key_state *state);

/* Has it as many suspensions as there is room for? Then it is suspended for good. */
bool kw_state_full(const struct kw_key_state *state);

/* Is this suspension known, lifted or not? What a request to lift must name. */
bool kw_state_has_suspension(const struct kw_key_state *state, struct kw_id suspension);

/* The phase as the public API shows it. ACTIVE means confirmed, protected and activated: a step
 * counts only with those before it. */
enum kw_key_phase kw_state_phase(const struct kw_key_state *state);

/* True when both come of the same facts, as far as state goes. */
bool kw_state_equal(const struct kw_key_state *a, const struct kw_key_state *b);

#endif
