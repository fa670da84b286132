/* The topology: who is linked, who carries, and who steps in. */
#include "services/replicator/core/place.h"

#include <string.h>

static bool same_region(const struct kw_place *a, const struct kw_place *b)
{
    return strcmp(a->region, b->region) == 0;
}

static bool same_letter(const struct kw_place *a, const struct kw_place *b)
{
    return strcmp(a->cell, b->cell) == 0;
}

bool kw_place_equal(const struct kw_place *a, const struct kw_place *b)
{
    return same_region(a, b) && same_letter(a, b);
}

bool kw_place_linked(const struct kw_place *a, const struct kw_place *b)
{
    return same_region(a, b) != same_letter(a, b);
}

size_t kw_place_peers(const struct kw_places *cells, const struct kw_place *us,
                      struct kw_place peers[KW_PEERS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < cells->count; i++) {
        if (!kw_place_linked(us, &cells->items[i])) {
            continue;
        }
        if (count < KW_PEERS_MAX) {
            peers[count] = cells->items[i];
        }
        count++;
    }
    return count;
}

/* A cell linked with both: the origin's letter in the peer's region, because inside a region everything
 * arrives first; where there is none, the peer's letter in the origin's region. NULL: no such cell. */
static const struct kw_place *relay(const struct kw_places *cells, const struct kw_place *origin,
                                    const struct kw_place *peer)
{
    const struct kw_place *second = NULL;

    for (size_t i = 0; i < cells->count; i++) {
        const struct kw_place *cell = &cells->items[i];

        if (same_region(cell, peer) && same_letter(cell, origin)) {
            return cell;
        }
        if (same_region(cell, origin) && same_letter(cell, peer)) {
            second = cell;
        }
    }
    return second;
}

/* Who sends: the origin itself, a relay, or nobody. */
static const struct kw_place *carrier(const struct kw_places *cells, const struct kw_place *origin,
                                      const struct kw_place *peer)
{
    if (kw_place_equal(origin, peer)) {
        return NULL;
    }
    return kw_place_linked(origin, peer) ? origin : relay(cells, origin, peer);
}

unsigned kw_place_turn(const struct kw_places *cells, const struct kw_place *us,
                       const struct kw_place *origin, const struct kw_place *peer)
{
    const struct kw_place *first = carrier(cells, origin, peer);
    unsigned turn = 1;

    if (first != NULL && kw_place_equal(us, first)) {
        return 0;
    }
    for (size_t i = 0; i < cells->count; i++) {
        const struct kw_place *cell = &cells->items[i];

        if (kw_place_equal(cell, us)) {
            return turn;
        }
        if (kw_place_linked(cell, peer) && (first == NULL || !kw_place_equal(cell, first))) {
            turn++;
        }
    }
    return turn;
}
