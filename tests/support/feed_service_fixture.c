/* The house: its owners. What is asked of them is in feed_service_ask.c. */
#include "tests/support/feed_service_fixture.h"

#include "common/base/container.h"
#include "common/feed/record_table.h"
#include "common/pki/build.h"
#include "tests/support/must.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOMAIN       "test"
#define ARENA_BYTES  (64U << 20)
#define LANES_LOOKED 64
#define HOUR_MS      3600000U

static const struct {
    const char *region;
    const char *service;
} names[HOUSE_OWNERS_MAX] = {
    {"eu", "authz"}, {"us", "authz"}, {"eu", "orchestrator"}, {"us", "orchestrator"}};

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

/* --- jobs --- */

static struct kw_result run_job(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct house_job *mine = KW_CONTAINER_OF(job, struct house_job, job);

    return mine->run(mine, tx, err);
}

static void job_done(struct kw_store_job *job)
{
    KW_CONTAINER_OF(job, struct house_job, job)->done = true;
}

struct kw_result house_write_job(struct house_owner *owner, house_run *run, const void *in,
                                 void *out)
{
    struct house_job job = {.job = {.run = run_job, .done = job_done, .vital = true},
                            .owner = owner,
                            .run = run,
                            .in = in,
                            .out = out};

    MUST(kw_store_write(owner->store, &job.job, err));
    HOP_EVENTUALLY(&owner->house->hop, job.done);
    return job.job.result;
}

static struct kw_result run_note(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA_BYTES);
    const struct kw_feed_tx feed_tx = {
        .feed = &job->owner->feed, .tx = tx, .arena = arena, .wall_ms = kw_clock_wall_ms()};

    return kw_feed_change(&feed_tx, job->in, NULL, err);
}

void house_note(struct house_owner *owner, const struct kw_record *note)
{
    REQUIRE(kw_ok(house_write_job(owner, run_note, note, NULL)), "a note");
}

static struct kw_result run_put(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA_BYTES);
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const struct kw_record *row = job->in;
    struct kw_record_row old;
    bool found;
    bool done;

    KW_TRY(kw_record_encode(row, &record, err));
    KW_TRY(kw_record_row_find(tx, &kw_store_record, row->key, arena, &old, &found, err));
    return kw_record_row_store(tx, 0, &kw_store_record, row->key, found ? &old : NULL,
                               kw_buf_bytes(&record), &done, err);
}

void house_put_store(struct house_owner *owner, const struct kw_record *row)
{
    REQUIRE(kw_ok(house_write_job(owner, run_put, row, NULL)), "a row of stores");
}

struct lanes {
    struct kw_feed_lane list[LANES_LOOKED];
    size_t count;
};

static struct kw_result run_lanes(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct lanes *lanes = job->out;

    return kw_feed_lanes(&job->owner->feed, tx, KW_ID_NONE, lanes->list, LANES_LOOKED,
                         &lanes->count, err);
}

/* KW_ID_NONE: the present one. */
struct kw_feed_lane house_lane(struct house_owner *owner, struct kw_id lane)
{
    struct lanes lanes = {0};

    REQUIRE(kw_ok(house_write_job(owner, run_lanes, NULL, &lanes)), "lanes");
    for (size_t i = 0; i < lanes.count; i++) {
        if (kw_id_is_none(lane) ? lanes.list[i].ours : kw_id_equal(lanes.list[i].id, lane)) {
            return lanes.list[i];
        }
    }
    return (struct kw_feed_lane){0};
}

static struct kw_result run_number(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    int64_t *number = job->out;
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, job->in, &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    *number = kw_col_i64(stmt, 0);
    return KW_OK;
}

int64_t house_number(struct house_owner *owner, const char *sql)
{
    int64_t number = 0;

    REQUIRE(kw_ok(house_write_job(owner, run_number, sql, &number)), "%s", sql);
    return number;
}

/* --- owners --- */

static void store_failed(const struct kw_error *error, void *context)
{
    struct house_owner *owner = context;

    (void)error;
    owner->store_failures++;
}

struct house_extra house_extra;

static const struct kw_feed_log *log_of(const struct house_owner *owner)
{
    return strcmp(owner->self.service, "orchestrator") == 0 ? house_extra.log : NULL;
}

static struct kw_result run_open(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct house_owner *owner = job->owner;
    const struct kw_feed_options options = {.mesh = owner->house->mesh,
                                            .store = kw_store_id(owner->store),
                                            .vouchers = &owner->identity.trust,
                                            .writer = owner->writer,
                                            .log = log_of(owner),
                                            .tables = feed_tables,
                                            .table_count = feed_tables_old};

    return kw_feed_open(&owner->feed, &options, tx, kw_clock_wall_ms(), err);
}

