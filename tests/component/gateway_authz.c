/* Stands in for authz in the gateway's component tests: a hop server that does what a request's
 * name says.
 *
 *   GetPartner      name           what happens
 *                   hold           no answer, ever: for deadlines and cancellation
 *                   refuse/REASON  that reason, with a field, words, and 1,500 ms to wait
 *                   plain/REASON   that reason, nothing else
 *                   none, two      so many messages, and success
 *                   hsm/off|on     what GetStatus says from now on
 *                   stats          the counters as "name=value …" in display_name
 *                   whoami         SHA-256 of the caller's certificate in display_name
 *                   anything else  the partner: display_name is the peer's address, contact the
 *                                  traceparent, transport_key_version the milliseconds left; with
 *                                  a receipt
 *   CreatePartner   authz's side of exactly-once: a repeated request_id gets the first outcome,
 *                   without data if the gateway offered the right copy
 *   BatchGetDeviceAccess   each message back as it is; after item_id 13 nothing is taken any more
 *   GetVerificationData    SOURCE_ITEMS messages of SOURCE_ITEM_LEN
 *   GetStatus              two layers
 *
 *   gateway_authz CREDENTIALS_DIR HOST:PORT
 */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/crypto/digest.h"
#include "common/loop/process.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/hop.h"
#include "common/rpc/messages.h"
#include "common/rpc/rpc.h"
#include "keyward/internal/v1/context.pb-c.h"
#include "keyward/v1/device_access_service.pb-c.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "keyward/v1/status_service.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

#define SOURCE_ITEMS    200U
#define SOURCE_ITEM_LEN (64U * 1024U)
#define REQUESTS_MAX    64
#define STUCK_ITEM      13
#define RETRY_MS        1500U

struct request_row {
    uint8_t caller[KW_SHA256_LEN];
    char request_id[64];
    struct kw_buf outcome;
};

struct source {
    struct kw_hop_call *call;
    unsigned sent;
};

static struct kw_loop *loop;
static struct kw_process *process;
static struct kw_rpc *rpc;
static struct kw_hop_server *server;
static struct request_row rows[REQUESTS_MAX];
static size_t row_count;
static char boot_text[2 * KW_ID_LEN + 1]; /* no outcome of another boot is like ours */
static bool hsm_off;
static unsigned held_calls, cancelled, effects, offered, released, signatures;
static size_t received, source_sent;
static const uint8_t receipt_id[KW_ID_LEN] = {0x01, 0x93};
static const struct kw_hop_status success = {.reason = KW_E_NONE};

static void finish(struct kw_hop_call *call, enum kw_reason reason)
{
    kw_hop_finish(call, &(struct kw_hop_status){.reason = reason}, KW_BYTES_NONE);
}

static Keyward__Internal__V1__Copies
    waited; /* what the last mutation asked for, and how far it got */

/* The Outcome that goes with an answer, in the arena. */
static struct kw_bytes outcome(struct kw_arena *arena, bool replayed, bool local_only)
{
    Keyward__Internal__V1__Outcome message = KEYWARD__INTERNAL__V1__OUTCOME__INIT;
    struct kw_bytes packed = KW_BYTES_NONE;

    message.receipt_id = kw_field_bytes(KW_BYTES_OF(receipt_id));
    message.replayed = replayed;
    message.local_only = local_only;
    message.reached = waited;
    waited = KEYWARD__INTERNAL__V1__COPIES__COPIES_UNSPECIFIED;
    KW_IGNORE(kw_arena_pack(arena, &message.base, &packed, NULL));
    return packed;
}

/* --- GetPartner --- */

static void reply_partner(struct kw_hop_call *call, struct kw_arena *arena,
                          Keyward__V1__Partner *partner)
{
    Keyward__V1__GetPartnerResponse response = KEYWARD__V1__GET_PARTNER_RESPONSE__INIT;
    struct kw_hop_item item = {.context =
                                   outcome(arena, false, strcmp(partner->name, "alone") == 0)};

    response.partner = partner;
    KW_IGNORE(kw_arena_pack(arena, &response.base, &item.data, NULL));
    kw_hop_reply(call, item);
}

static void on_hold_cancel(struct kw_hop_call *call, void *user)
{
    (void)call;
    (void)user;
    cancelled++;
}

static void refuse(struct kw_hop_call *call, const char *name)
{
    struct kw_hop_status status = {.reason = kw_reason_by_name(name, strlen(name)),
                                   .field = "name",
                                   .description = "Words for the caller.",
                                   .retry_after_ms = RETRY_MS};

    kw_hop_finish(call, &status, KW_BYTES_NONE);
}

