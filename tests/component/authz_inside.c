/* The scripted orchestrator. */
#include "tests/component/authz_inside.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/pki/csr.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/resource.h"
#include "tests/support/must.h"

#include <google/rpc/error_details.pb-c.h>
#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/enrollment_service.pb-c.h>
#include <keyward/v1/partner_service.pb-c.h>
#include <keyward/v1/provisioning_service.pb-c.h>
#include <keyward/v1/receipt_service.pb-c.h>
#include <keyward/v1/status_service.pb-c.h>

#define LIFE_MS 3600000U

static void *take(struct inside_call *call, size_t size)
{
    void *place = kw_arena_alloc(call->inside->arena, size);

    REQUIRE(place != NULL, "the arena is full");
    return place;
}

static char *name_of(struct inside_call *call, enum kw_resource kind, struct kw_id id)
{
    char text[KW_RESOURCE_NAME_SIZE];

    (void)kw_resource_name1(kind, id, text);
    return kw_arena_text(call->inside->arena, text, strlen(text));
}

static void say(struct inside_call *call, const ProtobufCMessage *message)
{
    REQUIRE(call->message_count < INSIDE_MESSAGES_MAX, "too many messages");
    MUST(kw_arena_pack(call->inside->arena, message, &call->messages[call->message_count++], err));
}

/* --- keys for partners --- */

static const char *device_of(struct inside_call *call,
                             const Keyward__V1__GetDeviceAccessRequest *get)
{
    struct kw_id id;

    if (get->selector_case == KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE) {
        return get->device;
    }
    MUST(kw_id_from_bytes(kw_bytes_field(get->device_id), &id, err));
    return name_of(call, KW_RESOURCE_DEVICE, id);
}

static Keyward__V1__KeyEnvelope *envelope(struct inside_call *call, const char *device)
{
    Keyward__V1__KeyEnvelope *message = take(call, sizeof(*message));

    keyward__v1__key_envelope__init(message);
    message->device = (char *)(uintptr_t)device;
    message->transport_key_version = call->capsule.ptk_version;
    return message;
}

static void get_access(struct inside_call *call)
{
    Keyward__V1__GetDeviceAccessResponse response = KEYWARD__V1__GET_DEVICE_ACCESS_RESPONSE__INIT;

    response.envelope =
        envelope(call, device_of(call, (const Keyward__V1__GetDeviceAccessRequest *)call->request));
    say(call, &response.base);
}

static Google__Rpc__Status *status_of(struct inside_call *call, enum kw_reason reason)
{
    Google__Rpc__Status *status = take(call, sizeof(*status));
    Google__Protobuf__Any *any = take(call, sizeof(*any));
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    struct kw_bytes packed;

    google__rpc__status__init(status);
    google__protobuf__any__init(any);
    info.reason = (char *)(uintptr_t)kw_reason_row(reason)->name;
    MUST(kw_arena_pack(call->inside->arena, &info.base, &packed, err));
    any->type_url = (char *)(uintptr_t) "type.googleapis.com/google.rpc.ErrorInfo";
    any->value = kw_field_bytes(packed);
    status->code = (int32_t)kw_reason_row(reason)->grpc_code;
    status->details = take(call, sizeof(any));
    status->details[status->n_details++] = any;
    return status;
}

static Keyward__V1__BatchAccessResult *item_result(struct inside_call *call,
                                                   const Keyward__V1__BatchAccessItem *item)
{
    Keyward__V1__BatchAccessResult *result = take(call, sizeof(*result));
    struct kw_resource_ids ids;
    const char *device;

    keyward__v1__batch_access_result__init(result);
    result->item_id = item->item_id;
    device = item->request_case == KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_GET
                 ? device_of(call, item->get)
                 : item->derive->device;
    MUST(kw_resource_parse(KW_RESOURCE_DEVICE, device, &ids, err));
    if (kw_id_equal(ids.id[0], call->inside->odd_device)) {
        result->result_case = KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ERROR;
        result->error = status_of(call, call->inside->odd_reason);
    } else {
        result->result_case = KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ENVELOPE;
        result->envelope = envelope(call, device);
    }
    return result;
}

