/* The fold: booleans that only ever become true, and a sorted set of suspensions that only grows,
 * until it is full; then it is the lowest ids of all that were heard. All are joins of
 * semilattices, which is why order and repetition do not matter. */
#include "common/lifecycle/state.h"

/* The place of `id`, or where it belongs. */
static size_t suspension_place(const struct kw_key_state *state, struct kw_id id)
{
    size_t low = 0;
    size_t high = state->suspension_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(state->suspensions[middle].id.bytes, id.bytes, KW_ID_LEN) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool suspension_at(const struct kw_key_state *state, size_t place, struct kw_id id)
{
    return place < state->suspension_count && kw_id_equal(state->suspensions[place].id, id);
}

/* Makes room at `place`. In a full state the last one, by id, gives way: whatever the order in
 * which they came, the lowest ids are kept, and of each that is kept everything that was heard. */
static void insert_suspension(struct kw_key_state *state, size_t place, struct kw_id id)
{
    struct kw_suspension *at = &state->suspensions[place];

    if (!kw_state_full(state)) {
        state->suspension_count++;
    }
    memmove(at + 1, at, (state->suspension_count - 1 - place) * sizeof(*at));
    *at = (struct kw_suspension){.id = id};
}

static void add_suspension(struct kw_key_state *state, const struct kw_suspension *added)
{
    size_t place = suspension_place(state, added->id);
    struct kw_suspension *at = &state->suspensions[place];

    if (place == KW_KEY_SUSPENSIONS_MAX) {
        return; /* behind all of a full state, which is suspended for good */
    }
    if (!suspension_at(state, place, added->id)) {
        insert_suspension(state, place, added->id);
    }
    at->suspended |= added->suspended;
    at->lifted |= added->lifted;
}

static struct kw_result check_key(const struct kw_key_state *state, struct kw_id key,
                                  struct kw_error *err)
{
    KW_ENSURE(kw_id_is_none(state->key) || kw_id_equal(state->key, key), err, ARGUMENT_INVALID,
              "a fact about another key");
    return KW_OK;
}

struct kw_result kw_state_add(struct kw_key_state *state, const struct kw_fact *fact,
                              struct kw_error *err)
{
    struct kw_suspension suspension = {.id = fact->ref,
                                       .suspended = fact->kind == KW_FACT_SUSPENDED,
                                       .lifted = fact->kind == KW_FACT_LIFTED};

    KW_TRY(check_key(state, fact->key, err));
    switch (fact->kind) {
    case KW_FACT_CONFIRMED:
        state->confirmed = true;
        break;
    case KW_FACT_PROTECTED:
        state->is_protected = true;
        break;
    case KW_FACT_ACTIVATED:
        state->activated = true;
        break;
    case KW_FACT_SUSPENDED:
    case KW_FACT_LIFTED:
        add_suspension(state, &suspension);
        break;
    case KW_FACT_DEACTIVATED:
        state->deactivated = true;
        break;
    case KW_FACT_COMPROMISED:
        state->compromised = true;
        break;
    case KW_FACT_DESTROYED:
        state->destroyed = true;
        break;
    case KW_FACT_KIND_END_:
    default:
        KW_FAIL(err, ARGUMENT_INVALID, "fact of unknown kind %d", (int)fact->kind);
    }
    state->key = fact->key;
    return KW_OK;
}

struct kw_result kw_state_fold(const struct kw_fact *facts, size_t count,
                               struct kw_key_state *ret_state, struct kw_error *err)
{
    struct kw_key_state state = {0};

    for (size_t i = 0; i < count; i++) {
        KW_TRY(kw_state_add(&state, &facts[i], err));
    }
    *ret_state = state;
    return KW_OK;
}

struct kw_result kw_state_join(const struct kw_key_state *a, const struct kw_key_state *b,
                               struct kw_key_state *ret_state, struct kw_error *err)
{
    struct kw_key_state joined = *a;

    if (!kw_id_is_none(b->key)) {
        KW_TRY(check_key(a, b->key, err));
        joined.key = b->key;
    }
    joined.confirmed |= b->confirmed;
    joined.is_protected |= b->is_protected;
    joined.activated |= b->activated;
    joined.deactivated |= b->deactivated;
    joined.compromised |= b->compromised;
    joined.destroyed |= b->destroyed;
    for (size_t i = 0; i < b->suspension_count; i++) {
        add_suspension(&joined, &b->suspensions[i]);
    }
    *ret_state = joined;
    return KW_OK;
}

bool kw_state_full(const struct kw_key_state *state)
{
    return state->suspension_count == KW_KEY_SUSPENSIONS_MAX;
}

bool kw_state_suspended(const struct kw_key_state *state)
{
    if (kw_state_full(state)) {
        return true;
    }
    for (size_t i = 0; i < state->suspension_count; i++) {
        if (state->suspensions[i].suspended && !state->suspensions[i].lifted) {
            return true;
        }
    }
    return false;
}

bool kw_state_has_suspension(const struct kw_key_state *state, struct kw_id suspension)
{
    size_t place = suspension_place(state, suspension);

    return suspension_at(state, place, suspension) && state->suspensions[place].suspended;
}

enum kw_key_phase kw_state_phase(const struct kw_key_state *state)
{
    if (state->deactivated) {
        return KW_PHASE_DEACTIVATED;
    }
    return state->is_protected && state->confirmed && state->activated ? KW_PHASE_ACTIVE
                                                                       : KW_PHASE_PRE_ACTIVE;
}

bool kw_state_equal(const struct kw_key_state *a, const struct kw_key_state *b)
{
    if (a->confirmed != b->confirmed || a->is_protected != b->is_protected ||
        a->activated != b->activated || a->deactivated != b->deactivated ||
        a->compromised != b->compromised || a->destroyed != b->destroyed ||
        !kw_id_equal(a->key, b->key) || a->suspension_count != b->suspension_count) {
        return false;
    }
    for (size_t i = 0; i < a->suspension_count; i++) {
        const struct kw_suspension *x = &a->suspensions[i];
        const struct kw_suspension *y = &b->suspensions[i];

        if (!kw_id_equal(x->id, y->id) || x->suspended != y->suspended || x->lifted != y->lifted) {
            return false;
        }
    }
    return true;
}
