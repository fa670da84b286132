/* The cells of the mesh, from the settings: where they are, where their replicators listen, who of them
 * we are linked with, and who of two calls the other. Pure. */
#ifndef KW_SERVICES_REPLICATOR_CELLS_H
#define KW_SERVICES_REPLICATOR_CELLS_H

#include "common/base/settings.h"
#include "services/replicator/core/place.h"

struct kw_cells {
    struct kw_place us;
    struct kw_place *places; /* all of the mesh, in the order of their names */
    const char **addresses;  /* of their replicators; borrowed from the texts that were read */
    size_t count;
};

/* Reads texts "REGION/CELL=HOST:PORT", of which one is ours. What they say is checked but for the
 * address, which is whoever's calls it. Fails: CONFIG_INVALID (no such text, a name that can't be in a
 * certificate, a cell twice, not our own, none but our own in more than KW_PEERS_MAX), MEMORY. Release with
 * kw_cells_done, on failure too. */
struct kw_result kw_cells_read(const struct kw_strings *texts, const char *region, const char *cell,
                               struct kw_cells *ret_cells, struct kw_error *err);
void kw_cells_done(struct kw_cells *cells);

struct kw_places kw_cells_places(const struct kw_cells *cells);

/* Where this cell's replicator listens; NULL: no such cell. */
const char *kw_cells_address(const struct kw_cells *cells, const struct kw_place *place);

/* One of two that are linked calls, the other listens: the one whose name comes first. */
bool kw_place_calls(const struct kw_place *us, const struct kw_place *peer);

#endif
