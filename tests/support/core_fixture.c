/* A core as a process: ceremony, start, the ways it ends, and what a test needs to play its
 * neighbours. */
#include "tests/support/core_fixture.h"

#include "common/crypto/keyfile.h"
#include "tests/support/flat_layout.h"
#include "tests/support/leaks.h"
#include "tests/support/must.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define TURN_MS    5
#define ARENA_SIZE (32U * 1024U * 1024U)
#define CORE       KW_BINARY_DIR "/bin/keyward-cryptocore"
#define WORKER     KW_BINARY_DIR "/bin/keyward-hsm-worker"

/* --- processes --- */

static void ceremony(struct core_fixture *fx)
{
    char config[PATH_MAX + 16];
    char path[PATH_MAX];
    char log[PATH_MAX];
    const char *argv[] = {CORE, "init", config, NULL};

    snprintf(config, sizeof(config), "--config=%s",
             kw_mesh_path(&fx->dir, "region/init.yaml", path));
    service_run(argv, kw_mesh_path(&fx->dir, "logs/init.log", log));
}

/* The path of `name` below what the ceremony wrote. */
static char *out_path(const struct core_fixture *fx, const char *name, char *path)
{
    char below[128];

    snprintf(below, sizeof(below), "%s/%s", fx->place.out, name);
    return kw_mesh_path(&fx->dir, below, path);
}

static char *credentials_path(const struct core_fixture *fx, const char *service, char *path)
{
    char name[96];

    snprintf(name, sizeof(name), "credentials/%s/%s", fx->place.cell, service);
    return out_path(fx, name, path);
}

/* A file of this core's in the directory: two cores have two. */
static char *own_path(const struct core_fixture *fx, const char *prefix, const char *suffix,
                      char *path)
{
    char name[64];

    snprintf(name, sizeof(name), "%s%s%s%s", prefix, fx->beside ? "-" : "",
             fx->beside ? fx->place.out : "", suffix);
    return kw_mesh_path(&fx->dir, name, path);
}

static void core_config_write(struct core_fixture *fx)
{
    const struct core_place *place = &fx->place;
    const char *d = fx->dir.path;
    char path[PATH_MAX];
    FILE *file = fopen(own_path(fx, "core", ".yaml", path), "w");

    REQUIRE(file != NULL, "cannot be opened");
    fprintf(file,
            "region: %s\ncell: %s\ntrust_domain: " KW_MESH_TRUST_DOMAIN "\n"
            "credentials_dir: %s/%s/credentials/%s/cryptocore\npki_dir: %s/%s/pki\n"
            "hsm_token: %s\nhsm_pin_file: %s/region/secret/pin\nhsm_lock_file: %s/run/login.lock\n"
            "hsm_worker: %s\nhsm_workers: 1\n",
            place->region, place->cell, d, place->out, place->cell, d, place->out, place->token, d,
            d, WORKER);
    fclose(file);
}

void core_fixture_turn(struct core_fixture *fx)
{
    (void)uv_run(kw_loop_uv(fx->loop), UV_RUN_ONCE);
}

static void connect_client(struct core_fixture *fx)
{
    char target[64];
    char peer[KW_SPIFFE_TEXT_SIZE];
    char credentials[PATH_MAX];
    const char *targets[] = {target, NULL};
    struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir = credentials_path(fx, "orchestrator", credentials),
        .trust_domain = KW_MESH_TRUST_DOMAIN,
        .peer = peer,
    };

    snprintf(peer, sizeof(peer),
             "spiffe://" KW_MESH_TRUST_DOMAIN "/region/%s/cell/%s/svc/cryptocore", fx->place.region,
             fx->place.cell);
    snprintf(target, sizeof(target), "127.0.0.1:%d", fx->core.port);
    MUST(kw_hop_client_new(fx->rpc, &options, &fx->client, err));
    EVENTUALLY(fx, kw_hop_client_connected(fx->client));
}

