/* Starting a core, asking it, and the members and devices that drills need. */
#include "tests/support/core_fixture.h"

#include "common/audit/envelope.h"
#include "common/audit/invitation.h"
#include "common/audit/request_signature.h"
#include "common/audit/seal.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/crypto/cmac.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/keywrap.h"
#include "common/pki/cms.h"
#include "common/pki/csr.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/resource.h"
#include "keyward/v1/device_access_service.pb-c.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "keyward/v1/provisioning_service.pb-c.h"
#include "keyward/v1/station_service.pb-c.h"
#include "tests/support/leaks.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURN_MS 5
#define PATIENCE_NS (20ULL * 1000000000)
#define ARENA_SIZE (32U * 1024U * 1024U)
#define SIGNED_FOR_MS 120000U
#define CORE KW_BINARY_DIR "/bin/keyward-cryptocore"
#define WORKER KW_BINARY_DIR "/bin/keyward-hsm-worker"

extern char **environ;

#define REQUIRE(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            cr_fatal(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

#define MUST(expr)                                                                                 \
    do {                                                                                           \
        struct kw_error must_error_ = {0};                                                         \
        struct kw_error *err = &must_error_;                                                       \
        struct kw_result must_result_ = (expr);                                                    \
        REQUIRE(kw_ok(must_result_), "%s: %s", #expr, must_error_.message);                        \
    } while (0)

/* --- processes --- */

static pid_t spawn(const char *const *argv, const char *log, int out_fd)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (out_fd >= 0) {
        posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    }
    REQUIRE(posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) == 0,
            "%s does not start", argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void ceremony(struct core_fixture *fx)
{
    char config[PATH_MAX + 16];
    char path[PATH_MAX];
    char log[PATH_MAX];
    const char *argv[] = {CORE, "init", config, NULL};
    int status = 0;

    snprintf(config, sizeof(config), "--config=%s", kw_mesh_path(&fx->dir, "init.yaml", path));
    waitpid(spawn(argv, kw_mesh_path(&fx->dir, "logs/init.log", log), -1), &status, 0);
    REQUIRE(status == 0, "the ceremony failed: see %s", log);
}

static void core_config_write(struct core_fixture *fx)
{
    const char *d = fx->dir.path;
    char path[PATH_MAX];
    FILE *file = fopen(kw_mesh_path(&fx->dir, "core.yaml", path), "w");

    REQUIRE(file != NULL, "cannot be opened");
    fprintf(file,
            "region: " KW_MESH_REGION "\ncell: " KW_MESH_CELL "\ntrust_domain: " KW_MESH_TRUST_DOMAIN "\n"
            "credentials_dir: %s/region/credentials/cryptocore\npki_dir: %s/region/pki\n"
            "hsm_token: " KW_MESH_TOKEN "\nhsm_pin_file: %s/secret/pin\nhsm_lock_file: %s/run/login.lock\n"
            "hsm_worker: %s\nhsm_workers: 1\n",
            d, d, d, d, WORKER);
    fclose(file);
}

/* Reads the READY line: the core has passed its self-tests when it comes. */
static int ready_port(int fd)
{
    char line[256];
    size_t len = 0;
    int port = 0;

    while (len < sizeof(line) - 1 && read(fd, line + len, 1) == 1 && line[len] != '\n') {
        len++;
    }
    line[len] = '\0';
    REQUIRE(sscanf(line, "READY port=%d", &port) == 1, "the core is not ready: %s", line);
    return port;
}

static void turn(struct core_fixture *fx)
{
    (void)uv_run(kw_loop_uv(fx->loop), UV_RUN_ONCE);
}

#define EVENTUALLY(fx, condition)                                                                  \
    do {                                                                                           \
        uint64_t end_ = kw_clock_mono_ns() + PATIENCE_NS;                                          \
        while (!(condition) && kw_clock_mono_ns() < end_) {                                        \
            turn(fx);                                                                              \
        }                                                                                          \
        REQUIRE(condition, "not in time: %s", #condition);                                         \
    } while (0)

static void connect_client(struct core_fixture *fx)
{
    char target[64];
    char credentials[PATH_MAX];
    const char *targets[] = {target, NULL};
    struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir = kw_mesh_path(&fx->dir, "region/credentials/orchestrator", credentials),
        .trust_domain = KW_MESH_TRUST_DOMAIN,
        .peer = "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION "/cell/" KW_MESH_CELL "/svc/cryptocore",
    };

    snprintf(target, sizeof(target), "127.0.0.1:%d", fx->port);
    MUST(kw_hop_client_new(fx->rpc, &options, &fx->client, err));
    EVENTUALLY(fx, kw_hop_client_connected(fx->client));
}

void core_fixture_start(struct core_fixture *fx)
{
    char config[PATH_MAX + 16];
    char path[PATH_MAX];
    char log[PATH_MAX];
    const char *argv[] = {CORE, config, NULL};
    int out[2];

    REQUIRE(pipe2(out, O_CLOEXEC) == 0, "pipe");
    snprintf(config, sizeof(config), "--config=%s", kw_mesh_path(&fx->dir, "core.yaml", path));
    fx->core = spawn(argv, kw_mesh_path(&fx->dir, "logs/core.log", log), out[1]);
    close(out[1]);
    fx->port = ready_port(out[0]);
    close(out[0]);
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
    int status;

    client_close(fx);
    kill(fx->core, SIGKILL);
    waitpid(fx->core, &status, 0);
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
    DIR *dir = opendir(kw_mesh_path(&fx->dir, "region/officers", path));
    const struct dirent *entry;
    char name[300] = "";

    REQUIRE(dir != NULL, "cannot be opened");
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof(name), "region/officers/%s", entry->d_name);
        }
    }
    closedir(dir);
    file_load(fx, name, &pem);
    MUST(kw_certificate_from_pem(&certificate, kw_buf_bytes(&pem), err));
    MUST(kw_certificate_to_der(&certificate, &fx->officer.certificate, err));
    MUST(kw_certificate_identity(&certificate, KW_MESH_TRUST_DOMAIN, &id, err));
    fx->officer.id = id.id;
    kw_spiffe_text(&id, fx->officer.spiffe_id);
    MUST(kw_private_key_from_file(&fx->officer.key, kw_mesh_path(&fx->dir, "officer/key.pem", path), err));
}

