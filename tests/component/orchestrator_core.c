/* The scripted core. */
#include "tests/component/orchestrator_core.h"

#include "common/audit/capsule.h"
#include "common/audit/envelope.h"
#include "common/audit/seal.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/pki/csr.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"

#include <criterion/criterion.h>
#include <keyward/internal/v1/context.pb-c.h>
#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/enrollment_service.pb-c.h>
#include <keyward/v1/key_service.pb-c.h>
#include <keyward/v1/partner_service.pb-c.h>
#include <keyward/v1/status_service.pb-c.h>

#define MUST(expr)                                                                                 \
    do {                                                                                           \
        struct kw_error must_error_ = {0};                                                         \
        struct kw_error *err = &must_error_;                                                       \
        struct kw_result must_result_ = (expr);                                                    \
        cr_assert(kw_ok(must_result_), "%s: %s", #expr, must_error_.message);                      \
    } while (0)

#define WRAPPED_LEN 40
#define MAC_LEN     16
#define CHECK_LEN   3
#define LIFE_MS     3600000U

/* One call while it is answered. */
struct turn {
    struct core_peer *core;
    struct kw_arena *arena;
    const struct kw_method *method;
    const Keyward__Internal__V1__CoreRequest *request;
    const Keyward__Internal__V1__Authorization *authorization;
    const ProtobufCMessage *body;
    struct kw_capsule capsule;
    struct kw_id receipt_id;
    enum kw_reason reason;
    Keyward__Internal__V1__CoreReply reply;
    struct kw_receipt receipt;
    struct kw_buf items;
};

static void *take(struct turn *turn, size_t size)
{
    void *place = kw_arena_alloc(turn->arena, size);

    cr_assert_not_null(place);
    return place;
}

static ProtobufCBinaryData noise(struct turn *turn, size_t len)
{
    uint8_t *bytes = take(turn, len);

    MUST(kw_random(bytes, len, err));
    return (ProtobufCBinaryData){.data = bytes, .len = len};
}

static ProtobufCBinaryData keep(struct turn *turn, struct kw_bytes bytes)
{
    struct kw_bytes copy;

    MUST(kw_arena_copy(turn->arena, bytes, &copy, err));
    return kw_field_bytes(copy);
}

/* --- items --- */

static Keyward__Internal__V1__CoreItem *add_item(struct turn *turn, struct kw_bytes key,
                                                 struct kw_bytes device)
{
    Keyward__Internal__V1__CoreItem *item = take(turn, sizeof(*item));
    struct kw_receipt_item written = {0};

    keyward__internal__v1__core_item__init(item);
    if (key.len == KW_ID_LEN) {
        kw_copy(written.key.bytes, key.data, KW_ID_LEN);
        kw_copy(written.device.bytes, device.data, KW_ID_LEN);
    }
    if (turn->reason != KW_E_NONE) {
        item->reason = (char *)(uintptr_t)kw_reason_row(turn->reason)->name;
        written.outcome = kw_bytes_str(item->reason);
    }
    MUST(kw_receipt_item_add(&turn->receipt, &turn->items, &written, err));
    if (turn->reply.items == NULL) {
        turn->reply.items = take(turn, KW_CHUNK_ITEMS_MAX * sizeof(item));
    }
    turn->reply.items[turn->reply.n_items++] = item;
    return item;
}

static void add_fact(struct turn *turn, Keyward__Internal__V1__CoreItem *item, struct kw_bytes key,
                     enum kw_fact_kind kind, struct kw_id ref)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    Keyward__Internal__V1__Fact *message = take(turn, sizeof(*message));
    struct kw_fact fact = {.kind = kind,
                           .ref = ref,
                           .time_ms = kw_clock_wall_ms(),
                           .capsule = turn->capsule.id,
                           .actor = turn->capsule.caller};

    kw_copy(fact.key.bytes, key.data, KW_ID_LEN);
    MUST(kw_fact_encode(&fact, &record, err));
    keyward__internal__v1__fact__init(message);
    message->fact = keep(turn, kw_buf_bytes(&record));
    message->mac = noise(turn, MAC_LEN);
    if (item->facts == NULL) {
        item->facts = take(turn, KW_KEY_SUSPENSIONS_MAX * sizeof(message));
    }
    item->facts[item->n_facts++] = message;
}

