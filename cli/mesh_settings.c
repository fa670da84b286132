/* Settings files of a development mesh. */
#include "cli/mesh_settings.h"

#include "cli/mesh_files.h"
#include "cli/template.h"
#include "common/crypto/keyfile.h"

#include <fcntl.h>
#include <stdio.h>

#define PORT_SIZE    8
#define ADDRESS_SIZE (KW_MESH_HOST_SIZE + PORT_SIZE)
#define CELLS_SIZE   512 /* KW_MESH_REGIONS_MAX * KW_MESH_CELLS_MAX addresses */

/* What all services are told. */
#define COMMON                                                                                     \
    "region: {region_name}\n"                                                                      \
    "cell: {cell_name}\n"                                                                          \
    "trust_domain: " KW_MESH_TRUST_DOMAIN "\n"                                                     \
    "listen: {bind}:{listen}\n"                                                                    \
    "metrics_listen: 127.0.0.1:{metrics}\n"                                                        \
    "credentials_dir: {region}/credentials/{cell_name}/{part}\n"

#define TARGET "targets: [ {target} ]\n"

/* What owners of replicated state are told. */
#define FEED                                                                                       \
    "mesh: {mesh_id}\n"                                                                            \
    "feed_listen: {bind}:{feed}\n"                                                                 \
    "lane_key_file: {cell}/secret/{part}-lane.pem\n"

/* Where they keep it: here, and in a container. */
#define DATABASE "database: {cell}/data/{part}.db\n"
#define STORE                                                                                      \
    "store_url: postgresql://{part}@{sql}/{part}?sslmode=verify-full"                              \
    "&sslrootcert={cell}/sql-ca.pem&passfile={cell}/secret/passfile\n"

static const struct {
    const char *name; /* below the cell's directory */
    const char *template;
    const char *here;        /* what it has more on this machine */
    const char *apart;       /* in a container of its own */
    enum kw_mesh_part inner; /* its inner neighbour: what {target} stands for */
} files[KW_MESH_PART_COUNT] = {
    [KW_MESH_REDIS] = {.name = "config/redis.conf",
                       .template = "save \"\"\n"
                                   "appendonly no\n"
                                   "maxmemory 64mb\n"
                                   "maxmemory-policy allkeys-lru\n"
                                   "daemonize no\n",
                       .here = "port 0\n"
                               "unixsocket {cell}/run/redis.sock\n"
                               "unixsocketperm 700\n",
                       .apart =
                           "port {listen}\n"
                           "bind * -::*\n"
                           "dir {cell}\n"
                           "user default off\n"
                           "user " KW_MESH_REDIS_USER " on #{redis_digest} ~* -@all +get +setex\n"},
    [KW_MESH_CRYPTOCORE] = {.name = "config/cryptocore.yaml",
                            .template = COMMON "pki_dir: {region}/pki\n"
                                               "hsm_token: " KW_MESH_TOKEN "\n"
                                               "hsm_pin_file: {region}/secret/pin\n"
                                               "hsm_lock_file: {region}/run/hsm-login.lock\n"
                                               "hsm_worker: {bin}/keyward-hsm-worker\n"},
    [KW_MESH_ORCHESTRATOR] = {.name = "config/orchestrator.yaml",
                              .inner = KW_MESH_CRYPTOCORE,
                              .template = COMMON TARGET FEED
                              "pki_dir: {region}/pki\n"
                              "page_key_file: {mesh}/secret/page-token.key\n",
                              .here = DATABASE,
                              .apart = STORE},
    [KW_MESH_AUTHZ] = {.name = "config/authz.yaml",
                       .inner = KW_MESH_ORCHESTRATOR,
                       .template = COMMON TARGET FEED "pki_dir: {region}/pki\n"
                                                      "officers_dir: {region}/officers\n",
                       .here = DATABASE,
                       .apart = STORE},
    [KW_MESH_REPLICATOR] = {.name = "config/replicator.yaml",
                            .template = COMMON "mesh: {mesh_id}\n"
                                               "authz: {authz_feed}\n"
                                               "orchestrator: {orchestrator_feed}\n"
                                               "cells: [ {cells} ]\n"},
    [KW_MESH_GATEWAY] = {.name = "config/gateway.yaml",
                         .inner = KW_MESH_AUTHZ,
                         .template = COMMON TARGET "client_ca_file: {region}/pki/client-ca.pem\n"
                                                   "cache_key_file: {cell}/secret/cache.key\n",
                         .here = "redis: {cell}/run/redis.sock\n",
                         .apart = "redis: {redis}\n"
                                  "redis_user: " KW_MESH_REDIS_USER "\n"
                                  "redis_password_file: {cell}/secret/redis.password\n"},
};