static void batch_access(struct inside_call *call)
{
    const Keyward__V1__BatchGetDeviceAccessRequest *request =
        (const Keyward__V1__BatchGetDeviceAccessRequest *)call->request;
    Keyward__V1__BatchGetDeviceAccessResponse response =
        KEYWARD__V1__BATCH_GET_DEVICE_ACCESS_RESPONSE__INIT;
    size_t count = request->n_items - (call->inside->forgets_the_last ? 1 : 0);

    response.results = take(call, (count + 1) * sizeof(*response.results));
    for (size_t i = 0; i < count; i++) {
        response.results[response.n_results++] = item_result(call, request->items[i]);
    }
    say(call, &response.base);
}

/* --- members --- */

static Keyward__V1__IssuedCertificate *certificate(struct inside_call *call, enum kw_role role,
                                                   struct kw_id id, ProtobufCBinaryData csr)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    Keyward__V1__IssuedCertificate *issued = take(call, sizeof(*issued));
    uint64_t now = kw_clock_wall_ms();
    struct kw_spiffe identity;
    struct kw_bytes copy;
    const struct kw_leaf_plan plan = {
        .subject = &key,
        .identity = &identity,
        .validity = {.not_before_ms = now - LIFE_MS, .not_after_ms = now + LIFE_MS},
        .usage = KW_USAGE_CLIENT};

    keyward__v1__issued_certificate__init(issued);
    if (csr.len == 0) {
        return issued;
    }
    MUST(kw_csr_verify(kw_bytes_field(csr), &key, err));
    MUST(kw_spiffe_caller("test", role, id, &identity, err));
    MUST(kw_certificate_issue(&plan, call->inside->issuer, &leaf, err));
    MUST(kw_certificate_to_der(&leaf, &der, err));
    MUST(kw_arena_copy(call->inside->arena, kw_buf_bytes(&der), &copy, err));
    issued->chain = take(call, sizeof(*issued->chain));
    issued->chain[0] = kw_field_bytes(copy);
    issued->n_chain = 1;
    return issued;
}

static struct kw_id certified(const struct inside_call *call)
{
    return call->inside->stranger != NULL ? *call->inside->stranger : call->capsule.owner;
}

static void enroll(struct inside_call *call)
{
    const Keyward__V1__EnrollRequest *request = (const Keyward__V1__EnrollRequest *)call->request;
    Keyward__V1__EnrollResponse response = KEYWARD__V1__ENROLL_RESPONSE__INIT;

    response.tls_certificate =
        certificate(call, call->inside->role, certified(call), request->tls_csr);
    response.transport_key_version = 1;
    say(call, &response.base);
}

static void renew(struct inside_call *call)
{
    const Keyward__V1__RenewCertificateRequest *request =
        (const Keyward__V1__RenewCertificateRequest *)call->request;
    Keyward__V1__RenewCertificateResponse response = KEYWARD__V1__RENEW_CERTIFICATE_RESPONSE__INIT;

    response.certificate = certificate(call, call->inside->role, certified(call), request->csr);
    say(call, &response.base);
}

static void invite(struct inside_call *call)
{
    const Keyward__V1__CreatePartnerInvitationRequest *request =
        (const Keyward__V1__CreatePartnerInvitationRequest *)call->request;
    Keyward__V1__CreatePartnerInvitationResponse response =
        KEYWARD__V1__CREATE_PARTNER_INVITATION_RESPONSE__INIT;
    Keyward__V1__Invitation invitation = KEYWARD__V1__INVITATION__INIT;
    struct kw_id id;

    MUST(kw_id_v7(&id, err));
    invitation.certificate = certificate(call, KW_ROLE_INVITATION, id, request->csr);
    response.invitation = &invitation;
    say(call, &response.base);
}

/* --- pens --- */

