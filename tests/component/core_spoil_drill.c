/* One thing at a time is spoiled in a request under a right capsule: what is missing, of another length, out of its
 * range, or about something else. Each has its refusal, and none of them leaves the core unable to answer. */
#include "common/base/limits.h"
#include "common/pki/csr.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/resource.h"
#include "keyward/v1/device_access_service.pb-c.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "keyward/v1/key_service.pb-c.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "keyward/v1/provisioning_service.pb-c.h"
#include "services/cryptocore/hsm/ops.h"
#include "tests/component/core_drill.h"

TestSuite(core_spoil, .init = drill_up, .fini = drill_down, .timeout = 120);

static uint8_t zeros[64];

#define BODY(type, ask) ((Keyward__V1__##type *)(uintptr_t)(ask)->body)
#define ZEROS(count)    ((ProtobufCBinaryData){.data = zeros, .len = (count)})

static struct core_ask ask_of(enum kw_method_id method, const ProtobufCMessage *body,
                              const struct core_caller *caller)
{
    struct core_ask ask;

    core_ask_init(&drill.fx, &ask, method, body, caller);
    return ask;
}

static void *body_new(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *body = kw_arena_alloc(drill.fx.arena, descriptor->sizeof_message);

    protobuf_c_message_init(descriptor, body);
    return body;
}

static char *device_name(void)
{
    char *name = kw_arena_alloc(drill.fx.arena, KW_RESOURCE_NAME_SIZE);

    return kw_resource_name1(KW_RESOURCE_DEVICE, drill.device.device, name);
}

static void about_the_device(struct core_ask *ask)
{
    ask->request.keys = kw_arena_alloc(drill.fx.arena, 2 * sizeof(*ask->request.keys));
    ask->request.keys[0] = ask->request.keys[1] = drill.device.key;
    ask->request.n_keys = 1;
    ask->request.transport_key = drill.partner.ptk;
    ask->capsule.scope = KW_SCOPE_BODY;
    ask->capsule.owner = drill.partner.id;
    ask->capsule.ptk_version = drill.partner.ptk_version;
}

/* --- questions that are right --- */

static struct core_ask session(void)
{
    Keyward__V1__DeriveSessionRequest *body =
        body_new(&keyward__v1__derive_session_request__descriptor);
    struct core_ask ask;

    body->selector_case = KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR_DEVICE;
    body->device = device_name();
    body->epoch = 1;
    body->nonce_app = body->nonce_pen = ZEROS(KW_ID_LEN);
    ask = ask_of(KW_METHOD_DERIVE_SESSION, &body->base, &drill.partner);
    about_the_device(&ask);
    MUST(kw_id_v7(&ask.capsule.grant, err));
    return ask;
}

static struct core_ask batch_of_one(void)
{
    Keyward__V1__BatchGetDeviceAccessRequest *body =
        body_new(&keyward__v1__batch_get_device_access_request__descriptor);
    Keyward__V1__BatchAccessItem *item = body_new(&keyward__v1__batch_access_item__descriptor);
    struct core_ask ask = drill_access_ask();
    struct core_ask batch;

    item->request_case = KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_GET;
    item->get = BODY(GetDeviceAccessRequest, &ask);
    body->items = kw_arena_alloc(drill.fx.arena, sizeof(*body->items));
    body->items[0] = item;
    body->n_items = 1;
    batch = ask_of(KW_METHOD_BATCH_GET_DEVICE_ACCESS, &body->base, &drill.partner);
    about_the_device(&batch);
    batch.capsule.operation = ask.capsule.operation;
    batch.capsule.grant = ask.capsule.grant;
    return batch;
}

static struct core_ask activation(void)
{
    return drill_activate_ask(&drill.fx.officer);
}

static struct core_ask generation(void)
{
    static struct core_device device;
    struct core_ask ask;

    core_batch_ask(&drill.fx, &ask, &drill.station, &device);
    return ask;
}

static struct core_ask confirmation(void)
{
    Keyward__V1__ConfirmDeviceRequest *body =
        body_new(&keyward__v1__confirm_device_request__descriptor);
    struct core_ask ask;

    drill.device.key->n_facts -= 2; /* as generated: neither confirmed nor active */
    body->request_id = core_request_id(&drill.fx);
    body->device = device_name();
    body->challenge = ZEROS(KW_HSM_NONCE_LEN);
    body->tag = ZEROS(KW_HSM_MAC_LEN);
    ask = ask_of(KW_METHOD_CONFIRM_DEVICE, &body->base, &drill.station);
    about_the_device(&ask);
    ask.request.transport_key = NULL;
    return ask;
}

