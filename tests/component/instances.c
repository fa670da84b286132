/* Three orchestrators on one database: started, asked, looked at. */
#include "tests/component/instances.h"

#include "cli/mesh_settings.h"
#include "common/base/container.h"
#include "common/feed/change_table.h"
#include "common/feed/lane_table.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/resource.h"
#include "keyward/v1/provisioning_service.pb-c.h"
#include "services/orchestrator/schema.h"

#include <stdio.h>

#define BIN        KW_BINARY_DIR "/bin"
#define TRY_ARENA  (4U * 1024U * 1024U)
#define LANES_MAX  16
#define SQL_SIZE   512
#define WALK_ARENA (256U * 1024U * 1024U)

/* --- starting --- */

static void start(struct instances *in, unsigned number)
{
    char program[] = BIN "/keyward-orchestrator";
    char config[PATH_MAX + 16];
    char targets[64];
    char store[POSTGRES_URL_SIZE + 16];
    char writer[32];
    char path[PATH_MAX];
    char log[PATH_MAX];
    char file[64];
    const char *argv[] = {program,
                          config,
                          targets,
                          store,
                          writer,
                          "--database=",
                          "--listen=127.0.0.1:0",
                          "--feed_listen=127.0.0.1:0",
                          NULL};

    snprintf(config, sizeof(config), "--config=%s",
             kw_mesh_path(&in->core.dir, "config/orchestrator.yaml", path));
    snprintf(targets, sizeof(targets), "--targets=127.0.0.1:%d", in->core.core.port);
    snprintf(store, sizeof(store), "--store_url=%s", in->url);
    snprintf(writer, sizeof(writer), "--writer=%u", number);
    snprintf(file, sizeof(file), "logs/orchestrator-%u.log", number);
    service_start(&in->services[number], argv, kw_mesh_path(&in->core.dir, file, log));
}

static void connect_to(struct instances *in, unsigned number)
{
    char target[64];
    char credentials[PATH_MAX];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir =
            kw_mesh_path(&in->core.dir, "region/credentials/" KW_MESH_CELL "/authz", credentials),
        .trust_domain = KW_MESH_TRUST_DOMAIN,
        .peer = "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION "/cell/" KW_MESH_CELL
                "/svc/orchestrator",
    };

    snprintf(target, sizeof(target), "127.0.0.1:%d", in->services[number].port);
    MUST(kw_hop_client_new(in->core.rpc, &options, &in->clients[number], err));
}

static const char *hex_of(struct instances *in, struct kw_bytes bytes)
{
    char *text = kw_arena_alloc(in->core.arena, 2 * bytes.len + 1);

    REQUIRE(text != NULL, "no room");
    text[0] = '\0';
    for (size_t i = 0; i < bytes.len; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    }
    return text;
}

/* As Enroll and ConfirmTransportKey would have written it. */
static void put_transport_key(struct instances *in)
{
    const Keyward__Internal__V1__WrappedTransportKey *key = in->station.ptk;
    uint8_t digest[KW_SHA256_LEN];
    const char *sql;

    MUST(kw_sha256(kw_bytes_field(key->wrapped), digest, err));
    sql = kw_arena_printf(
        in->core.arena,
        "INSERT INTO transport_keys (owner, version, kek_version, digest, wrapped, check_value,"
        " mac, nonce, created_ms, confirmed_ms) VALUES ('\\x%s', %u, %u, '\\x%s', '\\x%s', '\\x%s',"
        " '\\x%s', '\\x%s', 1, 1)",
        hex_of(in, kw_bytes_field(key->owner_id)), key->version, key->kek_version,
        hex_of(in, KW_BYTES_OF(digest)), hex_of(in, kw_bytes_field(key->wrapped)),
        hex_of(in, kw_bytes_field(key->check_value)), hex_of(in, kw_bytes_field(key->mac)),
        hex_of(in, kw_bytes_field(key->nonce)));
    REQUIRE(sql != NULL, "no room");
    (void)postgres_sql(in->url, sql);
}

