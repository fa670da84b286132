/* See the header. */
#include "tests/component/authz_cells.h"

static void turn(void *context)
{
    authz_turn(context);
}

static void cell_init(struct authz_fixture *authz, struct feed_cell *cell)
{
    authz_fixture_init(authz);
    feed_cell_init(cell, authz->authz->store, &authz->authz->feed, turn, authz);
}

void authz_cells_init(struct authz_fixture *a, struct feed_cell *cell_a, struct authz_fixture *b,
                      struct feed_cell *cell_b)
{
    cell_init(a, cell_a);
    cell_init(b, cell_b);
    feed_cell_know(cell_a, cell_b);
    feed_cell_know(cell_b, cell_a);
}

void authz_cells_done(struct authz_fixture *a, struct feed_cell *cell_a, struct authz_fixture *b,
                      struct feed_cell *cell_b)
{
    feed_cell_done(cell_a);
    feed_cell_done(cell_b);
    authz_fixture_done(a);
    authz_fixture_done(b);
}
