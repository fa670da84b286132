/* Authz's surroundings. */
#include "tests/component/authz_fixture.h"

#include "common/base/limits.h"
#include "common/pki/credentials.h"
#include "common/pki/officer.h"
#include "common/rpc/rpc.h"
#include "tests/support/faults.h"
#include "tests/support/leaks.h"
#include "tests/support/postgres.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TICK_MS    5
#define DAY_MS     86400000ULL
#define ARENA_SIZE (256U * 1024U * 1024U)

/* --- certificates --- */

static char *in_dir(struct authz_fixture *fx, const char *name)
{
    return kw_arena_printf(fx->arena, "%s/%s", fx->dir, name);
}

void authz_root_make(struct authz_fixture *fx)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    uint64_t now = kw_clock_wall_ms();
    const struct kw_ca_plan plan = {
        .subject = &key,
        .name = "test",
        .validity = {.not_before_ms = now - 2 * DAY_MS, .not_after_ms = now + 2 * DAY_MS},
        .path_len = 1};

    MUST(kw_private_key_generate(&fx->root_key, KW_CURVE_P384, err));
    MUST(kw_private_key_public(&fx->root_key, &key, err));
    MUST(kw_certificate_issue_root(&plan, &fx->root_key, &fx->root, err));
    fx->issuer = (struct kw_issuer){.certificate = &fx->root, .key = &fx->root_key};
}

void authz_root_done(struct authz_fixture *fx)
{
    kw_certificate_done(&fx->root);
    kw_private_key_done(&fx->root_key);
}

static void issue(struct authz_fixture *fx, const struct kw_private_key *key,
                  const struct kw_spiffe *id, const struct kw_validity *validity,
                  struct kw_certificate *ret_leaf)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    const struct kw_leaf_plan plan = {
        .subject = &public,
        .identity = id,
        .validity = *validity,
        .usage = id->role == KW_ROLE_SERVICE ? KW_USAGE_CLIENT | KW_USAGE_SERVER : KW_USAGE_CLIENT};

    MUST(kw_private_key_public(key, &public, err));
    MUST(kw_certificate_issue(&plan, &fx->issuer, ret_leaf, err));
}

void authz_fixture_credentials(struct authz_fixture *fx, const char *service)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf key_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf cert_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca_pem = {0};
    uint64_t now = kw_clock_wall_ms();
    const struct kw_validity validity = {.not_before_ms = now - DAY_MS,
                                         .not_after_ms = now + DAY_MS};
    struct kw_spiffe id;

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_spiffe_service("test", REGION, CELL, service, &id, err));
    issue(fx, &key, &id, &validity, &leaf);
    MUST(kw_private_key_to_pem(&key, &key_pem, err));
    MUST(kw_certificate_to_pem(&leaf, &cert_pem, err));
    MUST(kw_certificate_to_pem(&fx->root, &ca_pem, err));
    MUST(kw_credentials_write(in_dir(fx, service),
                              &(struct kw_credentials_pem){.key = kw_buf_bytes(&key_pem),
                                                           .cert = kw_buf_bytes(&cert_pem),
                                                           .ca = kw_buf_bytes(&ca_pem)},
                              err));
}

/* --- actors --- */

static char *actor_name(struct authz_fixture *fx, enum kw_role role, struct kw_id id)
{
    if (role == KW_ROLE_PARTNER || role == KW_ROLE_STATION) {
        return authz_name(fx, role == KW_ROLE_PARTNER ? KW_RESOURCE_PARTNER : KW_RESOURCE_STATION,
                          id);
    }
    return NULL;
}