static void send_many(struct kw_hop_call *call, unsigned count)
{
    static const struct kw_hop_events quiet = {0};

    kw_hop_serve(call, &quiet, NULL);
    for (unsigned i = 0; i < count; i++) {
        (void)kw_hop_send(call, (struct kw_hop_item){.data = KW_BYTES_NONE});
    }
    kw_hop_finish(call, &success, KW_BYTES_NONE);
}

static char *fingerprint_text(struct kw_arena *arena, const Keyward__Internal__V1__Caller *caller)
{
    uint8_t digest[KW_SHA256_LEN];
    char text[2 * KW_SHA256_LEN + 1];

    KW_IGNORE(kw_sha256(kw_bytes_field(caller->certificate), digest, NULL));
    kw_hex(KW_BYTES_OF(digest), text);
    return kw_arena_text(arena, text, sizeof(text) - 1);
}

static void reply_facts(struct kw_hop_call *call, struct kw_arena *arena,
                        const struct kw_hop_open *open, const Keyward__Internal__V1__Caller *caller,
                        char *name)
{
    Keyward__V1__Partner partner = KEYWARD__V1__PARTNER__INIT;

    partner.name = name;
    partner.display_name = caller->peer_address;
    partner.contact = kw_arena_text(arena, (const char *)open->trace.data, open->trace.len);
    partner.transport_key_version =
        (uint32_t)((open->deadline_ns - kw_clock_mono_ns()) / KW_NS_PER_MS);
    if (strcmp(name, "stats") == 0) {
        partner.display_name = kw_arena_printf(arena,
                                               "held=%u cancelled=%u effects=%u offered=%u "
                                               "released=%u signatures=%u received=%zu source=%zu",
                                               held_calls, cancelled, effects, offered, released,
                                               signatures, received, source_sent);
    }
    if (strcmp(name, "whoami") == 0) {
        partner.display_name = fingerprint_text(arena, caller);
    }
    reply_partner(call, arena, &partner);
}

static void get_partner(struct kw_hop_call *call, const struct kw_hop_open *open,
                        const Keyward__Internal__V1__Caller *caller, struct kw_arena *arena,
                        const ProtobufCMessage *request)
{
    static const struct kw_hop_events held = {.cancel = on_hold_cancel};
    char *name = ((const Keyward__V1__GetPartnerRequest *)request)->name;

    if (strcmp(name, "hold") == 0) {
        held_calls++;
        kw_hop_serve(call, &held, NULL);
    } else if (strncmp(name, "refuse/", 7) == 0) {
        refuse(call, name + 7);
    } else if (strncmp(name, "plain/", 6) == 0) {
        finish(call, kw_reason_by_name(name + 6, strlen(name + 6)));
    } else if (strcmp(name, "none") == 0 || strcmp(name, "two") == 0) {
        send_many(call, name[0] == 'n' ? 0 : 2);
    } else {
        hsm_off = strcmp(name, "hsm/off") == 0 || (hsm_off && strcmp(name, "hsm/on") != 0);
        reply_facts(call, arena, open, caller, name);
    }
}

/* --- CreatePartner: exactly once --- */

static struct request_row *find_row(const uint8_t *caller, const char *request_id)
{
    for (size_t i = 0; i < row_count; i++) {
        if (strcmp(rows[i].request_id, request_id) == 0 &&
            kw_bytes_equal(KW_BYTES_OF(rows[i].caller), KW_BYTES(caller, KW_SHA256_LEN))) {
            return &rows[i];
        }
    }
    return NULL;
}

static struct request_row *make_row(const uint8_t *caller,
                                    const Keyward__V1__CreatePartnerRequest *request,
                                    struct kw_arena *arena)
{
    struct request_row *row = &rows[row_count++ % REQUESTS_MAX];
    Keyward__V1__CreatePartnerResponse response = KEYWARD__V1__CREATE_PARTNER_RESPONSE__INIT;
    Keyward__V1__Partner partner = KEYWARD__V1__PARTNER__INIT;
    struct kw_bytes packed = KW_BYTES_NONE;

    effects++;
    partner.name = kw_arena_printf(arena, "partners/%s-%u", boot_text, effects);
    response.partner = &partner;
    KW_IGNORE(kw_arena_pack(arena, &response.base, &packed, NULL));
    kw_copy(row->caller, caller, KW_SHA256_LEN);
    (void)snprintf(row->request_id, sizeof(row->request_id), "%s", request->request_id);
    KW_IGNORE(kw_buf_append(&row->outcome, packed, NULL));
    return row;
}