static void authz_load(struct core_fixture *fx)
{
    char path[PATH_MAX];

    MUST(kw_credentials_load(&fx->authz, kw_mesh_path(&fx->dir, "region/credentials/authz", path), err));
    MUST(kw_certificate_to_der(&fx->authz.leaf, &fx->authz_der, err));
    MUST(kw_certificate_fingerprint(&fx->authz.leaf, fx->authz_fingerprint, err));
}

void core_fixture_init(struct core_fixture *fx)
{
    char path[PATH_MAX];

    *fx = (struct core_fixture){0};
    fx->arena = kw_arena_new(ARENA_SIZE);
    MUST(kw_mesh_dir_make(NULL, &fx->dir, err));
    MUST(kw_mesh_ceremony_files(&fx->dir, err));
    setenv("SOFTHSM2_CONF", kw_mesh_path(&fx->dir, "softhsm2.conf", path), 1);
    ceremony(fx);
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

void core_fixture_done(struct core_fixture *fx)
{
    int status = -1;

    client_close(fx);
    kill(fx->core, SIGTERM);
    waitpid(fx->core, &status, 0);
    REQUIRE(status == 0, "the core did not end cleanly: %d (see %s/logs)", status, fx->dir.path);
    kw_rpc_close(fx->rpc, on_closed, &fx->rpc_closed);
    EVENTUALLY(fx, fx->rpc_closed);
    kw_timer_close(&fx->tick, NULL);
    kw_loop_stop(fx->loop);
    kw_loop_run(fx->loop);
    kw_rpc_free(fx->rpc);
    kw_loop_free(fx->loop);
    core_caller_done(&fx->officer);
    kw_credentials_done(&fx->authz);
    kw_buf_done(&fx->authz_der);
    kw_arena_free(fx->arena);
    kw_mesh_dir_remove(&fx->dir);
    test_no_leaks();
}

/* --- asking --- */

char *core_request_id(struct core_fixture *fx)
{
    char text[KW_REQUEST_ID_TEXT_SIZE];
    struct kw_id id;

    MUST(kw_id_v7(&id, err));
    return kw_arena_text(fx->arena, kw_request_id_text(id, text), KW_REQUEST_ID_TEXT_SIZE - 1);
}

void core_ask_init(struct core_fixture *fx, struct core_ask *ask, enum kw_method_id method,
                   const ProtobufCMessage *body, const struct core_caller *caller)
{
    const struct kw_method *row = kw_method_by_id((uint32_t)method);
    uint64_t now = kw_clock_wall_ms();

    *ask = (struct core_ask){.method = row, .body = body, .caller = caller, .seal_key = &fx->authz.key};
    ask->seal_certificate = kw_buf_bytes(&fx->authz_der);
    keyward__internal__v1__core_request__init(&ask->request);
    keyward__internal__v1__authorization__init(&ask->authorization);
    MUST(kw_arena_pack(fx->arena, body, &ask->body_bytes, err));
    ask->capsule = (struct kw_capsule){
        .region = kw_bytes_str(KW_MESH_REGION),
        .cell = kw_bytes_str(KW_MESH_CELL),
        .caller = kw_bytes_str(caller->spiffe_id),
        .method = (uint16_t)method,
        .operation = row->operation,
        .epoch = 1,
        .issued_ms = now,
        .not_after_ms = now + KW_CAPSULE_LIFETIME_MS,
        .witness = fx->witness,
    };
    MUST(kw_id_v7(&ask->capsule.id, err));
    MUST(kw_sha256(ask->body_bytes, ask->capsule.body_hash, err));
    MUST(kw_sha256(kw_buf_bytes(&caller->certificate), ask->capsule.fingerprint, err));
}

static void sign(struct core_fixture *fx, struct core_ask *ask)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_signed_request request = {.method = kw_bytes_str(ask->method->path), .body_hash = body_hash};
    struct kw_id id;
    struct kw_bytes copy;

    if (ask->unsigned_call || !kw_method_has(ask->method, KW_METHOD_SIGNED) ||
        ask->authorization.caller_signature.len > 0) {
        return;
    }
    MUST(kw_sha256(ask->body_bytes, body_hash, err));
    MUST(kw_request_id_parse(kw_message_request_id(ask->body), &id, err));
    request.request_id = kw_id_bytes(&id);
    MUST(kw_request_signature_make(&ask->caller->key, &request, kw_clock_wall_ms() + SIGNED_FOR_MS, &value, err));
    MUST(kw_arena_copy(fx->arena, kw_buf_bytes(&value), &copy, err));
    ask->authorization.caller_signature = kw_field_bytes(copy);
    ask->authorization.caller_certificate = kw_field_bytes(kw_buf_bytes(&ask->caller->certificate));
}