static Keyward__V1__Batch batch_of(struct inside_call *call, struct kw_id id, uint32_t count)
{
    Keyward__V1__Batch batch = KEYWARD__V1__BATCH__INIT;

    batch.name = name_of(call, KW_RESOURCE_BATCH, id);
    batch.count = count;
    return batch;
}

static void create_batch(struct inside_call *call)
{
    const Keyward__V1__CreateBatchRequest *request =
        (const Keyward__V1__CreateBatchRequest *)call->request;
    Keyward__V1__Batch batch = batch_of(call, call->capsule.id, request->count);
    Keyward__V1__CreateBatchResponse response = KEYWARD__V1__CREATE_BATCH_RESPONSE__INIT;
    Keyward__V1__BatchChunk chunk = KEYWARD__V1__BATCH_CHUNK__INIT;
    Keyward__V1__BatchTotals totals = KEYWARD__V1__BATCH_TOTALS__INIT;
    Keyward__V1__BatchItem item = KEYWARD__V1__BATCH_ITEM__INIT;
    Keyward__V1__BatchItem *items[] = {&item};

    if (call->capsule.first == request->start_index) {
        response.part_case = KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_BATCH;
        response.batch = &batch;
        say(call, &response.base);
    }
    chunk.first_index = call->capsule.first;
    item.wrapped_key.len = call->inside->chunk_len;
    item.wrapped_key.data = take(call, item.wrapped_key.len + 1);
    chunk.items = items;
    chunk.n_items = 1;
    response.part_case = KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_CHUNK;
    response.chunk = &chunk;
    say(call, &response.base);
    if (call->capsule.first + call->capsule.count == request->count) {
        response.part_case = KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_TOTALS;
        response.totals = &totals;
        say(call, &response.base);
    }
}

/* A batch of 600: three ranges. */
static void release_batch(struct inside_call *call)
{
    uint32_t count = call->inside->batch_count != 0 ? call->inside->batch_count : 600;
    Keyward__V1__Batch batch = batch_of(call, call->capsule.scope_id, count);
    Keyward__V1__ReleaseBatchResponse response = KEYWARD__V1__RELEASE_BATCH_RESPONSE__INIT;

    response.batch = &batch;
    response.activated_count = call->inside->activates_none ? 0 : 200;
    say(call, &response.base);
}

/* --- evidence --- */

static void status(struct inside_call *call)
{
    Keyward__V1__GetStatusResponse response = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;
    Keyward__V1__LayerStatus layer = KEYWARD__V1__LAYER_STATUS__INIT;
    Keyward__V1__LayerStatus *layers[] = {&layer};

    layer.layer = (char *)(uintptr_t) "orchestrator";
    response.state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING;
    response.layers = layers;
    response.n_layers = 1;
    say(call, &response.base);
}

/* Messages that together leave little of the credit. */
static void verification_data(struct inside_call *call)
{
    Keyward__V1__GetVerificationDataResponse response =
        KEYWARD__V1__GET_VERIFICATION_DATA_RESPONSE__INIT;
    Keyward__V1__VerificationRecord record = KEYWARD__V1__VERIFICATION_RECORD__INIT;
    Keyward__V1__VerificationRecord *records[] = {&record};

    response.records = records;
    response.n_records = 1;
    record.encoded.len = 100 * 1024;
    record.encoded.data = take(call, record.encoded.len);
    for (size_t i = 0; i < INSIDE_EVIDENCE_COUNT; i++) {
        say(call, &response.base);
    }
}

/* Any other method: an answer without content. */
static void nothing(struct inside_call *call)
{
    const ProtobufCMessageDescriptor *type = kw_method_messages(call->method)->output;
    ProtobufCMessage *message = take(call, type->sizeof_message);

    protobuf_c_message_init(type, message);
    say(call, message);
}