static struct core_ask transport(void)
{
    Keyward__V1__ConfirmTransportKeyRequest *body =
        body_new(&keyward__v1__confirm_transport_key_request__descriptor);
    struct core_ask ask;

    body->request_id = core_request_id(&drill.fx);
    body->transport_key_version = drill.partner.ptk_version;
    body->proof = ZEROS(KW_HSM_MAC_LEN);
    ask = ask_of(KW_METHOD_CONFIRM_TRANSPORT_KEY, &body->base, &drill.partner);
    ask.capsule.owner = drill.partner.id;
    ask.capsule.ptk_version = drill.partner.ptk_version;
    ask.request.transport_key = drill.partner.ptk;
    ask.request.transport_key->nonce = ZEROS(KW_HSM_NONCE_LEN);
    return ask;
}

static struct core_ask invitation(void)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    struct core_ask ask;

    core_invite_ask(&drill.fx, KW_ROLE_PARTNER, drill.partner.id, &key, &ask);
    BODY(CreatePartnerInvitationRequest, &ask)->expire_time =
        body_new(&google__protobuf__timestamp__descriptor);
    BODY(CreatePartnerInvitationRequest, &ask)->expire_time->seconds =
        (int64_t)(kw_clock_wall_ms() / 1000 + 3600);
    return ask;
}

static struct core_ask renewal(void)
{
    Keyward__V1__RenewCertificateRequest *body =
        body_new(&keyward__v1__renew_certificate_request__descriptor);
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    struct core_ask ask;
    struct kw_bytes copy;

    MUST(kw_csr_build(&drill.partner.key, &csr, err));
    MUST(kw_arena_copy(drill.fx.arena, kw_buf_bytes(&csr), &copy, err));
    body->request_id = core_request_id(&drill.fx);
    body->csr = kw_field_bytes(copy);
    ask = ask_of(KW_METHOD_RENEW_CERTIFICATE, &body->base, &drill.partner);
    ask.capsule.owner = drill.partner.id;
    return ask;
}

/* --- what is spoiled --- */

static void nothing(struct core_ask *ask)
{
    (void)ask;
}

static void no_key(struct core_ask *ask)
{
    ask->request.n_keys = 0;
}

static void no_selector(struct core_ask *ask)
{
    BODY(GetDeviceAccessRequest, ask)->selector_case =
        KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR__NOT_SET;
}

static void epoch_none(struct core_ask *ask)
{
    BODY(GetDeviceAccessRequest, ask)->epoch = 0;
}

static void epoch_to_come(struct core_ask *ask)
{
    BODY(GetDeviceAccessRequest, ask)->epoch = 2;
}

static void scope_none(struct core_ask *ask)
{
    ask->capsule.scope = KW_SCOPE_NONE;
}

static void scope_of_another_product(struct core_ask *ask)
{
    ask->capsule.scope = KW_SCOPE_PRODUCT;
    ask->capsule.scope_id = ask->capsule.grant;
}

/* The facts of the key become `count` times its first one, of which this is made. */
static void facts_become(size_t count, ProtobufCBinaryData fact, ProtobufCBinaryData mac)
{
    Keyward__Internal__V1__Fact *message = body_new(&keyward__internal__v1__fact__descriptor);
    Keyward__Internal__V1__Fact **list = kw_arena_alloc(drill.fx.arena, count * sizeof(*list));

    message->fact = fact;
    message->mac = mac;
    for (size_t i = 0; i < count; i++) {
        list[i] = message;
    }
    drill.device.key->facts = list;
    drill.device.key->n_facts = count;
}

static void fact_malformed(struct core_ask *ask)
{
    (void)ask;
    facts_become(1, ZEROS(3), ZEROS(KW_HSM_MAC_LEN));
}

static void fact_mac_short(struct core_ask *ask)
{
    (void)ask;
    facts_become(1, drill.device.key->facts[0]->fact, ZEROS(KW_HSM_MAC_LEN - 1));
}

static void facts_too_many(struct core_ask *ask)
{
    (void)ask;
    facts_become(KW_HSM_FACTS_MAX + 1, drill.device.key->facts[0]->fact, ZEROS(KW_HSM_MAC_LEN));
}

static void session_of_none(struct core_ask *ask)
{
    BODY(DeriveSessionRequest, ask)->selector_case =
        KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR__NOT_SET;
}

static void app_nonce_short(struct core_ask *ask)
{
    BODY(DeriveSessionRequest, ask)->nonce_app.len = 15;
}

static void pen_nonce_long(struct core_ask *ask)
{
    BODY(DeriveSessionRequest, ask)->nonce_pen.len = 17;
}

static void item_without_request(struct core_ask *ask)
{
    BODY(BatchGetDeviceAccessRequest, ask)->items[0]->request_case =
        KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST__NOT_SET;
}

