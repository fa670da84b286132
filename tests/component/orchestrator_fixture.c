/* The orchestrator's surroundings. */
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/faults.h"
#include "tests/support/key_officer.h"

#include "common/audit/seal.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/pki/credentials.h"
#include "common/rpc/arena_proto.h"
#include "services/orchestrator/core_link.h"
#include "services/orchestrator/wrapped_key_feed.h"
#include "tests/support/leaks.h"
#include "tests/support/postgres.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TICK_MS     5
#define DAY_MS      86400000ULL
#define ARENA_SIZE  (64U * 1024U * 1024U)
#define DEADLINE_MS 5000U

/* --- certificates --- */

/* From so many days ago to as many ahead: an issuer's goes beyond those it issues. */
static struct kw_validity validity(uint64_t days)
{
    uint64_t now = kw_clock_wall_ms();

    return (struct kw_validity){.not_before_ms = now - days * DAY_MS,
                                .not_after_ms = now + days * DAY_MS};
}

static void make_root(struct orch_fixture *fx)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    const struct kw_ca_plan plan = {
        .subject = &key, .name = "test", .validity = validity(2), .path_len = 1};

    MUST(kw_private_key_generate(&fx->root_key, KW_CURVE_P384, err));
    MUST(kw_private_key_public(&fx->root_key, &key, err));
    MUST(kw_certificate_issue_root(&plan, &fx->root_key, &fx->root, err));
    fx->issuer = (struct kw_issuer){.certificate = &fx->root, .key = &fx->root_key};
}

static void make_credentials(struct orch_fixture *fx, const char *service)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf key_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf cert_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca_pem = {0};
    char path[128];
    struct kw_spiffe id;
    const struct kw_leaf_plan plan = {.subject = &public,
                                      .identity = &id,
                                      .validity = validity(1),
                                      .usage = KW_USAGE_CLIENT | KW_USAGE_SERVER};

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_private_key_public(&key, &public, err));
    MUST(kw_spiffe_service("test", REGION, CELL, service, &id, err));
    MUST(kw_certificate_issue(&plan, &fx->issuer, &leaf, err));
    MUST(kw_private_key_to_pem(&key, &key_pem, err));
    MUST(kw_certificate_to_pem(&leaf, &cert_pem, err));
    MUST(kw_certificate_to_pem(&fx->root, &ca_pem, err));
    snprintf(path, sizeof(path), "%s/%s", fx->dir, service);
    MUST(kw_credentials_write(path,
                              &(struct kw_credentials_pem){.key = kw_buf_bytes(&key_pem),
                                                           .cert = kw_buf_bytes(&cert_pem),
                                                           .ca = kw_buf_bytes(&ca_pem)},
                              err));
}

/* --- life --- */

static char *in_dir(struct orch_fixture *fx, const char *name)
{
    return kw_arena_printf(fx->arena, "%s/%s", fx->dir, name);
}

static bool feeds; /* the next one listens for a replicator */

static void write_pem(struct orch_fixture *fx, const char *name, const struct kw_certificate *from)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    FILE *file = fopen(in_dir(fx, name), "w");

    cr_assert_not_null(file);
    MUST(kw_certificate_to_pem(from, &pem, err));
    cr_assert(eq(sz, fwrite(pem.data, 1, pem.len, file), pem.len));
    fclose(file);
}

/* The first officer, and who certified that one: of whom orders are believed. */
static void make_officer(struct orch_fixture *fx)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_spiffe id;
    const struct kw_leaf_plan plan = {
        .subject = &public, .identity = &id, .validity = validity(1), .usage = KW_USAGE_CLIENT};

    MUST(kw_private_key_generate(&fx->officer, KW_CURVE_P256, err));
    MUST(kw_private_key_public(&fx->officer, &public, err));
    MUST(kw_spiffe_caller("test", KW_ROLE_OPERATOR, fx->operator_id, &id, err));
    MUST(kw_certificate_issue(&plan, &fx->issuer, &leaf, err));
    write_pem(fx, "services.list.pem", &leaf);
    write_pem(fx, "ca-operators.pem", &fx->root);
}