static const char *port_text(int port, char text[PORT_SIZE])
{
    (void)snprintf(text, PORT_SIZE, "%d", port);
    return text;
}

static char *address_text(const struct kw_mesh_layout *layout, const struct kw_mesh_region *region,
                          const struct kw_mesh_place *cell, enum kw_mesh_part part, int port,
                          char text[ADDRESS_SIZE])
{
    char host[KW_MESH_HOST_SIZE];

    (void)snprintf(text, ADDRESS_SIZE, "%s:%d",
                   kw_mesh_host(layout, region, cell, kw_mesh_part_name(part), host), port);
    return text;
}

/* Where the replicators of all cells are: "r1/a=127.0.0.1:4711, …". */
static void cells_text(const struct kw_mesh_layout *layout, char text[CELLS_SIZE])
{
    size_t len = 0;

    for (size_t i = 0; i < layout->region_count * layout->cell_count; i++) {
        const struct kw_mesh_region *region = &layout->regions[i / layout->cell_count];
        const struct kw_mesh_place *cell = &region->cells[i % layout->cell_count];
        char address[ADDRESS_SIZE];

        len += (size_t)snprintf(text + len, CELLS_SIZE - len, "%s%s/%s=%s", i == 0 ? "" : ", ",
                                region->name, cell->name,
                                address_text(layout, region, cell, KW_MESH_REPLICATOR,
                                             cell->ports[KW_MESH_REPLICATOR].listen, address));
    }
}

static struct kw_result part_write(const struct kw_mesh_layout *layout, enum kw_mesh_part part,
                                   const struct kw_template_word *words, const char *path,
                                   struct kw_error *err)
{
    const char *more = layout->state_dir == NULL ? files[part].here : files[part].apart;
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};

    KW_TRY(kw_template_expand(files[part].template, words, &text, err));
    if (more != NULL) {
        KW_TRY(kw_template_expand(more, words, &text, err));
    }
    return kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(&text), KW_KEYFILE_MODE_PUBLIC, err);
}

/* In a container there is one directory, and everything is below it. */
struct kw_result kw_mesh_part_file(const struct kw_mesh_layout *layout,
                                   const struct kw_mesh_region *region,
                                   const struct kw_mesh_place *cell, enum kw_mesh_part part,
                                   const struct kw_mesh_part_more *more, const char *path,
                                   struct kw_error *err)
{
    const struct kw_mesh_ports *ports = cell->ports;
    const char *dir = layout->state_dir;
    enum kw_mesh_part inner = files[part].inner;
    char text[3][PORT_SIZE];
    char address[4][ADDRESS_SIZE];
    char sql[KW_MESH_HOST_SIZE];
    char cells[CELLS_SIZE];
    const struct kw_template_word words[] = {
        {"mesh", dir != NULL ? dir : layout->dir.path},
        {"mesh_id", layout->id},
        {"region", dir != NULL ? dir : region->dir.path},
        {"region_name", region->name},
        {"cell", dir != NULL ? dir : cell->dir.path},
        {"cell_name", cell->name},
        {"cells", cells},
        {"part", kw_mesh_part_name(part)},
        {"bin", more->bin_dir},
        {"bind", dir != NULL ? "0.0.0.0" : "127.0.0.1"},
        {"listen", port_text(ports[part].listen, text[0])},
        {"metrics", port_text(ports[part].metrics, text[1])},
        {"feed", port_text(ports[part].feed, text[2])},
        {"target", address_text(layout, region, cell, inner, ports[inner].listen, address[0])},
        {"authz_feed",
         address_text(layout, region, cell, KW_MESH_AUTHZ, ports[KW_MESH_AUTHZ].feed, address[1])},
        {"orchestrator_feed", address_text(layout, region, cell, KW_MESH_ORCHESTRATOR,
                                           ports[KW_MESH_ORCHESTRATOR].feed, address[2])},
        {"redis", address_text(layout, region, cell, KW_MESH_REDIS, ports[KW_MESH_REDIS].listen,
                               address[3])},
        {"redis_digest", more->redis_digest},
        {"sql", kw_mesh_host(layout, region, cell, KW_MESH_SQL, sql)},
        {NULL, NULL}};

