/* The lag matrix: read and shown. */
#include "cli/regions.h"

#include "cli/json.h"
#include "cli/metrics_page.h"
#include "cli/table.h"
#include "common/base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READY_LEN_MAX 256
#define TEXT_SIZE     32

static const enum kw_mesh_part owners[KW_REGIONS_OWNERS] = {KW_MESH_AUTHZ, KW_MESH_ORCHESTRATOR};

/* --- reading --- */

/* By run/NAME.ready; 0: it never was ready. */
static int metrics_port(const struct kw_mesh_place *cell, enum kw_mesh_part part)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    char name[TEXT_SIZE];
    char path[PATH_MAX];
    struct kw_error error;
    const char *at;
    int port = 0;

    (void)snprintf(name, sizeof(name), "run/%s.ready", kw_mesh_part_name(part));
    if (kw_ok(kw_file_read(kw_mesh_path(&cell->dir, name, path), READY_LEN_MAX, &text, &error)) &&
        kw_ok(kw_buf_append(&text, KW_BYTES("", 1), &error))) {
        at = strstr((const char *)text.data, "metrics=");
        port = at != NULL ? (int)strtol(at + strlen("metrics="), NULL, 10) : 0;
    }
    return port;
}

/* What one owner of one cell says of all others. */
static void owner_read(struct kw_regions *regions, size_t holder, size_t owner, int port)
{
    KW_SCOPED(kw_buf_done) struct kw_buf page = {0};
    struct kw_error error;

    if (port == 0 || !kw_ok(kw_metrics_page_read(port, &page, &error))) {
        return;
    }
    for (size_t origin = 0; origin < regions->count; origin++) {
        (void)kw_metrics_page_find((const char *)page.data, KW_M_FEED_PROMISE_AGE,
                                   regions->names[origin], &regions->age_ms[holder][origin][owner]);
    }
}

/* Cells that are there: those with a directory to run in. */
static void cells_find(const struct kw_mesh_layout *all, struct kw_regions_ports *ports,
                       const struct kw_mesh_place *places[KW_REGIONS_CELLS_MAX])
{
    for (size_t i = 0; i < KW_REGIONS_CELLS_MAX; i++) {
        const struct kw_mesh_region *region = &all->regions[i / KW_MESH_CELLS_MAX];
        const struct kw_mesh_place *cell = &region->cells[i % KW_MESH_CELLS_MAX];
        char path[PATH_MAX];

        if (access(kw_mesh_path(&cell->dir, "run", path), F_OK) == 0) {
            places[ports->count] = cell;
            (void)snprintf(ports->names[ports->count++], KW_REGIONS_NAME_SIZE, "%s/%s",
                           region->name, cell->name);
        }
    }
}

struct kw_result kw_regions_ports(const struct kw_mesh_dir *dir, struct kw_regions_ports *ret_ports,
                                  struct kw_error *err)
{
    struct kw_mesh_layout all;
    const struct kw_mesh_place *places[KW_REGIONS_CELLS_MAX];

    KW_TRY(kw_mesh_layout_init(dir, KW_MESH_REGIONS_MAX, KW_MESH_CELLS_MAX, &all, err));
    *ret_ports = (struct kw_regions_ports){0};
    cells_find(&all, ret_ports, places);
    KW_ENSURE(ret_ports->count > 0, err, CONFIG_INVALID, "%s is not the directory of a mesh",
              dir->path);
    for (size_t i = 0; i < ret_ports->count; i++) {
        for (size_t owner = 0; owner < KW_REGIONS_OWNERS; owner++) {
            ret_ports->metrics[i][owner] = metrics_port(places[i], owners[owner]);
        }
    }
    return KW_OK;
}

struct kw_result kw_regions_read(const struct kw_mesh_dir *dir, struct kw_regions *ret_regions,
                                 struct kw_error *err)
{
    struct kw_regions_ports ports;