/* A file, or a schema where the binary has a server. */
static void choose_database(struct orch_fixture *fx)
{
    char url[POSTGRES_URL_SIZE];

    if (postgres_if_linked(url)) {
        fx->config.store_url = kw_arena_printf(fx->arena, "%s", url);
        return;
    }
    fx->config.database = in_dir(fx, "orchestrator.db");
}

static void make_config(struct orch_fixture *fx)
{
    FILE *file = fopen(in_dir(fx, "page_key"), "w");

    cr_assert_not_null(file);
    fputs("0123456789abcdef0123456789abcdef", file);
    fclose(file);
    cr_assert(eq(int, chmod(in_dir(fx, "page_key"), 0600), 0));
    key_officer_pki(fx->dir);
    fx->target = kw_arena_printf(fx->arena, "127.0.0.1:%d", fx->core.port);
    fx->config = (struct kw_orch_config){.region = (char *)(uintptr_t)REGION,
                                         .cell = (char *)(uintptr_t)CELL,
                                         .trust_domain = (char *)(uintptr_t) "test",
                                         .mesh = (char *)(uintptr_t)MESH,
                                         .listen = (char *)(uintptr_t) "127.0.0.1:0",
                                         .credentials_dir = in_dir(fx, "orchestrator"),
                                         .page_key_file = in_dir(fx, "page_key"),
                                         .pki_dir = fx->dir,
                                         .targets = {.items = &fx->target, .count = 1}};
    if (feeds) {
        make_officer(fx);
        fx->config.lane_key_file = in_dir(fx, "lane.pem");
        fx->config.feed_listen = (char *)(uintptr_t) "127.0.0.1:0";
    }
    choose_database(fx);
}

static void on_tick(struct kw_timer *timer)
{
    (void)timer; /* only to have the loop turn */
}

void orch_turn(struct orch_fixture *fx)
{
    (void)uv_run(kw_loop_uv(fx->loop), UV_RUN_ONCE);
}

static void on_store_failed(const struct kw_error *error, void *context)
{
    (void)context;
    cr_fatal("the store failed: %s", error->message);
}

void orch_fixture_connect(struct orch_fixture *fx)
{
    char target[32];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir = in_dir(fx, "authz"),
        .trust_domain = "test",
        .peer = "spiffe://test/region/" REGION "/cell/" CELL "/svc/orchestrator",
    };

    snprintf(target, sizeof(target), "127.0.0.1:%d", fx->orch.port);
    MUST(kw_hop_client_new(fx->rpc, &options, &fx->authz, err));
    EVENTUALLY(fx, kw_hop_client_connected(fx->authz));
}

void orch_fixture_init(struct orch_fixture *fx)
{
    orch_fixture_init_in(fx, "/tmp");
}

void orch_fixture_init_fed(struct orch_fixture *fx)
{
    feeds = true;
    orch_fixture_init(fx);
    feeds = false;
}

void orch_fixture_init_in(struct orch_fixture *fx, const char *parent)
{
    orch_fixture_start(fx, parent);
    orch_fixture_connect(fx);
    EVENTUALLY(fx, kw_core_link_ready(fx->orch.link) && fx->core.standing != NULL);
    orch_transport_key(fx, fx->station);
    orch_transport_key(fx, fx->partner);
}

