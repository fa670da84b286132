/* Settings files of a development mesh. */
#include "cli/mesh_settings.h"

#include "cli/mesh_files.h"
#include "cli/template.h"
#include "common/base/random.h"
#include "common/crypto/keyfile.h"

#include <fcntl.h>
#include <stdio.h>

#define PORT_SIZE  8
#define CELLS_SIZE 512 /* KW_MESH_REGIONS_MAX * KW_MESH_CELLS_MAX addresses */

/* What all services are told. */
#define COMMON                                                                                     \
    "region: {region_name}\n"                                                                      \
    "cell: {cell_name}\n"                                                                          \
    "trust_domain: " KW_MESH_TRUST_DOMAIN "\n"                                                     \
    "listen: 127.0.0.1:{listen}\n"                                                                 \
    "metrics_listen: 127.0.0.1:{metrics}\n"                                                        \
    "credentials_dir: {region}/credentials/{cell_name}/{part}\n"

#define TARGET "targets: [ 127.0.0.1:{target} ]\n"

/* What owners of replicated state are told. */
#define FEED                                                                                       \
    "mesh: {mesh_id}\n"                                                                            \
    "feed_listen: 127.0.0.1:{feed}\n"                                                              \
    "lane_key_file: {cell}/secret/{part}-lane.pem\n"

static const struct {
    const char *name; /* below the cell's directory */
    const char *template;
    enum kw_mesh_part inner; /* its inner neighbour: what {target} stands for */
} files[KW_MESH_PART_COUNT] = {
    [KW_MESH_REDIS] = {.name = "config/redis.conf",
                       .template = "port 0\n"
                                   "unixsocket {cell}/run/redis.sock\n"
                                   "unixsocketperm 700\n"
                                   "save \"\"\n"
                                   "appendonly no\n"
                                   "maxmemory 64mb\n"
                                   "maxmemory-policy allkeys-lru\n"
                                   "daemonize no\n"},
    [KW_MESH_CRYPTOCORE] = {.name = "config/cryptocore.yaml",
                            .template = COMMON "pki_dir: {region}/pki\n"
                                               "hsm_token: " KW_MESH_TOKEN "\n"
                                               "hsm_pin_file: {region}/secret/pin\n"
                                               "hsm_lock_file: {region}/run/hsm-login.lock\n"
                                               "hsm_worker: {bin}/keyward-hsm-worker\n"},
    [KW_MESH_ORCHESTRATOR] = {.name = "config/orchestrator.yaml",
                              .inner = KW_MESH_CRYPTOCORE,
                              .template = COMMON TARGET FEED
                              "database: {cell}/data/orchestrator.db\n"
                              "pki_dir: {region}/pki\n"
                              "page_key_file: {mesh}/secret/page-token.key\n"},
    [KW_MESH_AUTHZ] = {.name = "config/authz.yaml",
                       .inner = KW_MESH_ORCHESTRATOR,
                       .template = COMMON TARGET FEED "database: {cell}/data/authz.db\n"
                                                      "pki_dir: {region}/pki\n"
                                                      "officers_dir: {region}/officers\n"},
    [KW_MESH_REPLICATOR] = {.name = "config/replicator.yaml",
                            .template = COMMON "mesh: {mesh_id}\n"
                                               "authz: 127.0.0.1:{authz_feed}\n"
                                               "orchestrator: 127.0.0.1:{orchestrator_feed}\n"
                                               "cells: [ {cells} ]\n"},
    [KW_MESH_GATEWAY] = {.name = "config/gateway.yaml",
                         .inner = KW_MESH_AUTHZ,
                         .template = COMMON TARGET "client_ca_file: {region}/pki/client-ca.pem\n"
                                                   "redis: {cell}/run/redis.sock\n"
                                                   "cache_key_file: {cell}/secret/cache.key\n"},
};

static const char *port_text(int port, char text[PORT_SIZE])
{
    (void)snprintf(text, PORT_SIZE, "%d", port);
    return text;
}

/* Redis is the cell's own, and so is the key of what it holds: 32 random bytes as hex. */
static struct kw_result cache_key_make(const struct kw_mesh_place *cell, struct kw_error *err)
{
    uint8_t random[32];
    char text[2 * sizeof(random) + 1];
    char path[PATH_MAX];
    struct kw_result result;

    KW_TRY(kw_random(random, sizeof(random), err));
    kw_hex(KW_BYTES_OF(random), text);
    result = kw_keyfile_write(AT_FDCWD, kw_mesh_path(&cell->dir, "secret/cache.key", path),
                              kw_bytes_str(text), KW_KEYFILE_MODE_PRIVATE, err);
    kw_wipe(random, sizeof(random));
    kw_wipe(text, sizeof(text));
    return result;
}