static void generate(struct turn *turn)
{
    turn->core->last_new_keys = turn->request->n_new_keys;
    for (size_t i = 0; i < turn->request->n_new_keys; i++) {
        const Keyward__Internal__V1__NewKey *asked = turn->request->new_keys[i];
        struct kw_bytes key = kw_bytes_field(asked->key_id);
        Keyward__Internal__V1__CoreItem *item =
            add_item(turn, key, kw_bytes_field(asked->device_id));

        if (turn->reason != KW_E_NONE) {
            continue;
        }
        item->key = take(turn, sizeof(*item->key));
        keyward__internal__v1__wrapped_device_key__init(item->key);
        item->key->key_id = asked->key_id;
        item->key->device_id = asked->device_id;
        item->key->kek_version = 1;
        item->key->wrapped = noise(turn, WRAPPED_LEN);
        item->key->check_value = noise(turn, CHECK_LEN);
        item->key->mac = noise(turn, MAC_LEN);
        item->delivery = noise(turn, WRAPPED_LEN);
        add_fact(turn, item, key, KW_FACT_PROTECTED, KW_ID_NONE);
    }
}

/* What the real one finds by MACs: whoever makes up a blob in a test gives it another length. */
static bool is_ours(const struct turn *turn, const Keyward__Internal__V1__WrappedDeviceKey *key)
{
    const Keyward__Internal__V1__WrappedTransportKey *transport = turn->request->transport_key;

    return key->wrapped.len == WRAPPED_LEN &&
           (transport == NULL || transport->wrapped.len == WRAPPED_LEN);
}

/* One fact a key, or one a suspension that is lifted. */
static void enable(struct turn *turn, enum kw_fact_kind kind)
{
    const Keyward__V1__LiftKeySuspensionsRequest *lift =
        (const Keyward__V1__LiftKeySuspensionsRequest *)turn->body;

    enum kw_reason reason = turn->reason;

    for (size_t i = 0; i < turn->request->n_keys; i++) {
        const Keyward__Internal__V1__WrappedDeviceKey *asked = turn->request->keys[i];
        struct kw_bytes key = kw_bytes_field(asked->key_id);
        size_t facts = kind == KW_FACT_LIFTED ? lift->n_suspensions : 1;
        Keyward__Internal__V1__CoreItem *item;

        turn->reason = is_ours(turn, asked) ? reason : KW_E_BINDING_INVALID;
        item = add_item(turn, key, kw_bytes_field(asked->device_id));

        for (size_t f = 0; f < facts && turn->reason == KW_E_NONE; f++) {
            struct kw_id ref = KW_ID_NONE;

            if (kind == KW_FACT_LIFTED) {
                MUST(kw_id_parse(KW_ID_SUSPENSION, kw_bytes_str(lift->suspensions[f]), &ref, err));
            }
            add_fact(turn, item, key, kind, ref);
        }
    }
}

static void add_envelope(struct turn *turn, Keyward__Internal__V1__CoreItem *item,
                         const Keyward__Internal__V1__WrappedDeviceKey *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf sealed = {0};
    struct kw_envelope envelope = {.suite = KW_SUITE_AES256,
                                   .kind = KW_ENVELOPE_KEY,
                                   .partner = turn->capsule.owner,
                                   .epoch = 1,
                                   .ptk_version = turn->capsule.ptk_version,
                                   .receipt = turn->receipt_id,
                                   .issued_ms = kw_clock_wall_ms(),
                                   .region = kw_bytes_str(turn->core->region)};
    uint8_t mac[KW_CMAC_LEN] = {1};
    ProtobufCBinaryData wrapped = noise(turn, WRAPPED_LEN);

    envelope.expires_ms = envelope.issued_ms + LIFE_MS;
    kw_copy(envelope.key.bytes, key->key_id.data, KW_ID_LEN);
    kw_copy(envelope.device.bytes, key->device_id.data, KW_ID_LEN);
    if (turn->core->fault == CORE_SWAPS_DEVICE) {
        envelope.device.bytes[0] ^= 1;
    }
    MUST(kw_envelope_encode_prefix(&envelope, &sealed, err));
    MUST(kw_envelope_finish(&sealed, kw_bytes_field(wrapped), mac, err));
    item->envelope = keep(turn, kw_buf_bytes(&sealed));
}

/* A key without id is one the orchestrator does not have. */
static void use(struct turn *turn)
{
    enum kw_reason reason = turn->reason;

    for (size_t i = 0; i < turn->request->n_keys; i++) {
        const Keyward__Internal__V1__WrappedDeviceKey *key = turn->request->keys[i];
        Keyward__Internal__V1__CoreItem *item;

        turn->reason = key->key_id.len == 0 || !is_ours(turn, key) ? KW_E_BINDING_INVALID : reason;
        item = add_item(turn, kw_bytes_field(key->key_id), kw_bytes_field(key->device_id));
        if (turn->reason == KW_E_NONE) {
            add_envelope(turn, item, key);
        }
    }
}