void orch_fixture_start(struct orch_fixture *fx, const char *parent)
{
    struct kw_id boot_id;

    *fx = (struct orch_fixture){.dir = ""};
    (void)signal(SIGPIPE, SIG_IGN); /* as services do: a peer may be gone when it is written to */
    (void)snprintf(fx->dir, sizeof(fx->dir), "%s/kw-orch-XXXXXX", parent);
    cr_assert_not_null(mkdtemp(fx->dir));
    fx->arena = kw_arena_new(ARENA_SIZE);
    make_root(fx);
    make_credentials(fx, "authz");
    make_credentials(fx, "orchestrator");
    make_credentials(fx, "cryptocore");
    MUST(kw_credentials_load(&fx->seal, in_dir(fx, "authz"), err));
    MUST(kw_id_random(&fx->station, err));
    MUST(kw_id_random(&fx->partner, err));
    MUST(kw_id_random(&fx->operator_id, err));
    MUST(kw_id_random(&fx->product, err));
    MUST(kw_id_v7(&boot_id, err));
    MUST(kw_loop_new(&fx->loop, err));
    kw_timer_init(&fx->tick, fx->loop, on_tick);
    kw_timer_start(&fx->tick, TICK_MS, TICK_MS);
    MUST(kw_rpc_new(fx->loop, boot_id, &fx->rpc, err));
    fx->core = (struct core_peer){
        .boot_id = boot_id, .issuer = &fx->issuer, .region = REGION, .cell = CELL};
    core_peer_start(&fx->core, fx->rpc, in_dir(fx, "cryptocore"), "test",
                    "spiffe://test/region/" REGION "/cell/" CELL "/svc/orchestrator");
    make_config(fx);
    fx->orch.failed = on_store_failed;
    fx->orch.context = fx;
    MUST(kw_orch_start(&fx->orch, fx->loop, &fx->config, err));
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

static void orch_stopped(void *context)
{
    struct orch_fixture *fx = context;

    fx->orch.context = NULL;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    (void)stat;
    (void)type;
    (void)at;
    return remove(path);
}

void orch_fixture_done(struct orch_fixture *fx)
{
    bool client_closed = false;
    bool server_closed = false;
    bool rpc_closed = false;

    kw_hop_client_close(fx->authz, set_flag, &client_closed);
    EVENTUALLY(fx, client_closed);
    kw_orch_stop(&fx->orch, orch_stopped);
    EVENTUALLY(fx, fx->orch.context == NULL);
    kw_hop_server_close(fx->core.server, set_flag, &server_closed);
    EVENTUALLY(fx, server_closed);
    kw_rpc_close(fx->rpc, set_flag, &rpc_closed);
    EVENTUALLY(fx, rpc_closed);
    kw_timer_close(&fx->tick, NULL);
    kw_loop_stop(fx->loop);
    kw_loop_run(fx->loop);
    kw_orch_done(&fx->orch);
    kw_rpc_free(fx->rpc);
    kw_loop_free(fx->loop);
    core_peer_done(&fx->core);
    kw_credentials_done(&fx->seal);
    kw_certificate_done(&fx->root);
    kw_private_key_done(&fx->root_key);
    kw_private_key_done(&fx->officer);
    kw_arena_free(fx->arena);
    nftw(fx->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    test_no_leaks();
}

/* --- transport keys --- */

struct key_job {
    struct kw_store_job job;
    struct orch_fixture *fx;
    struct kw_arena *arena; /* the writer's */
    struct kw_id owner;
    bool done;
};

static struct kw_result put_key(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct key_job *key = (struct key_job *)job;
    static const uint8_t bytes[40] = {7};
    const struct kw_transport_key_row row = {.owner = key->owner,
                                             .version = 1,
                                             .kek_version = 1,
                                             .wrapped = KW_BYTES(bytes, 40),
                                             .check_value = KW_BYTES(bytes, 3),
                                             .mac = KW_BYTES(bytes, 16),
                                             .nonce = KW_BYTES(bytes, 16),
                                             .created_ms = 1};

    const struct kw_feed_tx feed_tx = {
        .feed = &key->fx->orch.feed, .tx = tx, .arena = key->arena, .wall_ms = 2};

    KW_TRY(kw_transport_key_add(&feed_tx, &row, err));
    return kw_transport_key_confirm(&feed_tx, &row, err);
}

static void put_key_done(struct kw_store_job *job)
{
    struct key_job *key = (struct key_job *)job;

    cr_assert(kw_ok(job->result), "%s", job->error.message);
    key->done = true;
}

void orch_transport_key(struct orch_fixture *fx, struct kw_id owner)
{
    struct key_job key = {.job = {.run = put_key, .done = put_key_done},
                          .fx = fx,
                          .arena = kw_arena_new(ARENA_SIZE),
                          .owner = owner};

    MUST(kw_store_write(fx->orch.store, &key.job, err));
    EVENTUALLY(fx, key.done);
    kw_arena_free(key.arena);
}

/* --- asking --- */

static void fill_capsule(struct orch_fixture *fx, const struct asking *asking, struct kw_bytes body,
                         struct kw_capsule *capsule, char *caller)
{
    const struct kw_method *method = kw_method_by_id((uint32_t)asking->method);
    uint64_t now = kw_clock_wall_ms();
    struct kw_spiffe id;

    (void)fx;
    MUST(kw_spiffe_caller(asking->trust_domain != NULL ? asking->trust_domain : "test",
                          asking->role, asking->caller, &id, err));
    (void)kw_spiffe_text(&id, caller);
    *capsule = (struct kw_capsule){
        .region = kw_bytes_str(REGION),
        .cell = kw_bytes_str(asking->cell != NULL ? asking->cell : CELL),
        .caller = kw_bytes_str(caller),
        .method = (uint16_t)asking->method,
        .first = asking->first,
        .count = asking->count,
        .scope = method->operation == KW_OPERATION_NONE ? KW_SCOPE_NONE : KW_SCOPE_BODY,
        .operation = method->operation,
        .owner = kw_id_is_none(asking->owner) ? asking->caller : asking->owner,
        .epoch = 1,
        .ptk_version = 1,
        .issued_ms = now,
        .not_after_ms = now + KW_CAPSULE_LIFETIME_MS,
    };
    if (!kw_id_is_none(asking->product)) {
        capsule->scope = KW_SCOPE_PRODUCT;
        capsule->scope_id = asking->product;
    }
    if (!kw_id_is_none(asking->batch)) {
        capsule->scope = KW_SCOPE_BATCH;
        capsule->scope_id = asking->batch;
    }
    MUST(kw_id_v7(&capsule->id, err));
    MUST(kw_sha256(body, capsule->body_hash, err));
}

struct kw_bytes orch_capsule(struct orch_fixture *fx, const struct asking *asking,
                             struct kw_bytes body)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf sealed = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf disabled = {0};
    uint8_t fingerprint[KW_SHA256_LEN];
    char caller[KW_SPIFFE_TEXT_SIZE];
    struct kw_capsule capsule;
    struct kw_bytes content;
    struct kw_bytes copy;

    fill_capsule(fx, asking, body, &capsule, caller);
    if (asking->disabled != NULL) {
        MUST(kw_capsule_disabled_add(&capsule, &disabled, asking->disabled, err));
    }
    MUST(kw_capsule_encode(&capsule, &record, err));
    MUST(kw_certificate_fingerprint(&fx->seal.leaf, fingerprint, err));
    content = kw_buf_bytes(&record);
    MUST(kw_capsules_seal(&fx->seal.key, fingerprint, &content, 1, &sealed, err));
    MUST(kw_arena_copy(fx->arena, kw_buf_bytes(&sealed), &copy, err));
    return copy;
}

static void caller_signs(const struct asking *asking, struct kw_bytes body,
                         Keyward__Internal__V1__Authorization *message)
{
    struct kw_destruction signed_by;
    struct kw_id request_id;

    if (asking->is_unsigned || asking->role != KW_ROLE_OPERATOR ||
        !kw_method_has(kw_method_by_id((uint32_t)asking->method), KW_METHOD_SIGNED) ||
        !kw_ok(kw_request_id_parse(kw_message_request_id(asking->body), &request_id, NULL))) {
        return;
    }
    signed_by = key_officer_signs(asking->method, body, request_id);
    message->caller_signature = kw_field_bytes(signed_by.signature);
    message->caller_certificate = kw_field_bytes(signed_by.certificate);
}

static struct kw_bytes authorization(struct orch_fixture *fx, const struct asking *asking,
                                     struct kw_bytes body)
{
    KW_SCOPED(kw_buf_done) struct kw_buf signer = {0};
    Keyward__Internal__V1__Authorization message = KEYWARD__INTERNAL__V1__AUTHORIZATION__INIT;
    struct kw_bytes capsule =
        asking->capsule.len > 0 ? asking->capsule : orch_capsule(fx, asking, body);
    struct kw_bytes packed;

    MUST(kw_certificate_to_der(&fx->seal.leaf, &signer, err));
    message.capsule = kw_field_bytes(capsule);
    message.signer_certificate = kw_field_bytes(kw_buf_bytes(&signer));
    message.invitation = kw_field_bytes(asking->invitation);
    caller_signs(asking, body, &message);
    MUST(kw_arena_pack(fx->arena, &message.base, &packed, err));
    return packed;
}

static void take_outcome(struct asked *asked, struct kw_bytes context)
{
    ProtobufCMessage *outcome;

    if (context.len > 0) {
        MUST(kw_arena_unpack(asked->fx->arena, &keyward__internal__v1__outcome__descriptor, context,
                             &outcome, err));
        asked->outcome = (const Keyward__Internal__V1__Outcome *)outcome;
    }
}

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct asked *asked = user;

    cr_assert(lt(sz, asked->message_count, ANSWER_MESSAGES_MAX));
    MUST(kw_arena_copy(asked->fx->arena, item.data, &asked->messages[asked->message_count++], err));
    take_outcome(asked, item.context);
    kw_hop_consume(call, item.data.len);
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct asked *asked = user;

    (void)call;
    asked->call = NULL;
    asked->over = true;
    asked->reason = status->reason;
    snprintf(asked->field, sizeof(asked->field), "%s", status->field);
    take_outcome(asked, context);
}