void instances_init(struct instances *in)
{
    const struct kw_mesh_region *region;

    *in = (struct instances){0};
    postgres_init(&in->pg);
    postgres_start(&in->pg, NULL);
    postgres_schema(&in->pg, in->url);
    core_fixture_init(&in->core);
    region = &in->core.layout.regions[0];
    MUST(kw_mesh_cell_files(&in->core.layout, region, &region->cells[0], BIN, err));
    core_member(&in->core, KW_ROLE_STATION, &in->station);
    for (unsigned i = 0; i < INSTANCES; i++) {
        start(in, i);
        connect_to(in, i);
    }
    for (unsigned i = 0; i < INSTANCES; i++) {
        INSTANCES_UNTIL(in, kw_hop_client_connected(in->clients[i]));
    }
    put_transport_key(in);
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

void instances_done(struct instances *in)
{
    for (unsigned i = 0; i < INSTANCES; i++) {
        bool closed = false;

        kw_hop_client_close(in->clients[i], on_closed, &closed);
        INSTANCES_UNTIL(in, closed);
        service_stop(&in->services[i]);
    }
    core_caller_done(&in->station);
    core_fixture_done(&in->core);
    postgres_done(&in->pg);
}

/* --- what is asked --- */

static const ProtobufCMessage *batch_body(struct instances *in, struct kw_id product)
{
    Keyward__V1__CreateBatchRequest *body = kw_arena_alloc(in->core.arena, sizeof(*body));
    char *name = kw_arena_alloc(in->core.arena, KW_RESOURCE_NAME_SIZE);

    keyward__v1__create_batch_request__init(body);
    body->request_id = core_request_id(&in->core);
    body->product = kw_resource_name1(KW_RESOURCE_PRODUCT, product, name);
    body->lot = (char *)(uintptr_t) "LOT";
    body->count = PENS;
    return &body->base;
}

static const ProtobufCMessage *invite_body(struct instances *in, struct kw_id member)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    struct core_ask ask;

    core_invite_ask(&in->core, KW_ROLE_PARTNER, member, &key, &ask);
    return ask.body;
}

struct effect_wanted instances_want(struct instances *in, enum effect effect)
{
    struct effect_wanted wanted = {.effect = effect};

    MUST(kw_id_random(&wanted.of, err));
    wanted.body = effect == MAKE_PENS ? batch_body(in, wanted.of) : invite_body(in, wanted.of);
    MUST(kw_request_id_parse(kw_message_request_id(wanted.body), &wanted.request, err));
    return wanted;
}

static void ask_init(struct instances *in, const struct effect_wanted *wanted, struct core_ask *ask)
{
    if (wanted->effect == INVITE) {
        core_ask_init(&in->core, ask, KW_METHOD_CREATE_PARTNER_INVITATION, wanted->body,
                      &in->core.officer);
        ask->capsule.owner = wanted->of;
        return;
    }
    core_ask_init(&in->core, ask, KW_METHOD_CREATE_BATCH, wanted->body, &in->station);
    ask->capsule.owner = in->station.id;
    ask->capsule.ptk_version = in->station.ptk_version;
    ask->capsule.count = PENS;
    ask->capsule.scope = KW_SCOPE_PRODUCT;
    ask->capsule.scope_id = wanted->of;
}

/* --- one try --- */

static void on_data(struct kw_hop_call *hop, struct kw_hop_item item, void *user)
{
    struct instances_try *attempt = user;

    MUST(kw_buf_append(&attempt->answer, item.data, err));
    kw_hop_consume(hop, item.data.len);
}

/* What authz takes from each answer, and shows the core with its next question (services/authz/inner.c). */
static void take_witness(struct instances_try *attempt, struct kw_bytes context)
{
    const Keyward__Internal__V1__Outcome *outcome;
    struct kw_witness witness = {0};
    ProtobufCMessage *message;

    MUST(kw_arena_unpack(attempt->arena, &keyward__internal__v1__outcome__descriptor, context,
                         &message, err));
    outcome = (const Keyward__Internal__V1__Outcome *)message;
    if (outcome->seq > 0 && !outcome->replayed) {
        witness.seq = outcome->seq;
        MUST(kw_id_from_bytes(kw_bytes_field(outcome->core_boot), &witness.core, err));
        MUST(kw_id_from_bytes(kw_bytes_field(outcome->stream_boot), &witness.stream, err));
        kw_copy(witness.head, outcome->head.data, sizeof(witness.head));
        attempt->in->core.witness = witness;
    }
}

static void on_status(struct kw_hop_call *hop, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct instances_try *attempt = user;

    (void)hop;
    take_witness(attempt, context);
    attempt->reason = status->reason;
    attempt->over = true;
}

static void open_call(struct instances *in, unsigned instance, struct core_ask *ask,
                      struct instances_try *attempt)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    struct kw_hop_open open = {.method = (uint32_t)ask->method->id,
                               .deadline_ns = kw_clock_mono_ns() + PATIENCE_NS,
                               .item = {.data = ask->body_bytes},
                               .has_item = true,
                               .end = true};
    struct kw_hop_call *hop;
    struct kw_result opened;

    core_ask_authorize(&in->core, ask);
    MUST(kw_arena_pack(in->core.arena, &ask->authorization.base, &open.item.context, err));
    opened = kw_hop_open(in->clients[instance], &open, &events, attempt, &hop, NULL);
    if (!kw_ok(opened)) {
        attempt->reason = opened.reason;
        attempt->over = true;
    }
}

void instances_try(struct instances *in, unsigned instance, const struct effect_wanted *wanted,
                   struct instances_try *attempt)
{
    struct kw_arena *tests = in->core.arena;
    struct core_ask ask;

    *attempt = (struct instances_try){.in = in, .arena = kw_arena_new(TRY_ARENA)};
    REQUIRE(attempt->arena != NULL, "no room");
    in->core.arena = attempt->arena; /* there are many tries */
    ask_init(in, wanted, &ask);
    open_call(in, instance, &ask, attempt);
    in->core.arena = tests;
}