static void act(struct inside_call *call)
{
    switch ((int)call->method->id) {
    case KW_METHOD_GET_DEVICE_ACCESS:
        get_access(call);
        break;
    case KW_METHOD_BATCH_GET_DEVICE_ACCESS:
        batch_access(call);
        break;
    case KW_METHOD_ENROLL:
        enroll(call);
        break;
    case KW_METHOD_RENEW_CERTIFICATE:
        renew(call);
        break;
    case KW_METHOD_CREATE_PARTNER_INVITATION:
    case KW_METHOD_CREATE_STATION_INVITATION: /* the same fields under the same numbers */
        invite(call);
        break;
    case KW_METHOD_CREATE_BATCH:
        create_batch(call);
        break;
    case KW_METHOD_RELEASE_BATCH:
        release_batch(call);
        break;
    case KW_METHOD_GET_VERIFICATION_DATA:
        verification_data(call);
        break;
    case KW_METHOD_GET_STATUS:
        status(call);
        break;
    default:
        nothing(call);
        break;
    }
}

/* --- the way out --- */

static void receipt_tell(struct inside_call *call)
{
    struct kw_witness *head = &call->inside->head;
    Keyward__Internal__V1__Outcome *outcome = &call->outcome;

    head->seq++;
    head->head[0]++;
    outcome->receipt_id = kw_field_bytes(kw_id_bytes(&call->capsule.id));
    outcome->core_boot = kw_field_bytes(kw_id_bytes(&head->core));
    outcome->stream_boot = kw_field_bytes(kw_id_bytes(&head->stream));
    outcome->seq = head->seq;
    outcome->head = kw_field_bytes(KW_BYTES_OF(head->head));
}

static struct kw_bytes outcome_of(struct inside_call *call)
{
    Keyward__Internal__V1__Outcome *outcome = &call->outcome;
    ProtobufCBinaryData disabled = kw_field_bytes(call->inside->disabled);
    struct kw_bytes packed;

    outcome->replayed = call->inside->claims_replay;
    if (!call->inside->hides_receipts) {
        receipt_tell(call);
    }
    if (call->inside->disabled.len > 0) {
        outcome->disabled = &disabled;
        outcome->n_disabled = 1;
    }
    MUST(kw_arena_pack(call->inside->arena, &outcome->base, &packed, err));
    return packed;
}

/* One message goes with the status; a stream's before it. */
static void answer_with_all(struct inside_call *call)
{
    static const struct kw_hop_status success = {.field = "", .description = ""};
    struct kw_bytes outcome = outcome_of(call);

    if (call->message_count == 1) {
        kw_hop_reply(call->hop,
                     (struct kw_hop_item){.data = call->messages[0], .context = outcome});
        return;
    }
    for (size_t i = 0; i < call->message_count; i++) {
        REQUIRE(kw_hop_send(call->hop, (struct kw_hop_item){.data = call->messages[i]}), "credit");
    }
    kw_hop_finish(call->hop, &success, outcome);
}

void inside_answer(struct inside_call *call)
{
    void (*spoil)(struct inside_call *) = call->inside->spoil;

    act(call);
    if (spoil != NULL) {
        call->inside->spoil = NULL;
        spoil(call);
    }
    answer_with_all(call);
    call->hop = NULL;
}

void inside_refuse(struct inside_call *call, enum kw_reason reason)
{
    const struct kw_hop_status refused = {.reason = reason, .field = "", .description = ""};

    kw_hop_finish(call->hop, &refused, outcome_of(call));
    call->hop = NULL;
}

/* --- the way in --- */

static void verify(struct inside_call *call)
{
    struct inside *inside = call->inside;
    const Keyward__Internal__V1__Authorization *authorization = call->authorization;
    const struct kw_capsule_gate gate = {.seals = inside->seals, .replay = inside->replay};
    uint8_t body_hash[KW_SHA256_LEN];
    const struct kw_capsule_expected expected = {
        .region = kw_bytes_str(inside->region),
        .cell = kw_bytes_str(inside->cell),
        .method = (uint16_t)call->method->id,
        .operations = UINT32_MAX,
        .body_hash = body_hash,
        .arrival = kw_arrival_now(),
        .mono_ns = kw_clock_mono_ns(),
    };

    MUST(kw_sha256(call->body, body_hash, err));
    MUST(kw_capsule_admit(&gate, kw_bytes_field(authorization->capsule),
                          kw_bytes_field(authorization->signer_certificate), &expected,
                          &call->capsule, err));
}