void house_owner_open(struct house_owner *owner)
{
    const struct kw_feed_identity_options identity = {.trust_domain = DOMAIN,
                                                      .region = owner->self.region,
                                                      .cell = owner->self.cell,
                                                      .service = owner->self.service,
                                                      .credentials_dir = owner->credentials,
                                                      .lane_key_file = owner->key_file};
    bool is_file = owner->url[0] == '\0';
    bool more = house_extra.migrations != NULL;
    const struct kw_store_options options = {
        .path = is_file ? owner->path : NULL,
        .url = is_file ? NULL : owner->url,
        .migrations = more ? house_extra.migrations : feed_migrations,
        .migration_count = more ? house_extra.migration_count : feed_migration_count,
        .failed = store_failed,
        .context = owner};

    MUST(kw_feed_identity_load(&owner->identity, &identity, err));
    MUST(kw_store_open(owner->house->hop.loop, &options, &owner->store, err));
    REQUIRE(kw_ok(house_write_job(owner, run_open, NULL, NULL)), "opening the feed");
    owner->lane = house_lane(owner, KW_ID_NONE).id;
}

struct kw_result house_owner_serve(struct house_owner *owner, struct kw_error *err)
{
    const struct kw_feed_service_options options = {.loop = owner->house->hop.loop,
                                                    .rpc = owner->house->hop.rpc,
                                                    .store = owner->store,
                                                    .feed = &owner->feed,
                                                    .identity = &owner->identity,
                                                    .inner = owner->inner,
                                                    .listen = "127.0.0.1:0"};

    return kw_feed_service_start(&options, &owner->service, &owner->port, err);
}

static void on_closed(void *context)
{
    ((struct house_owner *)context)->closed = true;
}

void house_owner_close_service(struct house_owner *owner)
{
    if (owner->service != NULL) {
        owner->closed = false;
        kw_feed_service_close(owner->service, on_closed, owner);
        HOP_EVENTUALLY(&owner->house->hop, owner->closed);
        owner->ended = owner->service;
        owner->service = NULL;
    }
}

void house_owner_close(struct house_owner *owner)
{
    house_owner_close_service(owner);
    kw_store_close(owner->store);
    owner->store = NULL;
    hop_turn(&owner->house->hop); /* what the writer posted last is delivered */
    kw_feed_service_free(owner->ended);
    owner->ended = NULL;
    kw_feed_identity_done(&owner->identity);
}

/* --- its replicator --- */

void house_connect(struct house_owner *owner, const char *credentials)
{
    char target[32];
    char peer[KW_SPIFFE_TEXT_SIZE];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {.targets = targets,
                                                  .credentials_dir = credentials,
                                                  .trust_domain = DOMAIN,
                                                  .peer = kw_spiffe_text(&owner->self, peer)};

    snprintf(target, sizeof(target), "127.0.0.1:%d", owner->port);
    MUST(kw_hop_client_new(owner->house->hop.rpc, &options, &owner->client, err));
}

static void client_closed(void *context)
{
    ((struct house_owner *)context)->client = NULL;
}

void house_disconnect(struct house_owner *owner)
{
    if (owner->client != NULL) {
        kw_hop_client_close(owner->client, client_closed, owner);
        HOP_EVENTUALLY(&owner->house->hop, owner->client == NULL);
    }
}

/* --- all of it --- */

static struct kw_validity around_now(uint64_t ms)
{
    uint64_t now_ms = kw_clock_wall_ms();

    return (struct kw_validity){now_ms - ms, now_ms + ms};
}

static void make_root(struct feed_house *house)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    struct kw_ca_plan plan = {
        .subject = &public, .name = "services", .validity = around_now(2 * HOUR_MS), .path_len = 0};

    MUST(kw_private_key_generate(&house->root_key, KW_CURVE_P384, err));
    MUST(kw_private_key_public(&house->root_key, &public, err));
    MUST(kw_certificate_issue_root(&plan, &house->root_key, &house->root, err));
}