void authz_actor_make_valid(struct authz_fixture *fx, enum kw_role role, int64_t from_ms,
                            int64_t to_ms, struct actor *actor)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    int64_t now = (int64_t)kw_clock_wall_ms();
    const struct kw_validity validity = {.not_before_ms = (uint64_t)(now + from_ms),
                                         .not_after_ms = (uint64_t)(now + to_ms)};
    struct kw_spiffe id;

    *actor = (struct actor){.role = role};
    MUST(kw_id_random(&actor->id, err));
    MUST(kw_private_key_generate(&actor->key, KW_CURVE_P256, err));
    MUST(kw_spiffe_caller("test", role, actor->id, &id, err));
    issue(fx, &actor->key, &id, &validity, &leaf);
    MUST(kw_certificate_to_der(&leaf, &der, err));
    MUST(kw_arena_copy(fx->arena, kw_buf_bytes(&der), &actor->certificate, err));
    MUST(kw_sha256(actor->certificate, actor->fingerprint, err));
    actor->name = actor_name(fx, role, actor->id);
}

void authz_actor_make(struct authz_fixture *fx, enum kw_role role, struct actor *actor)
{
    authz_actor_make_valid(fx, role, -(int64_t)HOUR_MS, (int64_t)HOUR_MS, actor);
}

void authz_actor_done(struct actor *actor)
{
    kw_private_key_done(&actor->key);
}

static void write_file(const char *path, const struct kw_buf *content)
{
    FILE *file = fopen(path, "w");

    REQUIRE(file != NULL, "%s", path);
    REQUIRE(fwrite(content->data, 1, content->len, file) == content->len, "%s", path);
    (void)fclose(file);
}

void authz_officer_file(struct authz_fixture *fx, const char *path, const struct actor *actor)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    MUST(kw_certificate_from_der(&leaf, actor->certificate, err));
    MUST(kw_certificate_to_pem(&leaf, &pem, err));
    write_file(in_dir(fx, path), &pem);
}

static void make_officers(struct authz_fixture *fx)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    REQUIRE(mkdir(in_dir(fx, "officers"), 0700) == 0, "mkdir");
    REQUIRE(mkdir(in_dir(fx, "auditors"), 0700) == 0, "mkdir");
    authz_actor_make(fx, KW_ROLE_OPERATOR, &fx->officer);
    authz_actor_make(fx, KW_ROLE_OPERATOR, &fx->auditor);
    authz_officer_file(fx, "officers/one.pem", &fx->officer);
    authz_officer_file(fx, KW_OFFICER_FILE, &fx->officer);
    authz_officer_file(fx, "auditors/one.pem", &fx->auditor);
    MUST(kw_certificate_to_pem(&fx->root, &pem, err));
    write_file(in_dir(fx, "ca-operators.pem"), &pem);
}

/* --- the service --- */

static void on_started(int port, void *context)
{
    struct authz_fixture *fx = context;

    fx->port = port;
    fx->started = true;
}

static void on_failed(const struct kw_error *error, void *context)
{
    struct authz_fixture *fx = context;

    fx->failed = true;
    fx->failure = *error;
}

static void on_drained(void *context)
{
    struct authz_fixture *fx = context;

    fx->drained = true;
}

static void on_stopped(void *context)
{
    struct authz_fixture *fx = context;

    fx->stopped = true;
}

static void connect_gateway(struct authz_fixture *fx)
{
    char target[32];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir = in_dir(fx, "gateway"),
        .trust_domain = "test",
        .peer = "spiffe://test/region/" REGION "/cell/" CELL "/svc/authz",
    };

    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", fx->port);
    MUST(kw_hop_client_new(fx->rpc, &options, &fx->gateway, err));
    EVENTUALLY(fx, kw_hop_client_connected(fx->gateway));
}

static const struct kw_authz_events service_events = {
    .started = on_started, .failed = on_failed, .drained = on_drained, .stopped = on_stopped};

static struct kw_result service_new(struct authz_fixture *fx, struct kw_error *err)
{
    struct kw_authz_events events = service_events;

    events.context = fx;
    fx->started = false;
    fx->stopped = false;
    fx->failed = false;
    return kw_authz_service_new(fx->loop, &fx->config, &events, &fx->service, err);
}