/* A core that comes back listens where it listened before: an orchestrator looks for it there. */
void core_fixture_start(struct core_fixture *fx)
{
    char config[PATH_MAX + 16];
    char listen[64];
    char path[PATH_MAX];
    char log[PATH_MAX];
    const char *argv[] = {CORE, config, listen, NULL};

    snprintf(config, sizeof(config), "--config=%s", own_path(fx, "core", ".yaml", path));
    snprintf(listen, sizeof(listen), "--listen=127.0.0.1:%d", fx->core.port);
    service_start(&fx->core, argv, own_path(fx, "logs/core", ".log", log));
    kw_chain_verify_start(&fx->chain, &(struct kw_chain){0});
    fx->witness = (struct kw_witness){0};
    connect_client(fx);
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

static void client_close(struct core_fixture *fx)
{
    bool closed = false;

    kw_hop_client_close(fx->client, on_closed, &closed);
    EVENTUALLY(fx, closed);
    fx->client = NULL;
}

void core_fixture_kill(struct core_fixture *fx)
{
    client_close(fx);
    service_kill(&fx->core);
}

static void rpc_end(struct core_fixture *fx)
{
    bool closed = false;

    kw_rpc_close(fx->rpc, on_closed, &closed);
    EVENTUALLY(fx, closed);
    kw_rpc_free(fx->rpc);
    fx->rpc = NULL;
}

void core_fixture_another_stream(struct core_fixture *fx)
{
    client_close(fx);
    rpc_end(fx);
    MUST(kw_id_v7(&fx->boot_id, err));
    MUST(kw_rpc_new(fx->loop, fx->boot_id, &fx->rpc, err));
    kw_chain_verify_start(&fx->chain, &(struct kw_chain){0});
    connect_client(fx);
}

static void on_tick(struct kw_timer *timer)
{
    (void)timer; /* only to have the loop turn */
}

/* --- the officer --- */

static void file_load(struct core_fixture *fx, const char *name, struct kw_buf *ret)
{
    char path[PATH_MAX];

    MUST(kw_keyfile_read(AT_FDCWD, kw_mesh_path(&fx->dir, name, path), 65536, false, ret, err));
}

static void officer_load(struct core_fixture *fx)
{
    char path[PATH_MAX];
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    struct kw_spiffe id;
    DIR *dir = opendir(out_path(fx, "officers", path));
    const struct dirent *entry;
    char name[400] = "";

    REQUIRE(dir != NULL, "cannot be opened");
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof(name), "%s/officers/%.255s", fx->place.out, entry->d_name);
        }
    }
    closedir(dir);
    file_load(fx, name, &pem);
    MUST(kw_certificate_from_pem(&certificate, kw_buf_bytes(&pem), err));
    MUST(kw_certificate_to_der(&certificate, &fx->officer.certificate, err));
    MUST(kw_certificate_identity(&certificate, KW_MESH_TRUST_DOMAIN, &id, err));
    fx->officer.id = id.id;
    kw_spiffe_text(&id, fx->officer.spiffe_id);
    MUST(kw_private_key_from_file(&fx->officer.key, kw_mesh_path(&fx->dir, "officer/key.pem", path),
                                  err));
}

static void authz_load(struct core_fixture *fx)
{
    char path[PATH_MAX];

    MUST(kw_credentials_load(&fx->authz, credentials_path(fx, "authz", path), err));
    MUST(kw_certificate_to_der(&fx->authz.leaf, &fx->authz_der, err));
    MUST(kw_certificate_fingerprint(&fx->authz.leaf, fx->authz_fingerprint, err));
}

/* The ceremony has been held. */
static void begin(struct core_fixture *fx)
{
    core_config_write(fx);
    officer_load(fx);
    authz_load(fx);
    MUST(kw_id_v7(&fx->boot_id, err));
    MUST(kw_loop_new(&fx->loop, err));
    kw_timer_init(&fx->tick, fx->loop, on_tick);
    kw_timer_start(&fx->tick, TURN_MS, TURN_MS);
    MUST(kw_rpc_new(fx->loop, fx->boot_id, &fx->rpc, err));
    core_fixture_start(fx);
}

void core_fixture_init(struct core_fixture *fx)
{
    *fx = (struct core_fixture){.place = {.region = KW_MESH_REGION,
                                          .cell = KW_MESH_CELL,
                                          .out = "region",
                                          .token = KW_MESH_TOKEN}};
    fx->arena = kw_arena_new(ARENA_SIZE);
    flat_layout_make(&fx->layout);
    fx->dir = fx->layout.dir;
    ceremony(fx);
    begin(fx);
}

void core_fixture_beside(struct core_fixture *fx, const struct core_fixture *first,
                         const struct core_place *place)
{
    *fx = (struct core_fixture){.place = *place, .beside = true, .dir = first->dir};
    fx->arena = kw_arena_new(ARENA_SIZE);
    begin(fx);
}

void core_fixture_done(struct core_fixture *fx)
{
    client_close(fx);
    service_stop(&fx->core);
    rpc_end(fx);
    kw_timer_close(&fx->tick, NULL);
    kw_loop_stop(fx->loop);
    kw_loop_run(fx->loop);
    kw_loop_free(fx->loop);
    core_caller_done(&fx->officer);
    kw_credentials_done(&fx->authz);
    kw_buf_done(&fx->authz_der);
    kw_arena_free(fx->arena);
    if (!fx->beside) {
        kw_mesh_dir_remove(fx->dir.path);
        test_no_leaks();
    }
}