static void item_for_a_session(struct core_ask *ask)
{
    struct core_ask other = session();

    BODY(BatchGetDeviceAccessRequest, ask)->items[0]->request_case =
        KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_DERIVE;
    BODY(BatchGetDeviceAccessRequest, ask)->items[0]->derive = BODY(DeriveSessionRequest, &other);
}

static void two_keys(struct core_ask *ask)
{
    Keyward__Internal__V1__WrappedDeviceKey **keys =
        kw_arena_alloc(drill.fx.arena, 2 * sizeof(*keys));

    keys[0] = keys[1] = drill.device.key;
    ask->request.keys = keys;
    ask->request.n_keys = 2;
}

static void key_of_another_name(struct core_ask *ask)
{
    struct kw_resource_ids ids = {.id = {drill.device.device, drill.device.batch}};

    (void)kw_resource_name(KW_RESOURCE_KEY, &ids, BODY(ActivateKeyRequest, ask)->name);
}

static void lift_none(struct core_ask *ask)
{
    BODY(LiftKeySuspensionsRequest, ask)->n_suspensions = 0;
}

/* All that is known of the key is that it is suspended: nothing says that it ever was made here. */
static void lift_of_no_fact(struct core_ask *ask)
{
    (void)ask;
    drill.device.key->facts += drill.device.key->n_facts - 1;
    drill.device.key->n_facts = 1;
}

static void lift_unknown(struct core_ask *ask)
{
    (void)kw_id_text(KW_ID_SUSPENSION, drill.device.batch,
                     BODY(LiftKeySuspensionsRequest, ask)->suspensions[0]);
}

static void more_keys_than_allowed(struct core_ask *ask)
{
    ask->capsule.count = 0;
}

static void another_product(struct core_ask *ask)
{
    ask->request.product_id = ask->request.batch_id;
}

static void challenge_short(struct core_ask *ask)
{
    BODY(ConfirmDeviceRequest, ask)->challenge.len--;
}

static void tag_short(struct core_ask *ask)
{
    BODY(ConfirmDeviceRequest, ask)->tag.len--;
}

static void another_version(struct core_ask *ask)
{
    BODY(ConfirmTransportKeyRequest, ask)->transport_key_version++;
}

static void nonce_missing(struct core_ask *ask)
{
    ask->request.transport_key->nonce.len = 0;
}

static void proof_short(struct core_ask *ask)
{
    BODY(ConfirmTransportKeyRequest, ask)->proof.len--;
}

static void expires_never(struct core_ask *ask)
{
    BODY(CreatePartnerInvitationRequest, ask)->expire_time->seconds = INT64_MAX;
}

static void expires_late(struct core_ask *ask)
{
    BODY(CreatePartnerInvitationRequest, ask)->expire_time->seconds += 8L * 24 * 3600;
}

static void another_owner(struct core_ask *ask)
{
    ask->capsule.owner = drill.station.id;
}

/* Sent under the certificate of a service, which signs no requests. */
static void by_a_service(struct core_ask *ask)
{
    static struct core_caller service;

    service = (struct core_caller){.key = drill.fx.authz.key, .certificate = drill.fx.authz_der};
    ask->caller = &service;
    MUST(kw_sha256(kw_buf_bytes(&service.certificate), ask->capsule.fingerprint, err));
}

static void in_another_s_name(struct core_ask *ask)
{
    static char text[KW_SPIFFE_TEXT_SIZE];
    struct kw_spiffe other;

    MUST(kw_spiffe_caller(KW_MESH_TRUST_DOMAIN, KW_ROLE_OPERATOR, drill.partner.id, &other, err));
    ask->capsule.caller = kw_bytes_str(kw_spiffe_text(&other, text));
}

static void by_a_partner(struct core_ask *ask)
{
    ask->caller = &drill.partner;
    ask->capsule.caller = kw_bytes_str(drill.partner.spiffe_id);
    MUST(kw_sha256(kw_buf_bytes(&drill.partner.certificate), ask->capsule.fingerprint, err));
}