/* --- members --- */

static void add_certificate(struct turn *turn, enum kw_role role, struct kw_id id,
                            ProtobufCBinaryData csr)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    Keyward__Internal__V1__CertificateChain *chain = take(turn, sizeof(*chain));
    uint64_t now = kw_clock_wall_ms();
    struct kw_spiffe identity;
    const struct kw_leaf_plan plan = {
        .subject = &key,
        .identity = &identity,
        .validity = {.not_before_ms = now, .not_after_ms = now + LIFE_MS},
        .usage = KW_USAGE_CLIENT};

    MUST(kw_csr_verify(kw_bytes_field(csr), &key, err));
    MUST(kw_spiffe_caller("test", role, id, &identity, err));
    MUST(kw_certificate_issue(&plan, turn->core->issuer, &leaf, err));
    MUST(kw_certificate_to_der(&leaf, &der, err));
    keyward__internal__v1__certificate_chain__init(chain);
    chain->certificates = take(turn, sizeof(*chain->certificates));
    chain->certificates[0] = keep(turn, kw_buf_bytes(&der));
    chain->n_certificates = 1;
    if (turn->reply.certificates == NULL) {
        turn->reply.certificates = take(turn, 2 * sizeof(chain));
    }
    turn->reply.certificates[turn->reply.n_certificates++] = chain;
}

static void enroll(struct turn *turn)
{
    const Keyward__V1__EnrollRequest *body = (const Keyward__V1__EnrollRequest *)turn->body;
    Keyward__Internal__V1__WrappedTransportKey *key = take(turn, sizeof(*key));

    (void)add_item(turn, KW_BYTES_NONE, KW_BYTES_NONE);
    add_certificate(turn, KW_ROLE_PARTNER, turn->capsule.owner, body->tls_csr);
    add_certificate(turn, KW_ROLE_PARTNER, turn->capsule.owner, body->transport_csr);
    keyward__internal__v1__wrapped_transport_key__init(key);
    key->owner_id = keep(turn, kw_id_bytes(&turn->capsule.owner));
    key->version = turn->request->transport_key_version;
    key->kek_version = 1;
    key->wrapped = noise(turn, WRAPPED_LEN);
    key->check_value = noise(turn, CHECK_LEN);
    key->mac = noise(turn, MAC_LEN);
    turn->reply.transport_key = key;
    turn->reply.transport_key_cms = noise(turn, WRAPPED_LEN);
}

static void invite(struct turn *turn)
{
    const Keyward__V1__CreatePartnerInvitationRequest *body =
        (const Keyward__V1__CreatePartnerInvitationRequest *)turn->body;
    struct kw_id id;

    MUST(kw_id_v7(&id, err));
    (void)add_item(turn, KW_BYTES_NONE, KW_BYTES_NONE);
    add_certificate(turn, KW_ROLE_INVITATION, id, body->csr);
}

static void act(struct turn *turn)
{
    switch ((int)turn->method->id) {
    case KW_METHOD_CREATE_BATCH:
        generate(turn);
        break;
    case KW_METHOD_CONFIRM_DEVICE:
        enable(turn, KW_FACT_CONFIRMED);
        break;
    case KW_METHOD_RELEASE_BATCH:
    case KW_METHOD_ACTIVATE_KEY:
        enable(turn, KW_FACT_ACTIVATED);
        break;
    case KW_METHOD_LIFT_KEY_SUSPENSIONS:
        enable(turn, KW_FACT_LIFTED);
        break;
    case KW_METHOD_GET_DEVICE_ACCESS:
    case KW_METHOD_BATCH_GET_DEVICE_ACCESS:
        use(turn);
        break;
    case KW_METHOD_ENROLL:
        enroll(turn);
        break;
    case KW_METHOD_CREATE_PARTNER_INVITATION:
        invite(turn);
        break;
    default:
        (void)add_item(turn, KW_BYTES_NONE, KW_BYTES_NONE);
        break;
    }
}

/* --- receipts --- */