void orch_ask_start(struct orch_fixture *fx, const struct asking *asking, struct asked *asked)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    uint64_t timeout_ms = asking->timeout_ms != 0 ? asking->timeout_ms : DEADLINE_MS;
    struct kw_hop_open open = {.method = (uint32_t)asking->method,
                               .deadline_ns = kw_clock_mono_ns() + timeout_ms * KW_NS_PER_MS,
                               .has_item = true,
                               .end = !asking->in_pieces};

    *asked = (struct asked){.fx = fx};
    MUST(kw_arena_pack(fx->arena, asking->body, &open.item.data, err));
    open.item.context = authorization(fx, asking, open.item.data);
    MUST(kw_hop_open(fx->authz, &open, &events, asked, &asked->call, err));
}

struct asked orch_ask(struct orch_fixture *fx, const struct asking *asking)
{
    struct asked asked;

    for (;;) {
        if (fx->core.fault == CORE_RIGHT &&
            fx->core.spoil == NULL) { /* what it plays once is not for two attempts */
            faults_arm();
        }
        orch_ask_start(fx, asking, &asked);
        EVENTUALLY(fx, asked.over);
        if (!faults_again(asked.reason)) {
            return asked;
        }
        EVENTUALLY(fx, kw_core_link_ready(fx->orch.link)); /* which the fault may have cost */
    }
}