void authz_fixture_start(struct authz_fixture *fx)
{
    MUST(service_new(fx, err));
    fx->authz = kw_authz_service_inside(fx->service);
    EVENTUALLY(fx, fx->started || fx->failed);
    REQUIRE(fx->started, "authz did not start: %s", fx->failure.message);
    connect_gateway(fx);
    if (fx->inside.server != NULL) {
        EVENTUALLY(fx, kw_authz_service_linked(fx->service));
    }
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

static void service_end(struct authz_fixture *fx)
{
    if (fx->service == NULL) {
        return; /* not even that could be made */
    }
    fx->stopped = false;
    kw_authz_service_stop(fx->service);
    EVENTUALLY(fx, fx->stopped);
    authz_turn(fx); /* its last handles */
    kw_authz_service_free(fx->service);
    fx->service = NULL;
}

void authz_fixture_stop(struct authz_fixture *fx)
{
    bool closed = false;

    kw_hop_client_close(fx->gateway, set_flag, &closed);
    EVENTUALLY(fx, closed);
    service_end(fx);
}

void authz_fixture_forget(struct authz_fixture *fx)
{
    bool closed = false;

    kw_hop_client_close(fx->gateway, set_flag, &closed);
    EVENTUALLY(fx, closed);
    kw_authz_service_free(fx->service);
    fx->service = NULL;
}

static enum kw_reason must_not_start(struct authz_fixture *fx)
{
    struct kw_error error = {0};
    struct kw_result result = service_new(fx, &error);

    if (kw_ok(result)) {
        EVENTUALLY(fx, fx->failed || fx->started);
        REQUIRE(!fx->started, "it started");
        result.reason = fx->failure.reason;
    }
    service_end(fx);
    return result.reason;
}

bool authz_fixture_try(struct authz_fixture *fx)
{
    if (kw_ok(service_new(fx, NULL))) {
        EVENTUALLY(fx, fx->failed || fx->started);
    }
    if (!fx->started) {
        service_end(fx);
        return false;
    }
    fx->authz = kw_authz_service_inside(fx->service);
    connect_gateway(fx);
    EVENTUALLY(fx, kw_authz_service_linked(fx->service));
    return true;
}

enum kw_reason authz_fixture_start_fails(struct authz_fixture *fx)
{
    authz_fixture_stop(fx);
    return must_not_start(fx);
}

enum kw_reason authz_fixture_second_fails(struct authz_fixture *fx)
{
    struct kw_authz_service *first = fx->service;
    enum kw_reason reason = must_not_start(fx);

    fx->service = first;
    return reason;
}

void authz_fixture_restart(struct authz_fixture *fx)
{
    authz_fixture_stop(fx);
    authz_fixture_start(fx);
}

void authz_inside_lose(struct authz_fixture *fx)
{
    bool closed = false;

    kw_hop_server_close(fx->inside.server, set_flag, &closed);
    EVENTUALLY(fx, closed);
    fx->inside.server = NULL;
    EVENTUALLY(fx, !kw_authz_service_linked(fx->service));
}

/* --- life --- */

static void on_tick(struct kw_timer *timer)
{
    (void)timer; /* only to have the loop turn */
}

void authz_turn(struct authz_fixture *fx)
{
    (void)uv_run(kw_loop_uv(fx->loop), UV_RUN_ONCE);
}

/* A file, or a schema where the binary has a server. */
static void choose_database(struct authz_fixture *fx)
{
    char url[POSTGRES_URL_SIZE];

    if (postgres_if_linked(url)) {
        fx->config.store_url = kw_arena_printf(fx->arena, "%s", url);
        return;
    }
    fx->config.database = in_dir(fx, "authz.db");
}

static void make_config(struct authz_fixture *fx)
{
    fx->target = kw_arena_printf(fx->arena, "127.0.0.1:%d", fx->inside.port);
    fx->config = (struct kw_authz_config){.region = (char *)(uintptr_t)REGION,
                                          .cell = (char *)(uintptr_t)CELL,
                                          .trust_domain = (char *)(uintptr_t) "test",
                                          .listen = (char *)(uintptr_t) "127.0.0.1:0",
                                          .credentials_dir = in_dir(fx, "authz"),
                                          .mesh = (char *)(uintptr_t)MESH,
                                          .pki_dir = in_dir(fx, "."),
                                          .officers_dir = in_dir(fx, "officers"),
                                          .auditors_dir = in_dir(fx, "auditors"),
                                          .targets = {.items = &fx->target, .count = 1}};
    choose_database(fx);
}

static void make_loop(struct authz_fixture *fx)
{
    struct kw_id boot_id;

    MUST(kw_id_v7(&boot_id, err));
    MUST(kw_loop_new(&fx->loop, err));
    kw_timer_init(&fx->tick, fx->loop, on_tick);
    kw_timer_start(&fx->tick, TICK_MS, TICK_MS);
    MUST(kw_rpc_new(fx->loop, boot_id, &fx->rpc, err));
}

static void make_inside(struct authz_fixture *fx)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    MUST(kw_certificate_to_pem(&fx->root, &pem, err));
    fx->inside =
        (struct inside){.arena = fx->arena, .region = REGION, .cell = CELL, .issuer = &fx->issuer};
    inside_start(&fx->inside, fx->rpc, in_dir(fx, "orchestrator"), kw_buf_bytes(&pem));
}

