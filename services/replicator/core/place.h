/* Places: where cells are, who is linked with whom, and who carries whose lanes to whom.
 *
 *          region eu                    region us
 *        a ─── b ─── c                a ─── b ─── c        full mesh inside a region (a─c too),
 *        │     │     │                │     │     │        same letters between regions
 *        └─────┼─────┼────────────────┘     │     │
 *              └─────┼──────────────────────┘     │
 *                    └────────────────────────────┘
 *
 * A lane goes from its origin to every cell it is linked with, directly. To the others one relay carries
 * it, at once. Everybody else who is linked with such a cell is a backup, first, second, …, and steps in
 * when that cell falls behind. So a change crosses between two regions once for each cell, a dead
 * origin's last changes get everywhere from whoever has them, and no partition that leaves a path
 * stops anything.
 *
 * Pure.
 */
#ifndef KW_SERVICES_REPLICATOR_CORE_PLACE_H
#define KW_SERVICES_REPLICATOR_CORE_PLACE_H

#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>

struct kw_place {
    char region[KW_PLACE_NAME_SIZE];
    char cell[KW_PLACE_NAME_SIZE];
};

/* All cells of the mesh, in one order everywhere. Borrows. */
struct kw_places {
    const struct kw_place *items;
    size_t count;
};

bool kw_place_equal(const struct kw_place *a, const struct kw_place *b);

/* Do these two cells speak with one another directly? */
bool kw_place_linked(const struct kw_place *a, const struct kw_place *b);

/* Those of `cells` that `us` is linked with, in their order; the first KW_PEERS_MAX. Returns how many
 * there are, which may be more. */
size_t kw_place_peers(const struct kw_places *cells, const struct kw_place *us,
                      struct kw_place peers[KW_PEERS_MAX]);

/* Our turn in bringing lanes of `origin` to `peer`, whom we are linked with. 0: it is for us to send.
 * n: we are the n-th backup. If all see the same cells, exactly one of those linked with the peer is
 * told 0, and no two are told the same; but a cell's own lanes are brought back to it by backups
 * alone. */
unsigned kw_place_turn(const struct kw_places *cells, const struct kw_place *us,
                       const struct kw_place *origin, const struct kw_place *peer);

#endif