const ProtobufCMessage *orch_message(struct orch_fixture *fx, const struct asked *asked,
                                     size_t index, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message;

    cr_assert(eq(int, asked->reason, KW_E_NONE), "%s", kw_reason_row(asked->reason)->name);
    cr_assert(lt(sz, index, asked->message_count));
    MUST(kw_arena_unpack(fx->arena, type, asked->messages[index], &message, err));
    return message;
}

char *orch_request_id(struct orch_fixture *fx)
{
    char text[KW_REQUEST_ID_TEXT_SIZE];
    struct kw_id id;

    MUST(kw_id_v7(&id, err));
    return kw_arena_text(fx->arena, kw_request_id_text(id, text), KW_REQUEST_ID_TEXT_SIZE - 1);
}

char *orch_name(struct orch_fixture *fx, enum kw_resource kind, struct kw_id id)
{
    char text[KW_RESOURCE_NAME_SIZE];

    (void)kw_resource_name1(kind, id, text);
    return kw_arena_text(fx->arena, text, strlen(text));
}

/* --- stories --- */

struct asking orch_batch_ask(struct orch_fixture *fx, Keyward__V1__CreateBatchRequest *body,
                             uint32_t count)
{
    keyward__v1__create_batch_request__init(body);
    body->request_id = orch_request_id(fx);
    body->product = orch_name(fx, KW_RESOURCE_PRODUCT, fx->product);
    body->lot = (char *)(uintptr_t) "LOT 1";
    body->count = count;
    return (struct asking){.method = KW_METHOD_CREATE_BATCH,
                           .body = &body->base,
                           .role = KW_ROLE_STATION,
                           .caller = fx->station,
                           .count =
                               (uint16_t)(count < KW_CHUNK_ITEMS_MAX ? count : KW_CHUNK_ITEMS_MAX)};
}