static void seal(struct core_fixture *fx, struct core_ask *ask)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf sealed = {0};
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_bytes content;

    if (ask->sealed.len == 0) {
        MUST(kw_sha256(ask->seal_certificate, fingerprint, err));
        MUST(kw_capsule_encode(&ask->capsule, &record, err));
        content = kw_buf_bytes(&record);
        MUST(kw_capsules_seal(ask->seal_key, fingerprint, &content, 1, &sealed, err));
        MUST(kw_arena_copy(fx->arena, kw_buf_bytes(&sealed), &ask->sealed, err));
    }
    ask->authorization.capsule = kw_field_bytes(ask->sealed);
    ask->authorization.signer_certificate = kw_field_bytes(ask->seal_certificate);
}

struct waiting {
    struct core_fixture *fx;
    struct core_answer answer;
    bool over;
};

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct waiting *waiting = user;
    ProtobufCMessage *message;

    (void)call;
    MUST(kw_arena_unpack(waiting->fx->arena, &keyward__internal__v1__core_reply__descriptor, item.data, &message,
                         err));
    waiting->answer.reply = (const Keyward__Internal__V1__CoreReply *)message;
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status, struct kw_bytes context,
                      void *user)
{
    struct waiting *waiting = user;

    (void)call;
    (void)context;
    waiting->answer.status = status->reason;
    waiting->over = true;
}