static struct kw_result issue(const struct feed_house *house, const char *dir,
                              const struct kw_spiffe *id, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf key_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf cert_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca_pem = {0};
    const struct kw_issuer issuer = {&house->root, &house->root_key};
    const struct kw_leaf_plan plan = {.subject = &public,
                                      .identity = id,
                                      .validity = around_now(HOUR_MS),
                                      .usage = KW_USAGE_CLIENT | KW_USAGE_SERVER};
    struct kw_credentials_pem pem;

    KW_TRY(kw_private_key_generate(&key, KW_CURVE_P256, err));
    KW_TRY(kw_private_key_public(&key, &public, err));
    KW_TRY(kw_certificate_issue(&plan, &issuer, &leaf, err));
    KW_TRY(kw_private_key_to_pem(&key, &key_pem, err));
    KW_TRY(kw_certificate_to_pem(&leaf, &cert_pem, err));
    KW_TRY(kw_certificate_to_pem(&house->root, &ca_pem, err));
    pem = (struct kw_credentials_pem){kw_buf_bytes(&key_pem), kw_buf_bytes(&cert_pem),
                                      kw_buf_bytes(&ca_pem)};
    return kw_credentials_write(dir, &pem, err);
}

void house_certify(struct house_owner *owner, const char *dir, const char *service)
{
    struct kw_spiffe id;

    MUST(kw_spiffe_service(DOMAIN, owner->self.region, owner->self.cell, service, &id, err));
    MUST(issue(owner->house, dir, &id, err));
}

static void owner_init(struct feed_house *house, size_t at)
{
    struct house_owner *owner = &house->owners[at];
    char dir[80];

    owner->house = house;
    MUST(kw_spiffe_service(DOMAIN, names[at].region, "a", names[at].service, &owner->self, err));
    snprintf(dir, sizeof(dir), "%s/%s-%s", house->hop.dir, names[at].region, names[at].service);
    REQUIRE(mkdir(dir, S_IRWXU) == 0, "a folder");
    snprintf(owner->dir, sizeof(owner->dir), "%s", dir);
    snprintf(owner->credentials, sizeof(owner->credentials), "%s/own", dir);
    snprintf(owner->replicator, sizeof(owner->replicator), "%s/peer", dir);
    snprintf(owner->key_file, sizeof(owner->key_file), "%s/lane.pem", dir);
    snprintf(owner->path, sizeof(owner->path), "%s/db", dir);
    house_certify(owner, owner->credentials, names[at].service);
    house_certify(owner, owner->replicator, "replicator");
    (void)postgres_if_linked(owner->url);
    house_owner_open(owner);
    MUST(house_owner_serve(owner, err));
    house_connect(owner, owner->replicator);
}

void house_owner_join(struct house_owner *owner, const struct house_owner *first, uint32_t writer)
{
    *owner = (struct house_owner){.house = first->house, .self = first->self, .writer = writer};
    (void)snprintf(owner->credentials, sizeof(owner->credentials), "%s", first->credentials);
    (void)snprintf(owner->key_file, sizeof(owner->key_file), "%s", first->key_file);
    (void)snprintf(owner->url, sizeof(owner->url), "%s", first->url);
    house_owner_open(owner);
}

void house_init(struct feed_house *house, size_t count)
{
    *house = (struct feed_house){0};
    hop_fixture_init(&house->hop);
    house->mesh = lane_owner_new(0).lane.mesh;
    make_root(house);
    for (size_t i = 0; i < count; i++) {
        owner_init(house, i);
    }
    for (size_t i = 0; i < count; i++) {
        HOP_EVENTUALLY(&house->hop, kw_hop_client_connected(house->owners[i].client));
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void owner_done(struct house_owner *owner)
{
    house_disconnect(owner);
    house_owner_close(owner);
    (void)nftw(owner->dir[0] != '\0' ? owner->dir : "/nowhere", remove_one, 8,
               FTW_DEPTH | FTW_PHYS);
}

void house_done(struct feed_house *house)
{
    for (size_t i = 0; i < HOUSE_OWNERS_MAX; i++) {
        if (house->owners[i].house != NULL) {
            owner_done(&house->owners[i]);
        }
    }
    kw_private_key_done(&house->root_key);
    kw_certificate_done(&house->root);
    hop_fixture_done(&house->hop);
}

void house_introduce(struct feed_house *house)
{
    for (size_t i = 0; i < HOUSE_OWNERS; i++) {
        struct house_owner *owner = &house->owners[i];
        struct listening listening = {0};

        house_listen(owner, &listening);
        HOUSE_EVENTUALLY(house, listening.vouchers > 0);
        REQUIRE(house_verdict(&house->owners[1 - i],
                              KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_VOUCHER,
                              kw_buf_bytes(&listening.voucher)) ==
                    KEYWARD__INTERNAL__V1__FEED_VERDICT__FEED_VERDICT_NEWS,
                "a voucher is not believed");
        house_hang_up(&listening);
    }
}