const Keyward__V1__BatchChunk *orch_chunk(struct orch_fixture *fx, const struct asked *asked)
{
    for (size_t i = 0; i < asked->message_count; i++) {
        const Keyward__V1__CreateBatchResponse *message =
            (const Keyward__V1__CreateBatchResponse *)orch_message(
                fx, asked, i, &keyward__v1__create_batch_response__descriptor);

        if (message->part_case == KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_CHUNK) {
            return message->chunk;
        }
    }
    cr_fatal("no chunk: %s", kw_reason_row(asked->reason)->name);
    return NULL;
}

const Keyward__V1__BatchChunk *orch_make_batch(struct orch_fixture *fx, uint32_t count,
                                               const char **ret_batch)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(fx, &body, count);
    struct asked asked = orch_ask(fx, &asking);
    const Keyward__V1__CreateBatchResponse *first =
        (const Keyward__V1__CreateBatchResponse *)orch_message(
            fx, &asked, 0, &keyward__v1__create_batch_response__descriptor);

    *ret_batch = first->batch->name;
    return orch_chunk(fx, &asked);
}

void orch_confirm(struct orch_fixture *fx, const char *device, const char *serial)
{
    Keyward__V1__ConfirmDeviceRequest body = KEYWARD__V1__CONFIRM_DEVICE_REQUEST__INIT;
    static uint8_t sixteen[16] = {3};
    const struct asking asking = {.method = KW_METHOD_CONFIRM_DEVICE,
                                  .body = &body.base,
                                  .role = KW_ROLE_STATION,
                                  .caller = fx->station};
    struct asked asked;

    body.request_id = orch_request_id(fx);
    body.device = (char *)(uintptr_t)device;
    body.challenge = (ProtobufCBinaryData){.data = sixteen, .len = sizeof(sixteen)};
    body.tag = body.challenge;
    body.serial_number = (char *)(uintptr_t)serial;
    asked = orch_ask(fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_NONE), "%s", kw_reason_row(asked.reason)->name);
}

void orch_release(struct orch_fixture *fx, const char *batch)
{
    Keyward__V1__ReleaseBatchRequest body = KEYWARD__V1__RELEASE_BATCH_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_RELEASE_BATCH,
                                  .body = &body.base,
                                  .role = KW_ROLE_STATION,
                                  .caller = fx->station,
                                  .count = KW_CHUNK_ITEMS_MAX};
    struct asked asked;

    body.request_id = orch_request_id(fx);
    body.name = (char *)(uintptr_t)batch;
    asked = orch_ask(fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_NONE), "%s", kw_reason_row(asked.reason)->name);
}

const Keyward__V1__BatchItem *orch_released_device(struct orch_fixture *fx)
{
    const char *batch;
    const Keyward__V1__BatchChunk *chunk = orch_make_batch(fx, 1, &batch);

    orch_confirm(fx, chunk->items[0]->device, "SN 1");
    orch_release(fx, batch);
    return chunk->items[0];
}