/* Every receipt continues the chain; a drill that breaks it would be noticed here. */
static void receipt_take(struct core_fixture *fx, const Keyward__Internal__V1__CoreReply *reply)
{
    enum kw_chain_verdict verdict;
    struct kw_receipt receipt;

    MUST(kw_receipt_decode(kw_bytes_field(reply->receipt), &receipt, err));
    if (fx->chain.at.seq == 0) {
        kw_chain_verify_start(&fx->chain, &(struct kw_chain){.core = receipt.core, .stream = receipt.stream});
    }
    MUST(kw_chain_verify_receipt(&fx->chain, kw_bytes_field(reply->receipt), &verdict, err));
    REQUIRE(verdict == KW_CHAIN_OK, "%s", kw_chain_verdict_name(verdict));
    fx->witness = (struct kw_witness){.core = fx->chain.at.core, .stream = fx->chain.at.stream, .seq = fx->chain.at.seq};
    kw_copy(fx->witness.head, fx->chain.at.head.bytes, KW_SHA256_LEN);
}

static struct core_answer answer_read(struct core_fixture *fx, struct core_answer answer)
{
    answer.reason = answer.status;
    if (answer.reply != NULL) {
        const char *reason = answer.reply->n_items > 0 ? answer.reply->items[0]->reason : "";

        receipt_take(fx, answer.reply);
        answer.reason = kw_reason_by_name(reason, strlen(reason));
    }
    return answer;
}

struct core_answer core_ask(struct core_fixture *fx, struct core_ask *ask)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    struct waiting waiting = {.fx = fx};
    struct kw_hop_open open = {.method = (uint32_t)ask->method->id,
                               .deadline_ns = kw_clock_mono_ns() + PATIENCE_NS,
                               .has_item = true,
                               .end = true};
    struct kw_hop_call *call;

    sign(fx, ask);
    seal(fx, ask);
    ask->request.body = kw_field_bytes(ask->body_bytes);
    MUST(kw_arena_pack(fx->arena, &ask->request.base, &open.item.data, err));
    MUST(kw_arena_pack(fx->arena, &ask->authorization.base, &open.item.context, err));
    MUST(kw_hop_open(fx->client, &open, &events, &waiting, &call, err));
    EVENTUALLY(fx, waiting.over);
    return answer_read(fx, waiting.answer);
}

/* --- members --- */

void core_caller_done(struct core_caller *caller)
{
    kw_private_key_done(&caller->key);
    kw_buf_done(&caller->certificate);
    kw_secret_done(&caller->transport);
}

static ProtobufCBinaryData csr_field(struct core_fixture *fx, const struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    struct kw_bytes copy;

    MUST(kw_csr_build(key, &csr, err));
    MUST(kw_arena_copy(fx->arena, kw_buf_bytes(&csr), &copy, err));
    return kw_field_bytes(copy);
}

static void caller_take(struct core_caller *caller, ProtobufCBinaryData certificate)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_spiffe id;

    MUST(kw_buf_append(&caller->certificate, kw_bytes_field(certificate), err));
    MUST(kw_certificate_from_der(&leaf, kw_bytes_field(certificate), err));
    MUST(kw_certificate_identity(&leaf, KW_MESH_TRUST_DOMAIN, &id, err));
    caller->id = id.id;
    kw_spiffe_text(&id, caller->spiffe_id);
}