void instances_try_done(struct instances_try *attempt)
{
    kw_buf_done(&attempt->answer);
    kw_arena_free(attempt->arena);
    attempt->arena = NULL;
}

bool instances_passes(enum kw_reason reason)
{
    static const enum kw_reason passing[] = {
        KW_E_STORE_UNAVAILABLE, KW_E_STORE_CONFLICT,
        KW_E_STORE_FULL, /* receipts wait to be stored */
        KW_E_PEER_UNAVAILABLE,  KW_E_LIMIT_REACHED,
        KW_E_RECEIPT_LAG,       KW_E_CAPSULE_EXPIRED, /* it was slow: the next try has another */
    };

    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        if (reason == passing[i]) {
            return true;
        }
    }
    return false;
}

struct kw_buf instances_ask(struct instances *in, unsigned instance,
                            const struct effect_wanted *wanted)
{
    const uint64_t end_ns = kw_clock_mono_ns() + PATIENCE_NS;
    struct instances_try attempt;
    struct kw_buf answer;

    for (;; instance++) {
        instances_try(in, instance % INSTANCES, wanted, &attempt);
        INSTANCES_UNTIL(in, attempt.over);
        if (attempt.reason == KW_E_NONE) {
            break;
        }
        REQUIRE(instances_passes(attempt.reason), "%s", kw_reason_row(attempt.reason)->name);
        REQUIRE(kw_clock_mono_ns() < end_ns, "it is refused for ever");
        instances_try_done(&attempt);
        core_fixture_turn(&in->core);
    }
    answer = attempt.answer;
    attempt.answer = (struct kw_buf){0};
    instances_try_done(&attempt);
    return answer;
}

/* --- looking --- */

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

struct looking {
    struct kw_store_job job;
    bool over;
    uint64_t changes;
};

static struct kw_result verify_lane(struct kw_tx *tx, const struct kw_lane_row *lane,
                                    struct kw_arena *arena, uint64_t *changes, struct kw_error *err)
{
    struct kw_lane_point point = lane->floor;
    struct kw_change_row row;
    struct kw_stmt *walk;
    bool any = true;

    KW_TRY(kw_change_walk(tx, &lane->id, point.seq, SIZE_MAX / 2, &walk, err));
    while (true) {
        KW_TRY(kw_change_next(walk, arena, &row, &any, err));
        if (!any) {
            break;
        }
        KW_TRY(kw_lane_advance(&point, &row.change, err));
        KW_ENSURE(kw_lane_point_equal(&point, &row.point), err, INTERNAL,
                  "lane of writer %u: change %llu is not the next", lane->writer,
                  (unsigned long long)row.point.seq);
        *changes += 1;
    }
    KW_ENSURE(kw_lane_point_equal(&point, &lane->point), err, INTERNAL,
              "the lane of writer %u does not end where it says", lane->writer);
    return KW_OK;
}

static struct kw_result run_verify(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct looking *looking = KW_CONTAINER_OF(job, struct looking, job);
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(WALK_ARENA);
    struct kw_lane_row lanes[LANES_MAX];
    size_t count;

    KW_TRY(kw_lane_row_list(tx, KW_ID_NONE, lanes, LANES_MAX, &count, err));
    KW_ENSURE(count == INSTANCES, err, INTERNAL, "%zu lanes", count);
    for (size_t i = 0; i < count; i++) {
        KW_TRY(verify_lane(tx, &lanes[i], arena, &looking->changes, err));
    }
    return KW_OK;
}

static void verified(struct kw_store_job *job)
{
    KW_CONTAINER_OF(job, struct looking, job)->over = true;
}

static void store_failed(const struct kw_error *error, void *context)
{
    (void)context;
    REQUIRE(false, "%s", error->message);
}

uint64_t instances_verify(struct instances *in)
{
    const struct kw_store_options options = {.url = in->url,
                                             .migrations = kw_orch_migrations,
                                             .migration_count = kw_orch_migration_count,
                                             .failed = store_failed,
                                             .read_ms_max = 60000};
    struct looking looking = {.job = {.run = run_verify, .done = verified}};
    struct kw_store *store;

    MUST(kw_store_open(in->core.loop, &options, &store, err));
    MUST(kw_store_read(store, &looking.job, err));
    INSTANCES_UNTIL(in, looking.over);
    kw_store_close(store);
    REQUIRE(kw_ok(looking.job.result), "%s", looking.job.error.message);
    REQUIRE(postgres_sql(in->url, "SELECT count(*) FROM (SELECT max(seq) AS last, count(*) AS kept"
                                  " FROM receipts GROUP BY core, stream) AS chains"
                                  " WHERE last <> kept") == 0,
            "a chain of receipts has a gap");
    return looking.changes;
}

long instances_number(struct instances *in, const char *sql, struct kw_id of)
{
    char text[SQL_SIZE];

    (void)snprintf(text, sizeof(text), "%s '\\x%s'", sql, hex_of(in, kw_id_bytes(&of)));
    return postgres_sql(in->url, text);
}