static void create_partner(struct kw_hop_call *call, const Keyward__Internal__V1__Caller *caller,
                           struct kw_arena *arena, const ProtobufCMessage *message)
{
    const Keyward__V1__CreatePartnerRequest *request =
        (const Keyward__V1__CreatePartnerRequest *)message;
    uint8_t fingerprint[KW_SHA256_LEN];
    uint8_t digest[KW_SHA256_LEN];
    struct request_row *row;
    bool replayed = true;

    KW_IGNORE(kw_sha256(kw_bytes_field(caller->certificate), fingerprint, NULL));
    waited = caller->wait; /* as far as was asked; or, of one in the dark, one cell */
    if (waited != 0 && request->partner != NULL &&
        strcmp(request->partner->display_name, "dark") == 0) {
        waited = KEYWARD__INTERNAL__V1__COPIES__COPIES_CELL;
    }
    row = find_row(fingerprint, request->request_id);
    if (row == NULL) {
        row = make_row(fingerprint, request, arena);
        replayed = false;
    }
    KW_IGNORE(kw_sha256(kw_buf_bytes(&row->outcome), digest, NULL));
    offered += caller->cached_digest.len > 0;
    signatures += caller->signature.len > 0;
    if (replayed && kw_bytes_equal(KW_BYTES_OF(digest), kw_bytes_field(caller->cached_digest))) {
        released++;
        kw_hop_finish(call, &success, outcome(arena, true, false));
        return;
    }
    kw_hop_reply(call, (struct kw_hop_item){.data = kw_buf_bytes(&row->outcome),
                                            .context = outcome(arena, replayed, false)});
}

/* --- streams --- */

static void relay_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    bool *stuck = user;

    received += item.data.len;
    if (!*stuck && kw_hop_send(call, item)) {
        kw_hop_consume(call, item.data.len);
    }
}

static void relay_end(struct kw_hop_call *call, void *user)
{
    free(user);
    kw_hop_finish(call, &success, KW_BYTES_NONE);
}

static void relay_cancel(struct kw_hop_call *call, void *user)
{
    (void)call;
    free(user);
    cancelled++;
}

static void relay(struct kw_hop_call *call, const struct kw_hop_open *open,
                  const ProtobufCMessage *message)
{
    static const struct kw_hop_events events = {
        .data = relay_data, .end = relay_end, .cancel = relay_cancel};
    const Keyward__V1__BatchGetDeviceAccessRequest *request =
        (const Keyward__V1__BatchGetDeviceAccessRequest *)message;
    bool *stuck = calloc(1, sizeof(*stuck));

    if (stuck == NULL) {
        abort();
    }
    *stuck = request->n_items > 0 && request->items[0]->item_id == STUCK_ITEM;
    kw_hop_serve(call, &events, stuck);
    relay_data(call, open->item, stuck);
}

static void source_more(struct kw_hop_call *call, void *user)
{
    static const uint8_t block[SOURCE_ITEM_LEN];
    struct source *source = user;

    while (source->sent < SOURCE_ITEMS) {
        if (!kw_hop_send(call, (struct kw_hop_item){.data = KW_BYTES_OF(block)})) {
            return;
        }
        source->sent++;
        source_sent++;
    }
    free(source);
    kw_hop_finish(call, &success, KW_BYTES_NONE);
}

static void source_cancel(struct kw_hop_call *call, void *user)
{
    (void)call;
    free(user);
    cancelled++;
}

static void source(struct kw_hop_call *call)
{
    static const struct kw_hop_events events = {.writable = source_more, .cancel = source_cancel};
    struct source *source = calloc(1, sizeof(*source));

    if (source == NULL) {
        abort();
    }
    kw_hop_serve(call, &events, source);
    source_more(call, source);
}

/* --- GetStatus --- */

