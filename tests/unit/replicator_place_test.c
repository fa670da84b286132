/* Who carries whose lanes: whatever regions and cells there are. */
#include "services/replicator/core/place.h"
#include "tests/support/must.h"

enum {
    CELLS_MAX = 16
};

/* A mesh by a bit for each of 4 regions × 4 letters: it may have holes. */
static size_t make(unsigned bits, struct kw_place places[CELLS_MAX])
{
    size_t count = 0;

    for (unsigned i = 0; i < CELLS_MAX; i++) {
        if ((bits & (1U << i)) != 0) {
            places[count++] =
                (struct kw_place){{(char)('A' + (int)(i / 4))}, {(char)('a' + (int)(i % 4))}};
        }
    }
    return count;
}

/* The turns of all who are linked with the peer are 0 or 1, 2, 3, … without a repetition. */
static void look(const struct kw_places *cells, const struct kw_place *origin,
                 const struct kw_place *peer)
{
    unsigned seen = 0;
    bool origin_or_relay = false;

    for (size_t i = 0; i < cells->count; i++) {
        const struct kw_place *us = &cells->items[i];
        unsigned turn;

        if (!kw_place_linked(us, peer)) {
            continue;
        }
        turn = kw_place_turn(cells, us, origin, peer);
        cr_assert_eq(seen & (1U << turn), 0, "two cells have turn %u", turn);
        seen |= 1U << turn;
        origin_or_relay |= kw_place_linked(us, origin) || kw_place_equal(us, origin);
    }
    if (kw_place_equal(origin, peer)) {
        cr_assert_eq(seen & 1U, 0, "a cell's own lanes are brought back by backups alone");
    } else if (origin_or_relay) {
        cr_assert_eq(seen & 1U, 1U, "nobody carries at once from %s.%s to %s.%s", origin->region,
                     origin->cell, peer->region, peer->cell);
    }
}

Test(replicator_place, exactly_one_cell_carries_at_once_and_the_others_have_an_order)
{
    struct kw_place places[CELLS_MAX];

    for (unsigned bits = 1; bits < 1U << CELLS_MAX; bits += 7) {
        struct kw_places cells = {places, make(bits, places)};

        for (size_t i = 0; i < cells.count; i++) {
            for (size_t j = 0; j < cells.count; j++) {
                look(&cells, &places[i], &places[j]);
            }
        }
    }
}

Test(replicator_place, cells_are_linked_inside_a_region_and_letter_by_letter_between_regions)
{
    struct kw_place eu_a = {"eu", "a"}, eu_b = {"eu", "b"}, us_a = {"us", "a"}, us_b = {"us", "b"};

    cr_assert(kw_place_linked(&eu_a, &eu_b));
    cr_assert(kw_place_linked(&eu_a, &us_a));
    cr_assert_not(kw_place_linked(&eu_a, &us_b));
    cr_assert_not(kw_place_linked(&eu_a, &eu_a));
}

Test(replicator_place, the_relay_is_where_it_is_needed_or_else_where_it_comes_from)
{
    struct kw_place eu_a = {"eu", "a"}, eu_b = {"eu", "b"}, us_a = {"us", "a"}, us_b = {"us", "b"};
    const struct kw_place full[] = {eu_a, eu_b, us_a, us_b}, holed[] = {eu_a, eu_b, us_b};

    cr_assert_eq(kw_place_turn(&(struct kw_places){full, 4}, &us_a, &eu_a, &us_b), 0);
    cr_assert_neq(kw_place_turn(&(struct kw_places){full, 4}, &eu_b, &eu_a, &us_b), 0);
    cr_assert_eq(kw_place_turn(&(struct kw_places){holed, 3}, &eu_b, &eu_a, &us_b), 0);
}