static const ProtobufCMessage *invite_body(struct core_fixture *fx, enum kw_role role, struct kw_id member,
                                           ProtobufCBinaryData csr)
{
    Keyward__V1__CreatePartnerInvitationRequest *partner = kw_arena_alloc(fx->arena, sizeof(*partner));
    Keyward__V1__CreateStationInvitationRequest *station = kw_arena_alloc(fx->arena, sizeof(*station));
    char *name = kw_arena_alloc(fx->arena, KW_RESOURCE_NAME_SIZE);

    keyward__v1__create_partner_invitation_request__init(partner);
    keyward__v1__create_station_invitation_request__init(station);
    kw_resource_name1(role == KW_ROLE_PARTNER ? KW_RESOURCE_PARTNER : KW_RESOURCE_STATION, member, name);
    partner->request_id = station->request_id = core_request_id(fx);
    partner->parent = station->parent = name;
    partner->csr = station->csr = csr;
    return role == KW_ROLE_PARTNER ? &partner->base : &station->base;
}

void core_invite(struct core_fixture *fx, enum kw_role role, struct kw_id member, struct core_caller *ret_invitation,
                 struct kw_buf *ret_record)
{
    enum kw_method_id method =
        role == KW_ROLE_PARTNER ? KW_METHOD_CREATE_PARTNER_INVITATION : KW_METHOD_CREATE_STATION_INVITATION;
    struct core_answer answer;
    struct core_ask ask;
    struct kw_invitation invitation;
    struct kw_id request_id;

    *ret_invitation = (struct core_caller){0};
    MUST(kw_private_key_generate(&ret_invitation->key, KW_CURVE_P256, err));
    core_ask_init(fx, &ask, method, invite_body(fx, role, member, csr_field(fx, &ret_invitation->key)),
                  &fx->officer);
    ask.capsule.owner = member;
    answer = core_ask(fx, &ask);
    REQUIRE(answer.reason == KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    caller_take(ret_invitation, answer.reply->certificates[0]->certificates[0]);
    MUST(kw_request_id_parse(kw_message_request_id(ask.body), &request_id, err));
    invitation = (struct kw_invitation){.method = kw_bytes_str(ask.method->path),
                                        .body = ask.body_bytes,
                                        .request_id = kw_id_bytes(&request_id),
                                        .signature = kw_bytes_field(ask.authorization.caller_signature),
                                        .certificate = kw_buf_bytes(&fx->officer.certificate)};
    MUST(kw_invitation_encode(&invitation, ret_record, err));
}

void core_enroll_ask(struct core_fixture *fx, struct core_ask *ask, struct kw_id member,
                     const struct core_caller *invitation, struct kw_bytes record)
{
    Keyward__V1__EnrollRequest *body = kw_arena_alloc(fx->arena, sizeof(*body));
    KW_SCOPED(kw_private_key_done) struct kw_private_key tls = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key transport = {0};

    MUST(kw_private_key_generate(&tls, KW_CURVE_P256, err));
    MUST(kw_private_key_generate(&transport, KW_CURVE_P384, err));
    keyward__v1__enroll_request__init(body);
    body->request_id = core_request_id(fx);
    body->tls_csr = csr_field(fx, &tls);
    body->transport_csr = csr_field(fx, &transport);
    core_ask_init(fx, ask, KW_METHOD_ENROLL, &body->base, invitation);
    ask->capsule.owner = member;
    ask->request.transport_key_version = 1;
    ask->authorization.invitation = kw_field_bytes(record);
}

static void transport_open(struct core_caller *member, const struct kw_private_key *key,
                           const Keyward__Internal__V1__CoreReply *reply)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    MUST(kw_certificate_from_der(&certificate, kw_bytes_field(reply->certificates[1]->certificates[0]), err));
    MUST(kw_cms_open(kw_bytes_field(reply->transport_key_cms), key, &certificate, &member->transport, err));
    member->ptk = reply->transport_key;
    member->ptk_version = reply->transport_key->version;
}