void authz_fixture_init(struct authz_fixture *fx)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as services do: a peer may be gone when it is written to */
    (void)faults_disarm(); /* what a test before this one has left armed is none of its business */
    *fx = (struct authz_fixture){.dir = "/tmp/kw-authz-XXXXXX"};
    REQUIRE(mkdtemp(fx->dir) != NULL, "mkdtemp");
    fx->arena = kw_arena_new(ARENA_SIZE);
    authz_root_make(fx);
    authz_fixture_credentials(fx, "gateway");
    authz_fixture_credentials(fx, "authz");
    authz_fixture_credentials(fx, "orchestrator");
    make_officers(fx);
    MUST(kw_id_random(&fx->product, err));
    make_loop(fx);
    make_inside(fx);
    make_config(fx);
    authz_fixture_start(fx);
    authz_actor_make(fx, KW_ROLE_PARTNER, &fx->partner);
    authz_actor_make(fx, KW_ROLE_PARTNER, &fx->other);
    authz_actor_make(fx, KW_ROLE_STATION, &fx->station);
    authz_member_put(fx, &fx->partner);
    authz_member_put(fx, &fx->other);
    authz_member_put(fx, &fx->station);
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    (void)stat;
    (void)type;
    (void)at;
    return remove(path);
}

static void close_hops(struct authz_fixture *fx)
{
    bool server_closed = false;
    bool rpc_closed = false;

    if (fx->inside.server != NULL) {
        kw_hop_server_close(fx->inside.server, set_flag, &server_closed);
        EVENTUALLY(fx, server_closed);
    }
    kw_rpc_close(fx->rpc, set_flag, &rpc_closed);
    EVENTUALLY(fx, rpc_closed);
}

void authz_fixture_done(struct authz_fixture *fx)
{
    if (fx->service != NULL) {
        authz_fixture_stop(fx);
    }
    close_hops(fx);
    kw_timer_close(&fx->tick, NULL);
    kw_loop_stop(fx->loop);
    kw_loop_run(fx->loop);
    kw_rpc_free(fx->rpc);
    kw_loop_free(fx->loop);
    inside_done(&fx->inside);
    authz_actor_done(&fx->officer);
    authz_actor_done(&fx->auditor);
    authz_actor_done(&fx->partner);
    authz_actor_done(&fx->other);
    authz_actor_done(&fx->station);
    authz_root_done(fx);
    kw_arena_free(fx->arena);
    nftw(fx->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    test_no_leaks();
}
