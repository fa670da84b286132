/* Two authz of one mesh in this process, each in its cell, and no replicator: the test says when what one has said
 * gets to the other (tests/support/feed_cell.h). */
#ifndef KW_TESTS_COMPONENT_AUTHZ_CELLS_H
#define KW_TESTS_COMPONENT_AUTHZ_CELLS_H

#include "tests/component/authz_fixture.h"
#include "tests/support/feed_cell.h"

/* Both are running, and believe what the other one signs. */
void authz_cells_init(struct authz_fixture *a, struct feed_cell *cell_a, struct authz_fixture *b,
                      struct feed_cell *cell_b);
void authz_cells_done(struct authz_fixture *a, struct feed_cell *cell_a, struct authz_fixture *b,
                      struct feed_cell *cell_b);

#endif