static void get_status(struct kw_hop_call *call, struct kw_arena *arena)
{
    static Keyward__V1__Capability all[] = {KEYWARD__V1__CAPABILITY__CAPABILITY_REVOCATION,
                                            KEYWARD__V1__CAPABILITY__CAPABILITY_AUDIT,
                                            KEYWARD__V1__CAPABILITY__CAPABILITY_DEVICE_ACCESS};
    Keyward__V1__GetStatusResponse response = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;
    Keyward__V1__LayerStatus authz = KEYWARD__V1__LAYER_STATUS__INIT;
    Keyward__V1__LayerStatus core = KEYWARD__V1__LAYER_STATUS__INIT;
    Keyward__V1__LayerStatus *layers[] = {&authz, &core};
    struct kw_hop_item item = {0};

    authz.layer = (char *)(uintptr_t) "authz";
    core.layer = (char *)(uintptr_t) "cryptocore";
    response.state = hsm_off ? KEYWARD__V1__SERVING_STATE__SERVING_STATE_DEGRADED
                             : KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING;
    response.n_capabilities = hsm_off ? 2 : 3;
    response.capabilities = all;
    response.n_layers = 2;
    response.layers = layers;
    KW_IGNORE(kw_arena_pack(arena, &response.base, &item.data, NULL));
    kw_hop_reply(call, item);
}

/* --- any call --- */

static void answer(struct kw_hop_call *call, const struct kw_hop_open *open, struct kw_arena *arena)
{
    const struct kw_method *row = kw_method_by_id(open->method);
    ProtobufCMessage *caller;
    ProtobufCMessage *request;
    struct kw_error error;

    if (!kw_ok(kw_arena_unpack(arena, &keyward__internal__v1__caller__descriptor,
                               open->item.context, &caller, &error)) ||
        !kw_ok(kw_message_unpack(kw_method_messages(row)->input, open->item.data, arena, &request,
                                 &error))) {
        finish(call, KW_E_INTERNAL);
    } else if (open->method == KW_METHOD_GET_PARTNER) {
        get_partner(call, open, (const Keyward__Internal__V1__Caller *)caller, arena, request);
    } else if (open->method == KW_METHOD_CREATE_PARTNER) {
        create_partner(call, (const Keyward__Internal__V1__Caller *)caller, arena, request);
    } else if (open->method == KW_METHOD_BATCH_GET_DEVICE_ACCESS) {
        relay(call, open, request);
    } else if (open->method == KW_METHOD_GET_VERIFICATION_DATA) {
        source(call);
    } else if (open->method == KW_METHOD_GET_STATUS) {
        get_status(call, arena);
    } else {
        finish(call, KW_E_PERMISSION_DENIED);
    }
}

static void on_open(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);

    (void)peer;
    (void)context;
    if (arena == NULL) {
        abort();
    }
    answer(call, open, arena);
    kw_arena_free(arena);
}

/* --- the process --- */

static void rpc_closed(void *context)
{
    (void)context;
    kw_loop_stop(loop);
}

static void server_closed(void *context)
{
    (void)context;
    kw_rpc_close(rpc, rpc_closed, NULL);
}

static void on_drain(void *context)
{
    (void)context;
    kw_process_drained(process);
}

static void on_stop(void *context)
{
    (void)context;
    kw_hop_server_close(server, server_closed, NULL);
}

static struct kw_result start(const char *credentials, const char *listen, struct kw_error *err)
{
    static const char *const peers[] = {"spiffe://keyward.test/region/r1/cell/a/svc/gateway", NULL};
    static const struct kw_process_hooks hooks = {
        .drain = on_drain, .stop = on_stop, .grace_ms = 100};
    const struct kw_hop_server_options options = {.listen = listen,
                                                  .credentials_dir = credentials,
                                                  .trust_domain = "keyward.test",
                                                  .peers = peers,
                                                  .handler = {.open = on_open}};
    struct kw_id boot_id;
    int port;

    KW_TRY(kw_process_prepare(err));
    KW_TRY(kw_id_random(&boot_id, err));
    kw_hex(kw_id_bytes(&boot_id), boot_text);
    KW_TRY(kw_loop_new(&loop, err));
    KW_TRY(kw_process_new(loop, &hooks, &process, err));
    KW_TRY(kw_rpc_new(loop, boot_id, &rpc, err));
    KW_TRY(kw_hop_server_new(rpc, &options, &server, &port, err));
    kw_process_ready(process, "port=%d", port);
    return KW_OK;
}

int main(int argc, char **argv)
{
    struct kw_error error;
    int exit_code;

    if (argc != 3 || !kw_ok(start(argv[1], argv[2], &error))) {
        (void)fprintf(stderr, "gateway_authz: %s\n", argc == 3 ? error.message : "two arguments");
        return EXIT_FAILURE;
    }
    kw_loop_run(loop);
    exit_code = kw_process_end(process);
    kw_rpc_free(rpc);
    kw_loop_free(loop);
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        kw_buf_done(&rows[i].outcome);
    }
    return exit_code;
}