    cells_text(layout, cells);
    return part_write(layout, part, words, path, err);
}

static struct kw_result part_file(const struct kw_mesh_layout *layout,
                                  const struct kw_mesh_region *region,
                                  const struct kw_mesh_place *cell, enum kw_mesh_part part,
                                  const char *bin_dir, struct kw_error *err)
{
    const struct kw_mesh_part_more more = {.bin_dir = bin_dir};
    char path[PATH_MAX];

    return kw_mesh_part_file(layout, region, cell, part, &more,
                             kw_mesh_path(&cell->dir, files[part].name, path), err);
}

/* Redis is the cell's own, and so is the key of what it holds. */
struct kw_result kw_mesh_cell_files(const struct kw_mesh_layout *layout,
                                    const struct kw_mesh_region *region,
                                    const struct kw_mesh_place *cell, const char *bin_dir,
                                    struct kw_error *err)
{
    KW_TRY(kw_mesh_secret_file(&cell->dir, "secret/cache.key", err));
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
    "target: {target}\n"
    "ca_file: {region}/pki/root.pem\n"
    "peer: spiffe://" KW_MESH_TRUST_DOMAIN "/region/{region_name}/cell/{cell_name}/svc/gateway\n"
    "cert_file: {officer}/cert.pem\n"
    "key_file: {officer}/key.pem\n";

struct cli_paths {
    char region[PATH_MAX];
    char officer[PATH_MAX];
};

/* As whoever calls sees them. */
static void cli_paths_make(const struct kw_mesh_layout *layout, const struct kw_mesh_region *region,
                           struct cli_paths *paths)
{
    (void)kw_mesh_path(&layout->dir, "officer", paths->officer);
    (void)snprintf(paths->region, sizeof(paths->region), "%s", region->dir.path);
    if (layout->state_dir != NULL) {
        (void)snprintf(paths->officer, sizeof(paths->officer), "%s", layout->state_dir);
        (void)snprintf(paths->region, sizeof(paths->region), "%s/%s", layout->state_dir,
                       region->name);
    }
}

/* Beside the officer's key, where that is all that the command's container has. */
static struct kw_result cli_write(const struct kw_mesh_layout *layout, const char *name,
                                  const struct kw_template_word *words, struct kw_error *err)
{
    char officer[NAME_MAX];
    char path[PATH_MAX];

    (void)snprintf(officer, sizeof(officer), "officer/%s", name);
    return kw_template_write(
        kw_mesh_path(&layout->dir, layout->state_dir != NULL ? officer : name, path), cli_yaml,
        words, err);
}

struct kw_result kw_mesh_cli_file(const struct kw_mesh_layout *layout,
                                  const struct kw_mesh_region *region,
                                  const struct kw_mesh_place *cell, struct kw_error *err)
{
    char target[ADDRESS_SIZE];
    char name[NAME_MAX];
    struct cli_paths paths;
    const struct kw_template_word words[] = {
        {"target", address_text(layout, region, cell, KW_MESH_GATEWAY,
                                cell->ports[KW_MESH_GATEWAY].listen, target)},
        {"region", paths.region},
        {"officer", paths.officer},
        {"region_name", region->name},
        {"cell_name", cell->name},
        {NULL, NULL}};

    cli_paths_make(layout, region, &paths);
    (void)snprintf(name, sizeof(name), "cli-%s-%s.yaml", region->name, cell->name);
    KW_TRY(cli_write(layout, name, words, err));
    if (cell == &layout->regions[0].cells[0]) {
        KW_TRY(cli_write(layout, "cli.yaml", words, err));
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