static void look_at_tree(struct inside_call *call)
{
    struct kw_sealed sealed;
    struct kw_hash leaf;

    MUST(kw_sealed_decode(kw_bytes_field(call->authorization->capsule), &sealed, err));
    call->leaf_count = sealed.path.leaf_count;
    MUST(kw_merkle_leaf(sealed.capsule, &leaf, err));
    MUST(kw_merkle_climb(&leaf, &sealed.path, &call->root, err));
}

static struct inside_call *call_new(struct inside *inside, struct kw_hop_call *hop,
                                    const struct kw_hop_open *open)
{
    struct inside_call *call = kw_arena_alloc(inside->arena, sizeof(*call));
    struct kw_bytes context;

    REQUIRE(call != NULL && inside->count < INSIDE_CALLS_MAX, "too many calls");
    call->inside = inside;
    call->hop = hop;
    call->method = kw_method_by_id(open->method);
    keyward__internal__v1__outcome__init(&call->outcome);
    MUST(kw_arena_copy(inside->arena, open->item.data, &call->body, err));
    MUST(kw_arena_copy(inside->arena, open->item.context, &context, err));
    MUST(kw_message_unpack(kw_method_messages(call->method)->input, call->body, inside->arena,
                           (ProtobufCMessage **)(uintptr_t)&call->request, err));
    MUST(kw_message_unpack(&keyward__internal__v1__authorization__descriptor, context,
                           inside->arena, (ProtobufCMessage **)(uintptr_t)&call->authorization,
                           err));
    inside->calls[inside->count++] = call;
    return call;
}

static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct inside_call *call = user;

    (void)hop;
    call->hop = NULL;
    call->cancelled = true;
}

static void on_open(struct kw_hop_call *hop, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    static const struct kw_hop_events events = {.cancel = on_cancel};
    static const struct kw_hop_status unknown = {.reason = KW_E_METHOD_UNKNOWN};
    struct inside *inside = context;
    struct inside_call *call;

    (void)peer;
    if (open->method == KW_METHOD_RENEW_SERVICE) { /* authz's own, for its certificate */
        kw_hop_finish(hop, &unknown, KW_BYTES_NONE);
        return;
    }
    call = call_new(inside, hop, open);
    verify(call);
    look_at_tree(call);
    kw_hop_serve(hop, &events, call);
    if (inside->refusals > 0) {
        inside->refusals--;
        inside_refuse(call, inside->refusal);
    } else if (!inside->holds) {
        inside_answer(call);
    }
}

void inside_start(struct inside *inside, struct kw_rpc *rpc, const char *credentials_dir,
                  struct kw_bytes ca_pem)
{
    char authz[KW_SPIFFE_TEXT_SIZE];
    const char *const peers[] = {authz, NULL};
    struct kw_spiffe signer;
    const struct kw_hop_server_options options = {
        .listen = "127.0.0.1:0",
        .credentials_dir = credentials_dir,
        .trust_domain = "test",
        .peers = peers,
        .handler = {.open = on_open, .context = inside},
    };

    MUST(kw_spiffe_service("test", inside->region, inside->cell, "authz", &signer, err));
    (void)kw_spiffe_text(&signer, authz);
    inside->role = KW_ROLE_PARTNER;
    MUST(kw_id_random(&inside->head.core, err));
    MUST(kw_id_random(&inside->head.stream, err));
    MUST(kw_trust_from_pem(&inside->trust, ca_pem, err));
    MUST(kw_seal_verifier_new(&inside->trust, &signer, &inside->seals, err));
    MUST(kw_replay_new(KW_REPLAY_IDS_MAX, &inside->replay, err));
    MUST(kw_hop_server_new(rpc, &options, &inside->server, &inside->port, err));
}

void inside_done(struct inside *inside)
{
    kw_seal_verifier_free(inside->seals);
    kw_replay_free(inside->replay);
    kw_trust_done(&inside->trust);
}
