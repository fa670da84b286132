/* Reading the list of cells. */
#include "services/replicator/cells.h"

#include "common/pki/spiffe.h"

#include <stdlib.h>
#include <string.h>

static int compare(const struct kw_place *a, const struct kw_place *b)
{
    int regions = strcmp(a->region, b->region);

    return regions != 0 ? regions : strcmp(a->cell, b->cell);
}

bool kw_place_calls(const struct kw_place *us, const struct kw_place *peer)
{
    return compare(us, peer) < 0;
}

static struct kw_result read_name(const char *text, size_t len, char name[KW_PLACE_NAME_SIZE],
                                  struct kw_error *err)
{
    KW_ENSURE(len > 0 && len < KW_PLACE_NAME_SIZE, err, CONFIG_INVALID,
              "cells: a name of %zu bytes, at most %u", len, KW_PLACE_NAME_SIZE - 1);
    kw_copy(name, text, len);
    name[len] = '\0';
    return KW_OK;
}

/* As it is in the certificates of that cell. */
static struct kw_result check_names(const struct kw_place *place, struct kw_error *err)
{
    struct kw_spiffe id;
    struct kw_result result =
        kw_spiffe_service("any", place->region, place->cell, "replicator", &id, NULL);

    KW_ENSURE(kw_ok(result), err, CONFIG_INVALID, "cells: %s/%s can't be in a certificate",
              place->region, place->cell);
    return KW_OK;
}

static struct kw_result read_cell(const char *text, struct kw_place *ret_place,
                                  const char **ret_address, struct kw_error *err)
{
    const char *slash = strchr(text, '/');
    const char *equals = slash != NULL ? strchr(slash, '=') : NULL;

    KW_ENSURE(equals != NULL && equals[1] != '\0', err, CONFIG_INVALID,
              "cells: %s is not REGION/CELL=HOST:PORT", text);
    KW_TRY(read_name(text, (size_t)(slash - text), ret_place->region, err));
    KW_TRY(read_name(slash + 1, (size_t)(equals - slash) - 1, ret_place->cell, err));
    KW_TRY(check_names(ret_place, err));
    *ret_address = equals + 1;
    return KW_OK;
}

/* All cells see the same order, in whichever one they are listed. */
static struct kw_result insert(struct kw_cells *cells, const struct kw_place *place,
                               const char *address, struct kw_error *err)
{
    size_t at = cells->count;

    while (at > 0 && compare(&cells->places[at - 1], place) > 0) {
        cells->places[at] = cells->places[at - 1];
        cells->addresses[at] = cells->addresses[at - 1];
        at--;
    }
    KW_ENSURE(at == 0 || compare(&cells->places[at - 1], place) != 0, err, CONFIG_INVALID,
              "cells: %s/%s twice", place->region, place->cell);
    cells->places[at] = *place;
    cells->addresses[at] = address;
    cells->count++;
    return KW_OK;
}

static struct kw_result check_us(const struct kw_cells *cells, struct kw_error *err)
{
    struct kw_place peers[KW_PEERS_MAX];
    struct kw_places places = kw_cells_places(cells);
    size_t count = kw_place_peers(&places, &cells->us, peers);

    KW_ENSURE(kw_cells_address(cells, &cells->us) != NULL, err, CONFIG_INVALID,
              "cells: %s/%s, this one, is not among them", cells->us.region, cells->us.cell);
    KW_ENSURE(count <= KW_PEERS_MAX, err, CONFIG_INVALID,
              "cells: this one is linked with %zu others, at most %u", count, KW_PEERS_MAX);
    return KW_OK;
}

struct kw_result kw_cells_read(const struct kw_strings *texts, const char *region, const char *cell,
                               struct kw_cells *ret_cells, struct kw_error *err)
{
    *ret_cells = (struct kw_cells){.places = calloc(texts->count, sizeof(struct kw_place)),
                                   .addresses = calloc(texts->count, sizeof(const char *))};
    KW_ENSURE(ret_cells->places != NULL && ret_cells->addresses != NULL, err, MEMORY, "%zu cells",
              texts->count);
    KW_TRY(read_name(region, strlen(region), ret_cells->us.region, err));
    KW_TRY(read_name(cell, strlen(cell), ret_cells->us.cell, err));
    for (size_t i = 0; i < texts->count; i++) {
        struct kw_place place;
        const char *address;

        KW_TRY(read_cell(texts->items[i], &place, &address, err));
        KW_TRY(insert(ret_cells, &place, address, err));
    }
    return check_us(ret_cells, err);
}

void kw_cells_done(struct kw_cells *cells)
{
    free(cells->places);
    free(cells->addresses);
    *cells = (struct kw_cells){0};
}

struct kw_places kw_cells_places(const struct kw_cells *cells)
{
    return (struct kw_places){cells->places, cells->count};
}

const char *kw_cells_address(const struct kw_cells *cells, const struct kw_place *place)
{
    for (size_t i = 0; i < cells->count; i++) {
        if (kw_place_equal(&cells->places[i], place)) {
            return cells->addresses[i];
        }
    }
    return NULL;
}