/* Where the replicators of all cells are: "r1/a=127.0.0.1:4711, …". */
static void cells_text(const struct kw_mesh_layout *layout, char text[CELLS_SIZE])
{
    size_t len = 0;

    for (size_t i = 0; i < layout->region_count * layout->cell_count; i++) {
        const struct kw_mesh_region *region = &layout->regions[i / layout->cell_count];
        const struct kw_mesh_place *cell = &region->cells[i % layout->cell_count];

        len += (size_t)snprintf(text + len, CELLS_SIZE - len, "%s%s/%s=127.0.0.1:%d",
                                i == 0 ? "" : ", ", region->name, cell->name,
                                cell->ports[KW_MESH_REPLICATOR].listen);
    }
}

static struct kw_result part_file(const struct kw_mesh_layout *layout,
                                  const struct kw_mesh_region *region,
                                  const struct kw_mesh_place *cell, enum kw_mesh_part part,
                                  const char *bin_dir, struct kw_error *err)
{
    const struct kw_mesh_ports *ports = cell->ports;
    char text[6][PORT_SIZE];
    char cells[CELLS_SIZE];
    char path[PATH_MAX];
    const struct kw_template_word words[] = {
        {"mesh", layout->dir.path},
        {"mesh_id", layout->id},
        {"region", region->dir.path},
        {"region_name", region->name},
        {"cell", cell->dir.path},
        {"cell_name", cell->name},
        {"cells", cells},
        {"part", kw_mesh_part_name(part)},
        {"bin", bin_dir},
        {"listen", port_text(ports[part].listen, text[0])},
        {"metrics", port_text(ports[part].metrics, text[1])},
        {"feed", port_text(ports[part].feed, text[2])},
        {"target", port_text(ports[files[part].inner].listen, text[3])},
        {"authz_feed", port_text(ports[KW_MESH_AUTHZ].feed, text[4])},
        {"orchestrator_feed", port_text(ports[KW_MESH_ORCHESTRATOR].feed, text[5])},
        {NULL, NULL}};

    cells_text(layout, cells);
    return kw_template_write(kw_mesh_path(&cell->dir, files[part].name, path), files[part].template,
                             words, err);
}

struct kw_result kw_mesh_cell_files(const struct kw_mesh_layout *layout,
                                    const struct kw_mesh_region *region,
                                    const struct kw_mesh_place *cell, const char *bin_dir,
                                    struct kw_error *err)
{
    KW_TRY(cache_key_make(cell, err));
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        KW_TRY(part_file(layout, region, cell, (enum kw_mesh_part)part, bin_dir, err));
    }
    return KW_OK;
}

struct kw_result kw_mesh_replicator_file(const struct kw_mesh_layout *layout,
                                         const struct kw_mesh_region *region,
                                         const struct kw_mesh_place *cell, const char *bin_dir,
                                         struct kw_error *err)
{
    return part_file(layout, region, cell, KW_MESH_REPLICATOR, bin_dir, err);
}

static const char cli_yaml[] =
    "target: 127.0.0.1:{port}\n"
    "ca_file: {region}/pki/root.pem\n"
    "peer: spiffe://" KW_MESH_TRUST_DOMAIN "/region/{region_name}/cell/{cell_name}/svc/gateway\n"
    "cert_file: {mesh}/officer/cert.pem\n"
    "key_file: {mesh}/officer/key.pem\n";

struct kw_result kw_mesh_cli_file(const struct kw_mesh_layout *layout,
                                  const struct kw_mesh_region *region,
                                  const struct kw_mesh_place *cell, struct kw_error *err)
{
    char port[PORT_SIZE];
    char name[NAME_MAX];
    char path[PATH_MAX];
    const struct kw_template_word words[] = {
        {"port", port_text(cell->ports[KW_MESH_GATEWAY].listen, port)},
        {"region", region->dir.path},
        {"mesh", layout->dir.path},
        {"region_name", region->name},
        {"cell_name", cell->name},
        {NULL, NULL}};

    (void)snprintf(name, sizeof(name), "cli-%s-%s.yaml", region->name, cell->name);
    KW_TRY(kw_template_write(kw_mesh_path(&layout->dir, name, path), cli_yaml, words, err));
    if (cell == &layout->regions[0].cells[0]) {
        KW_TRY(
            kw_template_write(kw_mesh_path(&layout->dir, "cli.yaml", path), cli_yaml, words, err));
    }
    return KW_OK;
}

struct kw_result kw_mesh_ready_file(const struct kw_mesh_place *cell, enum kw_mesh_part part,
                                    int port, int metrics_port, struct kw_error *err)
{
    char name[NAME_MAX];
    char path[PATH_MAX];
    char text[64];

    (void)snprintf(name, sizeof(name), "run/%s.ready", kw_mesh_part_name(part));
    (void)snprintf(text, sizeof(text), "port=%d metrics=%d\n", port, metrics_port);
    return kw_keyfile_write(AT_FDCWD, kw_mesh_path(&cell->dir, name, path), kw_bytes_str(text),
                            KW_KEYFILE_MODE_PUBLIC, err);
}
