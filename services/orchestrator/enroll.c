/* Enroll and ConfirmTransportKey: a member's transport key is made, kept, and proved to have
 * arrived. */
#include "services/orchestrator/certificates.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/material.h"
#include "services/orchestrator/wrapped_key_feed.h"

#include "common/audit/invitation.h"
#include "common/base/random.h"
#include "common/pki/csr.h"
#include "common/rpc/messages.h"

#include <keyward/v1/enrollment_service.pb-c.h>

/* --- Enroll --- */

static const Keyward__V1__EnrollRequest *request_of(const struct kw_call *call)
{
    return (const Keyward__V1__EnrollRequest *)call->request;
}

static struct kw_result key_of(ProtobufCBinaryData csr, struct kw_spki *ret_spki,
                               struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    KW_TRY(kw_csr_verify(kw_bytes_field(csr), &key, err));
    return kw_public_key_spki(&key, ret_spki, err);
}

/* An invitation stands for one enrolment: the same two keys. Who repeats it, with whatever request
 * id, gets the same answer; another one is held (proto/keyward/v1/enrollment_service.proto). */
struct kw_result kw_enroll_content(const struct kw_call *call, struct kw_request_key *key,
                                   uint8_t ret_content[KW_SHA256_LEN], struct kw_error *err)
{
    struct kw_spki tls;
    struct kw_spki transport;
    struct kw_bytes parts[2];

    KW_TRY(key_of(request_of(call)->tls_csr, &tls, err));
    KW_TRY(key_of(request_of(call)->transport_csr, &transport, err));
    parts[0] = kw_spki_bytes(&tls); /* DER tells its own length, so the list is unambiguous */
    parts[1] = kw_spki_bytes(&transport);
    key->request = KW_ID_NONE;
    return kw_sha256_list(parts, 2, ret_content, err);
}

/* As what the invitation invites. */
static struct kw_result find_role(const struct kw_call *call, enum kw_role *ret_role,
                                  struct kw_error *err)
{
    struct kw_invitation invitation;
    const struct kw_method *method;

    KW_TRY(kw_invitation_decode(kw_bytes_field(call->authorization->invitation), &invitation, err));
    method = kw_method_by_path(invitation.method);
    KW_ENSURE(method != NULL && (method->id == KW_METHOD_CREATE_PARTNER_INVITATION ||
                                 method->id == KW_METHOD_CREATE_STATION_INVITATION),
              err, CAPSULE_INVALID, "the invitation is by another method");
    *ret_role =
        method->id == KW_METHOD_CREATE_PARTNER_INVITATION ? KW_ROLE_PARTNER : KW_ROLE_STATION;
    return KW_OK;
}

/* Who was invited, `partners/{prt_…}`: for the receipt and the answer. */
static struct kw_result find_parent(struct kw_call *call, struct kw_error *err)
{
    enum kw_role role;

    KW_TRY(find_role(call, &role, err));
    call->invitation_parent = kw_view_name(
        &call->view, role == KW_ROLE_PARTNER ? KW_RESOURCE_PARTNER : KW_RESOURCE_STATION,
        call->capsule.owner);
    return KW_OK;
}

struct kw_result kw_enroll_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__EnrollResponse response = KEYWARD__V1__ENROLL_RESPONSE__INIT;
    uint32_t newest;

    KW_TRY(find_parent(call, err));
    if (call->validate_only) {
        response.member = kw_field_text(call->invitation_parent);
        return kw_call_answer(call, &response.base, err);
    }
    KW_TRY(kw_transport_key_newest(tx, call->capsule.owner, &newest, err));
    call->question.transport_key_version = newest + 1;
    call->ask_core = true;
    return KW_OK;
}

static struct kw_result store_key(struct kw_call *call, struct kw_tx *tx,
                                  struct kw_transport_key_row *ret_row, struct kw_error *err)
{
    const Keyward__Internal__V1__WrappedTransportKey *made = call->core.reply->transport_key;
    uint8_t nonce[KW_ID_LEN];
    struct kw_transport_key_row row = {.owner = call->capsule.owner,
                                       .version = call->question.transport_key_version,
                                       .created_ms = call->now_ms};
    uint32_t newest;

