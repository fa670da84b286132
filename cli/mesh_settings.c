/* Settings files of a development mesh. */
#include "cli/mesh_settings.h"

#include "cli/mesh_files.h"
#include "cli/template.h"
#include "common/base/random.h"
#include "common/crypto/keyfile.h"

#include <fcntl.h>
#include <stdio.h>

#define PORT_SIZE 8

/* What all services are told. */
#define COMMON                                                                                     \
    "region: {region_name}\n"                                                                      \
    "cell: {cell_name}\n"                                                                          \
    "trust_domain: " KW_MESH_TRUST_DOMAIN "\n"                                                     \
    "listen: 127.0.0.1:{listen}\n"                                                                 \
    "metrics_listen: 127.0.0.1:{metrics}\n"                                                        \
    "credentials_dir: {region}/credentials/{cell_name}/{part}\n"

#define TARGET "targets: [ 127.0.0.1:{target} ]\n"

static const struct {
    const char *name; /* below the cell's directory */
    const char *template;
} files[KW_MESH_PART_COUNT] = {
    [KW_MESH_REDIS] = {"config/redis.conf", "port 0\n"
                                            "unixsocket {cell}/run/redis.sock\n"
                                            "unixsocketperm 700\n"
                                            "save \"\"\n"
                                            "appendonly no\n"
                                            "maxmemory 64mb\n"
                                            "maxmemory-policy allkeys-lru\n"
                                            "daemonize no\n"},
    [KW_MESH_CRYPTOCORE] = {"config/cryptocore.yaml",
                            COMMON "pki_dir: {region}/pki\n"
                                   "hsm_token: " KW_MESH_TOKEN "\n"
                                   "hsm_pin_file: {region}/secret/pin\n"
                                   "hsm_lock_file: {region}/run/hsm-login.lock\n"
                                   "hsm_worker: {bin}/keyward-hsm-worker\n"},
    [KW_MESH_ORCHESTRATOR] = {"config/orchestrator.yaml",
                              COMMON TARGET "mesh: {mesh_id}\n"
                                            "database: {cell}/data/orchestrator.db\n"
                                            "page_key_file: {mesh}/secret/page-token.key\n"},
    [KW_MESH_AUTHZ] = {"config/authz.yaml", COMMON TARGET "mesh: {mesh_id}\n"
                                                          "database: {cell}/data/authz.db\n"
                                                          "pki_dir: {region}/pki\n"
                                                          "officers_dir: {region}/officers\n"},
    [KW_MESH_GATEWAY] = {"config/gateway.yaml",
                         COMMON TARGET "client_ca_file: {region}/pki/client-ca.pem\n"
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

struct kw_result kw_mesh_cell_files(const struct kw_mesh_layout *layout,
                                    const struct kw_mesh_region *region,
                                    const struct kw_mesh_place *cell, const char *bin_dir,
                                    struct kw_error *err)
{
    KW_TRY(cache_key_make(cell, err));
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        const struct kw_mesh_ports *ports = &cell->ports[part];
        int target = part > 0 ? cell->ports[part - 1].listen : 0;
        char text[3][PORT_SIZE];
        char path[PATH_MAX];
        const struct kw_template_word words[] = {{"mesh", layout->dir.path},
                                                 {"mesh_id", layout->id},
                                                 {"region", region->dir.path},
                                                 {"region_name", region->name},
                                                 {"cell", cell->dir.path},
                                                 {"cell_name", cell->name},
                                                 {"part", kw_mesh_part_name(part)},
                                                 {"bin", bin_dir},
                                                 {"listen", port_text(ports->listen, text[0])},
                                                 {"metrics", port_text(ports->metrics, text[1])},
                                                 {"target", port_text(target, text[2])},
                                                 {NULL, NULL}};

        KW_TRY(kw_template_write(kw_mesh_path(&cell->dir, files[part].name, path),
                                 files[part].template, words, err));
    }
    return KW_OK;
}

static const char cli_yaml[] =
    "target: 127.0.0.1:{port}\n"
    "ca_file: {root}/pki/root.pem\n"
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
        {"root", layout->regions[0].dir.path},
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