static void issue(struct turn *turn, struct kw_buf *record)
{
    struct kw_receipt *receipt = &turn->receipt;
    struct kw_receipt named = *receipt;

    MUST(kw_id_v7(&named.id, err));
    if (receipt == &turn->receipt) {
        named.id = turn->receipt_id;
    }
    named.time_ms = kw_clock_wall_ms();
    named.region = kw_bytes_str(turn->core->region);
    named.cell = kw_bytes_str(turn->core->cell);
    named.capsule = kw_bytes_field(turn->authorization->capsule);
    named.signer = kw_bytes_field(turn->authorization->signer_certificate);
    MUST(kw_chain_issue(&turn->core->chain, &named, record, err));
}

/* A receipt of a use that nobody here has asked for, before the one of this call. */
static void issue_extra(struct turn *turn, struct kw_buf *record)
{
    struct kw_id id = turn->receipt_id;

    MUST(kw_id_v7(&turn->receipt_id, err));
    issue(turn, record);
    turn->receipt_id = id;
}

static void add_receipt(struct turn *turn)
{
    struct core_peer *core = turn->core;
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf extra = {0};

    if (core->fault == CORE_NO_RECEIPT) {
        return;
    }
    if (core->fault == CORE_SKIPS_A_SEQ || core->fault == CORE_LATE_RECEIPT) {
        issue_extra(turn, &extra);
        kw_buf_move(&core->late, &extra);
    }
    if (core->fault == CORE_WRONG_PREV) {
        core->chain.head.bytes[0] ^= 1;
        core->chain.seq += core->chain.seq == 0 ? 1 : 0;
    }
    issue(turn, &record);
    turn->reply.receipt = keep(turn, kw_buf_bytes(&record));
    kw_buf_move(&core->last, &record);
}

/* --- status --- */

/* What the core says of itself: no CoreReply, and no receipt. */
static struct kw_bytes pack_status(struct turn *turn)
{
    static Keyward__V1__Capability capability = KEYWARD__V1__CAPABILITY__CAPABILITY_DEVICE_ACCESS;
    Keyward__V1__LayerStatus layer = KEYWARD__V1__LAYER_STATUS__INIT;
    Keyward__V1__LayerStatus *layers[] = {&layer};
    Keyward__V1__GetStatusResponse status = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;
    struct kw_bytes packed;

    layer.layer = (char *)(uintptr_t) "cryptocore";
    layer.state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING;
    status.state = layer.state;
    status.capabilities = &capability;
    status.n_capabilities = 1;
    status.layers = layers;
    status.n_layers = 1;
    MUST(kw_arena_pack(turn->arena, &status.base, &packed, err));
    return packed;
}

/* --- the hop --- */

static void standing_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct core_peer *core = user;
    Keyward__Internal__V1__ReceiptAck *ack =
        keyward__internal__v1__receipt_ack__unpack(NULL, item.data.len, item.data.data);

    cr_assert_not_null(ack);
    core->acked = ack->seq;
    keyward__internal__v1__receipt_ack__free_unpacked(ack, NULL);
    kw_hop_consume(call, item.data.len);
}

static void standing_cancel(struct kw_hop_call *call, void *user)
{
    struct core_peer *core = user;

    (void)call;
    core->standing = NULL;
}

static void ignore_cancel(struct kw_hop_call *call, void *user)
{
    (void)call;
    (void)user;
}

static void turn_init(struct turn *turn, struct core_peer *core, const struct kw_hop_open *open)
{
    struct kw_sealed sealed;

    *turn = (struct turn){.core = core, .arena = kw_arena_new(KW_REQUEST_ARENA_MAX)};
    turn->method = kw_method_by_id(open->method);
    MUST(kw_message_unpack(&keyward__internal__v1__core_request__descriptor, open->item.data,
                           turn->arena, (ProtobufCMessage **)&turn->request, err));
    MUST(kw_message_unpack(&keyward__internal__v1__authorization__descriptor, open->item.context,
                           turn->arena, (ProtobufCMessage **)&turn->authorization, err));
    MUST(kw_message_unpack(kw_method_messages(turn->method)->input,
                           kw_bytes_field(turn->request->body), turn->arena,
                           (ProtobufCMessage **)&turn->body, err));
    MUST(kw_sealed_decode(kw_bytes_field(turn->authorization->capsule), &sealed, err));
    MUST(kw_capsule_decode(sealed.capsule, &turn->capsule, err));
    MUST(kw_id_v7(&turn->receipt_id, err));
    turn->reason = core->fault == CORE_REFUSES ? core->refusal : KW_E_NONE;
    keyward__internal__v1__core_reply__init(&turn->reply);
}