    KW_TRY(kw_regions_ports(dir, &ports, err));
    *ret_regions = (struct kw_regions){.count = ports.count};
    kw_copy(ret_regions->names, ports.names, sizeof(ports.names));
    memset(ret_regions->age_ms, 0xff, sizeof(ret_regions->age_ms)); /* KW_REGIONS_UNKNOWN */
    for (size_t i = 0; i < ret_regions->count; i++) {
        for (size_t owner = 0; owner < KW_REGIONS_OWNERS; owner++) {
            owner_read(ret_regions, i, owner, ports.metrics[i][owner]);
        }
    }
    return KW_OK;
}

/* --- what it says --- */

/* The older of both owners'; unknown if one is. */
static int64_t age_of(const struct kw_regions *regions, size_t holder, size_t origin)
{
    const int64_t *ages = regions->age_ms[holder][origin];

    if (ages[0] < 0 || ages[1] < 0) {
        return KW_REGIONS_UNKNOWN;
    }
    return ages[0] > ages[1] ? ages[0] : ages[1];
}

bool kw_regions_well(const struct kw_regions *regions)
{
    for (size_t i = 0; i < regions->count; i++) {
        for (size_t j = 0; j < regions->count; j++) {
            int64_t age = age_of(regions, i, j);

            if (i != j && (age < 0 || age > KW_REGIONS_LATE_MS)) {
                return false;
            }
        }
    }
    return true;
}

static void age_text(const struct kw_regions *regions, size_t holder, size_t origin,
                     char text[TEXT_SIZE])
{
    int64_t age = age_of(regions, holder, origin);

    if (holder == origin) {
        (void)snprintf(text, TEXT_SIZE, "-");
    } else if (age < 0) {
        (void)snprintf(text, TEXT_SIZE, "unknown");
    } else {
        (void)snprintf(text, TEXT_SIZE, "%" PRId64 " ms", age);
    }
}

static struct kw_result table_show(const struct kw_regions *regions, FILE *out,
                                   struct kw_error *err)
{
    const char *headings[KW_REGIONS_CELLS_MAX + 2] = {"held in, made in"};
    KW_SCOPED(kw_table_done) struct kw_table table = {0};

    for (size_t i = 0; i < regions->count; i++) {
        headings[i + 1] = regions->names[i];
    }
    KW_TRY(kw_table_init(&table, headings, err));
    for (size_t i = 0; i < regions->count; i++) {
        char texts[KW_REGIONS_CELLS_MAX][TEXT_SIZE];
        const char *cells[KW_REGIONS_CELLS_MAX + 1] = {regions->names[i]};

        for (size_t j = 0; j < regions->count; j++) {
            age_text(regions, i, j, texts[j]);
            cells[j + 1] = texts[j];
        }
        KW_TRY(kw_table_add(&table, cells, regions->count + 1, err));
    }
    return kw_table_print(&table, out, err);
}

/* Of what is unknown there is no member. */
static json_t *origin_json(const struct kw_regions *regions, size_t holder, size_t origin)
{
    json_t *json = json_pack("{s:s}", "origin", regions->names[origin]);

    for (size_t owner = 0; json != NULL && owner < KW_REGIONS_OWNERS; owner++) {
        static const char *const names[KW_REGIONS_OWNERS] = {"authzMs", "orchestratorMs"};
        int64_t age = regions->age_ms[holder][origin][owner];

        if (age >= 0) {
            (void)json_object_set_new(json, names[owner], json_integer(age));
        }
    }
    return json;
}

static struct kw_result json_show(const struct kw_regions *regions, FILE *out, struct kw_error *err)
{
    json_t *cells = json_array();

    for (size_t i = 0; i < regions->count; i++) {
        json_t *origins = json_array();

        for (size_t j = 0; j < regions->count; j++) {
            if (i != j) {
                (void)json_array_append_new(origins, origin_json(regions, i, j));
            }
        }
        (void)json_array_append_new(
            cells, json_pack("{s:s, s:o}", "cell", regions->names[i], "origins", origins));
    }
    return kw_json_line(json_pack("{s:o}", "cells", cells), out, err);
}

struct kw_result kw_regions_show(const struct kw_regions *regions, enum kw_output_form form,
                                 FILE *out, struct kw_error *err)
{
    return form == KW_OUTPUT_JSON ? json_show(regions, out, err) : table_show(regions, out, err);
}