    KW_ENSURE(made != NULL && made->version == row.version &&
                  kw_bytes_equal(kw_bytes_field(made->owner_id), kw_id_bytes(&row.owner)),
              err, INTERNAL, "the core made another transport key than asked for");
    row.kek_version = made->kek_version;
    row.wrapped = kw_bytes_field(made->wrapped);
    row.check_value = kw_bytes_field(made->check_value);
    row.mac = kw_bytes_field(made->mac);
    KW_TRY(kw_random(nonce, sizeof(nonce), err));
    KW_TRY(kw_arena_copy(call->arena, KW_BYTES_OF(nonce), &row.nonce, err));
    KW_TRY(kw_transport_key_newest(tx, row.owner, &newest, err));
    KW_ENSURE(newest < row.version, err, STORE_CONFLICT, "another enrolment of the same owner");
    KW_TRY(kw_transport_key_add(&call->feed_tx, &row, err));
    *ret_row = row;
    return KW_OK;
}

/* One of the member's two certificates, which both must be its own. */
static struct kw_result member_certificate(struct kw_call *call, size_t index,
                                           Keyward__V1__IssuedCertificate **ret_certificate,
                                           struct kw_error *err)
{
    struct kw_spiffe issued;
    enum kw_role role;

    KW_TRY(find_role(call, &role, err));
    KW_TRY(kw_issued_certificate(call, index, ret_certificate, &issued, err));
    KW_ENSURE(issued.role == role && kw_id_equal(issued.id, call->capsule.owner), err, INTERNAL,
              "the core enrolled another member");
    return KW_OK;
}

struct kw_result kw_enroll_write(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__EnrollResponse response = KEYWARD__V1__ENROLL_RESPONSE__INIT;
    const Keyward__Internal__V1__CoreItem *item;
    struct kw_transport_key_row key;

    KW_TRY(kw_call_only_item(call, &item, err));
    KW_TRY(member_certificate(call, 0, &response.tls_certificate, err));
    KW_TRY(member_certificate(call, 1, &response.transport_certificate, err));
    KW_TRY(store_key(call, tx, &key, err));
    response.member = kw_field_text(call->invitation_parent);
    response.transport_key = call->core.reply->transport_key_cms;
    response.transport_key_version = key.version;
    response.confirmation_nonce = kw_field_bytes(key.nonce);
    return kw_call_answer(call, &response.base, err);
}

/* --- ConfirmTransportKey --- */

static uint32_t version_of(const struct kw_call *call)
{
    return ((const Keyward__V1__ConfirmTransportKeyRequest *)call->request)->transport_key_version;
}

static struct kw_result answer_confirmed(struct kw_call *call, struct kw_error *err)
{
    Keyward__V1__ConfirmTransportKeyResponse response =
        KEYWARD__V1__CONFIRM_TRANSPORT_KEY_RESPONSE__INIT;

    response.state = KEYWARD__V1__MEMBER_STATE__MEMBER_STATE_ACTIVE;
    response.transport_key_version = version_of(call);
    return kw_call_answer(call, &response.base, err);
}

struct kw_result kw_confirm_transport_key_read(struct kw_call *call, struct kw_tx *tx,
                                               struct kw_error *err)
{
    const Keyward__V1__ConfirmTransportKeyRequest *request =
        (const Keyward__V1__ConfirmTransportKeyRequest *)call->request;

    KW_ENSURE_FIELD(request->proof.len == KW_CMAC_LEN, call, "proof", err, "a proof has 16 bytes");
    KW_TRY(kw_material_transport(call, tx, version_of(call), false, err));
    if (call->validate_only) {
        return answer_confirmed(call, err);
    }
    call->ask_core = true;
    return KW_OK;
}

/* The one whose key the core has just compared the proof with: meanwhile another may count. */
static struct kw_result note_confirmed(struct kw_call *call, struct kw_error *err)
{
    const Keyward__Internal__V1__WrappedTransportKey *proved = call->question.transport_key;
    const struct kw_transport_key_row row = {.owner = call->capsule.owner,
                                             .version = proved->version,
                                             .kek_version = proved->kek_version,
                                             .wrapped = kw_bytes_field(proved->wrapped),
                                             .check_value = kw_bytes_field(proved->check_value),
                                             .mac = kw_bytes_field(proved->mac),
                                             .nonce = kw_bytes_field(proved->nonce)};

    return kw_transport_key_confirm(&call->feed_tx, &row, err);
}

struct kw_result kw_confirm_transport_key_write(struct kw_call *call, struct kw_tx *tx,
                                                struct kw_error *err)
{
    const Keyward__Internal__V1__CoreItem *item;
    struct kw_result confirmed = kw_call_only_item(call, &item, err);

    (void)tx;
    KW_ENSURE(confirmed.reason != KW_E_TRANSPORT_KEY_UNCONFIRMED, err, POSSESSION_UNPROVEN,
              "the proof is not the transport key's");
    KW_TRY(confirmed);
    KW_TRY(note_confirmed(call, err));
    return answer_confirmed(call, err);
}