static const struct {
    const char *name;
    struct core_ask (*ask)(void);
    void (*spoil)(struct core_ask *ask);
    enum kw_reason reason;
} cases[] = {
    {"access without key", drill_access_ask, no_key, KW_E_INTERNAL},
    {"access to nothing", drill_access_ask, no_selector, KW_E_ARGUMENT_INVALID},
    {"access to epoch 0", drill_access_ask, epoch_none, KW_E_ARGUMENT_INVALID},
    {"access to an epoch to come", drill_access_ask, epoch_to_come, KW_E_ARGUMENT_INVALID},
    {"access by a capsule about nothing", drill_access_ask, scope_none, KW_E_CAPSULE_INVALID},
    {"access in another product", drill_access_ask, scope_of_another_product, KW_E_SCOPE_MISMATCH},
    {"access by a malformed fact", drill_access_ask, fact_malformed, KW_E_BINDING_INVALID},
    {"access by a fact with a short MAC", drill_access_ask, fact_mac_short, KW_E_BINDING_INVALID},
    {"access with too many facts", drill_access_ask, facts_too_many, KW_E_LIMIT_REACHED},
    {"session", session, nothing, KW_E_NONE},
    {"session with nothing", session, session_of_none, KW_E_ARGUMENT_INVALID},
    {"session with a short nonce", session, app_nonce_short, KW_E_ARGUMENT_INVALID},
    {"session with a long nonce", session, pen_nonce_long, KW_E_ARGUMENT_INVALID},
    {"batch", batch_of_one, nothing, KW_E_NONE},
    {"batch with an empty item", batch_of_one, item_without_request, KW_E_ARGUMENT_INVALID},
    {"batch with a session", batch_of_one, item_for_a_session, KW_E_CAPSULE_INVALID},
    {"activation of two", activation, two_keys, KW_E_CAPSULE_INVALID},
    {"activation of another", activation, key_of_another_name, KW_E_CAPSULE_INVALID},
    {"activation by a service", activation, by_a_service, KW_E_IDENTITY_INVALID},
    {"activation in another officer's name", activation, in_another_s_name, KW_E_SIGNATURE_INVALID},
    {"invitation by a partner", invitation, by_a_partner, KW_E_PERMISSION_DENIED},
    {"lifting", drill_lift_ask, nothing, KW_E_NONE},
    {"lifting without key", drill_lift_ask, no_key, KW_E_INTERNAL},
    {"lifting of nothing", drill_lift_ask, lift_none, KW_E_ARGUMENT_INVALID},
    {"lifting of a key without facts", drill_lift_ask, lift_of_no_fact, KW_E_KEY_STATE},
    {"lifting of what is not", drill_lift_ask, lift_unknown, KW_E_STATE_CONFLICT},
    {"generation beyond the capsule", generation, more_keys_than_allowed, KW_E_CAPSULE_INVALID},
    {"generation of another product", generation, another_product, KW_E_CAPSULE_INVALID},
    {"confirmation by nothing", confirmation, nothing, KW_E_POSSESSION_UNPROVEN},
    {"confirmation without key", confirmation, no_key, KW_E_INTERNAL},
    {"confirmation, challenge", confirmation, challenge_short, KW_E_ARGUMENT_INVALID},
    {"confirmation, tag", confirmation, tag_short, KW_E_ARGUMENT_INVALID},
    {"transport key, wrong proof", transport, nothing, KW_E_TRANSPORT_KEY_UNCONFIRMED},
    {"transport key, version", transport, another_version, KW_E_CAPSULE_INVALID},
    {"transport key, proof", transport, proof_short, KW_E_ARGUMENT_INVALID},
    {"transport key, nonce", transport, nonce_missing, KW_E_BINDING_INVALID},
    {"invitation", invitation, nothing, KW_E_NONE},
    {"invitation for ever", invitation, expires_never, KW_E_ARGUMENT_INVALID},
    {"invitation for too long", invitation, expires_late, KW_E_ARGUMENT_INVALID},
    {"invitation of another", invitation, another_owner, KW_E_CAPSULE_INVALID},
    {"renewal", renewal, nothing, KW_E_NONE},
    {"renewal of another", renewal, another_owner, KW_E_CAPSULE_INVALID},
};

/* The key and its facts are as they were for the next. */
static enum kw_reason reason_of(size_t i)
{
    Keyward__Internal__V1__WrappedDeviceKey key = *drill.device.key;
    Keyward__Internal__V1__WrappedTransportKey ptk = *drill.partner.ptk;
    struct core_ask ask = cases[i].ask();
    enum kw_reason reason;

    cases[i].spoil(&ask);
    MUST(kw_arena_pack(drill.fx.arena, ask.body, &ask.body_bytes, err));
    MUST(kw_sha256(ask.body_bytes, ask.capsule.body_hash, err));
    reason = core_ask(&drill.fx, &ask).reason;
    *drill.device.key = key;
    *drill.partner.ptk = ptk;
    return reason;
}

Test(core_spoil, each_spoiled_thing_has_its_refusal)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum kw_reason reason = reason_of(i);

        cr_expect(reason == cases[i].reason, "%s: %s", cases[i].name,
                  reason == KW_E_NONE ? "allowed" : kw_reason_row(reason)->name);
    }
}