void core_member(struct core_fixture *fx, enum kw_role role, struct core_caller *ret_member)
{
    KW_SCOPED(core_caller_done) struct core_caller invitation = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key transport = {0};
    Keyward__V1__EnrollRequest *body;
    struct core_answer answer;
    struct core_ask ask;
    struct kw_id id;

    *ret_member = (struct core_caller){0};
    MUST(kw_id_random(&id, err));
    core_invite(fx, role, id, &invitation, &record);
    core_enroll_ask(fx, &ask, id, &invitation, kw_buf_bytes(&record));
    body = (Keyward__V1__EnrollRequest *)(uintptr_t)ask.body;
    MUST(kw_private_key_generate(&ret_member->key, KW_CURVE_P256, err));
    MUST(kw_private_key_generate(&transport, KW_CURVE_P384, err));
    body->tls_csr = csr_field(fx, &ret_member->key);
    body->transport_csr = csr_field(fx, &transport);
    MUST(kw_arena_pack(fx->arena, &body->base, &ask.body_bytes, err));
    MUST(kw_sha256(ask.body_bytes, ask.capsule.body_hash, err));
    answer = core_ask(fx, &ask);
    REQUIRE(answer.reason == KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    caller_take(ret_member, answer.reply->certificates[0]->certificates[0]);
    transport_open(ret_member, &transport, answer.reply);
}

/* --- devices --- */

static void new_keys(struct core_fixture *fx, struct core_ask *ask, struct core_device *device)
{
    Keyward__Internal__V1__NewKey *key = kw_arena_alloc(fx->arena, sizeof(*key));
    Keyward__Internal__V1__NewKey **list = kw_arena_alloc(fx->arena, sizeof(*list));
    struct kw_id *key_id = kw_arena_alloc(fx->arena, sizeof(*key_id));

    MUST(kw_id_random(&device->device, err));
    MUST(kw_id_random(&device->batch, err));
    MUST(kw_id_v7(key_id, err));
    keyward__internal__v1__new_key__init(key);
    key->key_id = kw_field_bytes(kw_id_bytes(key_id));
    key->device_id = kw_field_bytes(kw_id_bytes(&device->device));
    list[0] = key;
    ask->request.new_keys = list;
    ask->request.n_new_keys = 1;
    ask->request.product_id = kw_field_bytes(kw_id_bytes(&device->product));
    ask->request.batch_id = kw_field_bytes(kw_id_bytes(&device->batch));
}

static void generate(struct core_fixture *fx, const struct core_caller *station, struct core_device *device)
{
    Keyward__V1__CreateBatchRequest body = KEYWARD__V1__CREATE_BATCH_REQUEST__INIT;
    char product[KW_RESOURCE_NAME_SIZE];
    struct core_answer answer;
    struct core_ask ask;

    MUST(kw_id_random(&device->product, err));
    body.request_id = core_request_id(fx);
    body.product = kw_resource_name1(KW_RESOURCE_PRODUCT, device->product, product);
    body.lot = (char *)(uintptr_t)"LOT";
    body.count = 1;
    core_ask_init(fx, &ask, KW_METHOD_CREATE_BATCH, &body.base, station);
    ask.capsule.owner = station->id;
    ask.capsule.ptk_version = station->ptk_version;
    ask.capsule.count = 1;
    ask.request.transport_key = station->ptk;
    new_keys(fx, &ask, device);
    answer = core_ask(fx, &ask);
    REQUIRE(answer.reason == KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    device->key = answer.reply->items[0]->key;
    device->key->n_facts = 1;
    device->key->facts = answer.reply->items[0]->facts;
    MUST(kw_kwp_unwrap(&station->transport, kw_bytes_field(answer.reply->items[0]->delivery), &device->value, err));
}

static void facts_add(struct core_fixture *fx, struct core_device *device, const Keyward__Internal__V1__CoreReply *reply)
{
    size_t more = reply->items[0]->n_facts;
    Keyward__Internal__V1__Fact **list = kw_arena_alloc(fx->arena, (device->key->n_facts + more) * sizeof(*list));

    kw_copy(list, device->key->facts, device->key->n_facts * sizeof(*list));
    kw_copy(list + device->key->n_facts, reply->items[0]->facts, more * sizeof(*list));
    device->key->facts = list;
    device->key->n_facts += more;
}

static void one_key(struct core_fixture *fx, struct core_ask *ask, const struct core_device *device)
{
    Keyward__Internal__V1__WrappedDeviceKey **list = kw_arena_alloc(fx->arena, sizeof(*list));

    list[0] = device->key;
    ask->request.keys = list;
    ask->request.n_keys = 1;
    ask->capsule.scope = KW_SCOPE_BODY;
}

static void confirm(struct core_fixture *fx, const struct core_caller *station, struct core_device *device)
{
    Keyward__V1__ConfirmDeviceRequest body = KEYWARD__V1__CONFIRM_DEVICE_REQUEST__INIT;
    uint8_t challenge[16] = {7};
    uint8_t tag[KW_CMAC_LEN];
    const struct kw_bytes parts[] = {kw_bytes_str("KEYWARD-PROV"), KW_BYTES_OF(challenge),
                                     kw_id_bytes(&device->device)};
    char name[KW_RESOURCE_NAME_SIZE];
    struct core_answer answer;
    struct core_ask ask;

    MUST(kw_cmac_aes256(&device->value, parts, 3, tag, err));
    body.request_id = core_request_id(fx);
    body.device = kw_resource_name1(KW_RESOURCE_DEVICE, device->device, name);
    body.challenge = kw_field_bytes(KW_BYTES_OF(challenge));
    body.tag = kw_field_bytes(KW_BYTES_OF(tag));
    core_ask_init(fx, &ask, KW_METHOD_CONFIRM_DEVICE, &body.base, station);
    one_key(fx, &ask, device);
    answer = core_ask(fx, &ask);
    REQUIRE(answer.reason == KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    facts_add(fx, device, answer.reply);
}

static void release(struct core_fixture *fx, const struct core_caller *station, struct core_device *device)
{
    Keyward__V1__ReleaseBatchRequest body = KEYWARD__V1__RELEASE_BATCH_REQUEST__INIT;
    char name[KW_RESOURCE_NAME_SIZE];
    struct core_answer answer;
    struct core_ask ask;

    body.request_id = core_request_id(fx);
    body.name = kw_resource_name1(KW_RESOURCE_BATCH, device->batch, name);
    core_ask_init(fx, &ask, KW_METHOD_RELEASE_BATCH, &body.base, station);
    one_key(fx, &ask, device);
    ask.capsule.scope = KW_SCOPE_BATCH;
    ask.capsule.scope_id = device->batch;
    answer = core_ask(fx, &ask);
    REQUIRE(answer.reason == KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    facts_add(fx, device, answer.reply);
}

void core_device(struct core_fixture *fx, const struct core_caller *station, struct core_device *ret_device)
{
    *ret_device = (struct core_device){0};
    generate(fx, station, ret_device);
    confirm(fx, station, ret_device);
    release(fx, station, ret_device);
}

void core_device_done(struct core_device *device)
{
    kw_secret_done(&device->value);
}

void core_access_ask(struct core_fixture *fx, struct core_ask *ask, const struct core_device *device,
                     const struct core_caller *partner)
{
    Keyward__V1__GetDeviceAccessRequest *body = kw_arena_alloc(fx->arena, sizeof(*body));
    char *name = kw_arena_alloc(fx->arena, KW_RESOURCE_NAME_SIZE);

    keyward__v1__get_device_access_request__init(body);
    body->selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    body->device = kw_resource_name1(KW_RESOURCE_DEVICE, device->device, name);
    body->epoch = 1;
    core_ask_init(fx, ask, KW_METHOD_GET_DEVICE_ACCESS, &body->base, partner);
    one_key(fx, ask, device);
    ask->capsule.owner = partner->id;
    ask->capsule.ptk_version = partner->ptk_version;
    MUST(kw_id_v7(&ask->capsule.grant, err));
    ask->request.transport_key = partner->ptk;
}