static struct kw_bytes pack_reply(struct turn *turn)
{
    struct core_peer *core = turn->core;
    struct kw_bytes packed;

    core->last_keys = turn->request->n_keys;
    act(turn);
    add_receipt(turn);
    if (core->spoil != NULL) {
        core->spoil(&turn->reply);
        core->spoil = NULL;
    }
    MUST(kw_arena_pack(turn->arena, &turn->reply.base, &packed, err));
    return packed;
}

static void reply(struct kw_hop_call *call, struct core_peer *core, const struct kw_hop_open *open)
{
    struct turn turn;
    struct kw_bytes packed;

    turn_init(&turn, core, open);
    packed = open->method == KW_METHOD_GET_STATUS ? pack_status(&turn) : pack_reply(&turn);
    kw_hop_reply(call, (struct kw_hop_item){.data = packed});
    kw_buf_done(&turn.items);
    kw_arena_free(turn.arena);
}

static void on_open(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    static const struct kw_hop_events standing = {.data = standing_data, .cancel = standing_cancel};
    static const struct kw_hop_events silent = {.cancel = ignore_cancel};
    struct core_peer *core = context;

    if (open->method == KW_METHOD_RECEIPTS) {
        core->stream = peer->boot_id;
        core->chain.core = core->boot_id;
        core->chain.stream = peer->boot_id;
        core->standing = call;
        kw_hop_serve(call, &standing, core);
        return;
    }
    core->calls++;
    if (core->fault == CORE_SILENT) {
        kw_hop_serve(call, &silent, core);
    } else if (core->fault == CORE_FAILS) {
        kw_hop_finish(
            call, &(struct kw_hop_status){.reason = core->refusal, .field = "", .description = ""},
            KW_BYTES_NONE);
    } else {
        reply(call, core, open);
    }
    core->fault = CORE_RIGHT;
}

static void send_notice(struct core_peer *core,
                        const Keyward__Internal__V1__CheckpointNotice *notice)
{
    uint8_t bytes[16384];
    size_t len = keyward__internal__v1__checkpoint_notice__get_packed_size(notice);

    cr_assert(len <= sizeof(bytes) && core->standing != NULL);
    keyward__internal__v1__checkpoint_notice__pack(notice, bytes);
    cr_assert(kw_hop_send(core->standing, (struct kw_hop_item){.data = KW_BYTES(bytes, len)}));
}

void core_send_receipt(struct core_peer *core, struct kw_bytes record)
{
    Keyward__Internal__V1__CheckpointNotice notice = KEYWARD__INTERNAL__V1__CHECKPOINT_NOTICE__INIT;

    notice.receipt = kw_field_bytes(record);
    send_notice(core, &notice);
}

void core_send_late(struct core_peer *core)
{
    core_send_receipt(core, kw_buf_bytes(&core->late));
}

void core_send_checkpoint_record(struct core_peer *core, struct kw_bytes record)
{
    Keyward__Internal__V1__CheckpointNotice notice = KEYWARD__INTERNAL__V1__CHECKPOINT_NOTICE__INIT;

    notice.checkpoint = kw_field_bytes(record);
    send_notice(core, &notice);
}

void core_send_checkpoint(struct core_peer *core, bool right)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    static const uint8_t signature[8] = {1};
    struct kw_checkpoint checkpoint = {.core = core->chain.core,
                                       .stream = core->chain.stream,
                                       .seq = core->chain.seq,
                                       .head = core->chain.head,
                                       .time_ms = kw_clock_wall_ms(),
                                       .signature = KW_BYTES_OF(signature)};

    checkpoint.head.bytes[0] ^= right ? 0 : 1;
    MUST(kw_checkpoint_encode(&checkpoint, &record, err));
    core_send_checkpoint_record(core, kw_buf_bytes(&record));
}

void core_peer_start(struct core_peer *core, struct kw_rpc *rpc, const char *credentials_dir,
                     const char *trust_domain, const char *orchestrator)
{
    const char *const peers[] = {orchestrator, NULL};
    const struct kw_hop_server_options options = {
        .listen = "127.0.0.1:0",
        .credentials_dir = credentials_dir,
        .trust_domain = trust_domain,
        .peers = peers,
        .handler = {.open = on_open, .context = core},
    };

    MUST(kw_hop_server_new(rpc, &options, &core->server, &core->port, err));
}

void core_peer_done(struct core_peer *core)
{
    kw_buf_done(&core->late);
    kw_buf_done(&core->last);
}
