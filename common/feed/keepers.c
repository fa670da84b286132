/* The next by name, in a circle. */
#include "common/feed/keepers.h"

#include "common/sync/order.h"

const char *kw_keeper_name(enum kw_keeper keeper)
{
    return keeper == KW_KEEPER_NEAR ? "near" : "far";
}

bool kw_keeper_place_equal(const struct kw_keeper_place *a, const struct kw_keeper_place *b)
{
    return kw_bytes_equal(a->region, b->region) && kw_bytes_equal(a->cell, b->cell);
}

/* Does `a` come before `b` in a circle that begins behind `start`? */
static bool is_sooner(struct kw_bytes a, struct kw_bytes b, struct kw_bytes start)
{
    bool a_behind = kw_bytes_order(a, start) > 0;
    bool b_behind = kw_bytes_order(b, start) > 0;

    return a_behind != b_behind ? a_behind : kw_bytes_order(a, b) < 0;
}

static bool is_near(const struct kw_keeper_place *place, const struct kw_keeper_place *origin)
{
    return kw_bytes_equal(place->region, origin->region) &&
           !kw_bytes_equal(place->cell, origin->cell);
}

static bool is_far(const struct kw_keeper_place *place, const struct kw_keeper_place *origin)
{
    return !kw_bytes_equal(place->region, origin->region) &&
           kw_bytes_equal(place->cell, origin->cell);
}

const struct kw_keeper_place *kw_keeper_of(const struct kw_keeper_place *places, size_t count,
                                           const struct kw_keeper_place *origin,
                                           enum kw_keeper keeper)
{
    const struct kw_keeper_place *found = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct kw_keeper_place *place = &places[i];

        if (keeper == KW_KEEPER_NEAR && is_near(place, origin) &&
            (found == NULL || is_sooner(place->cell, found->cell, origin->cell))) {
            found = place;
        }
        if (keeper == KW_KEEPER_FAR && is_far(place, origin) &&
            (found == NULL || is_sooner(place->region, found->region, origin->region))) {
            found = place;
        }
    }
    return found;
}
