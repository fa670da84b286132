/* Invitation and enrolment. */
#include "cli/member.h"

#include "cli/member_files.h"
#include "cli/message.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/crypto/cmac.h"
#include "common/pki/certificate.h"
#include "common/rpc/messages.h"
#include "sdk/partner/keyward_partner.h"

const struct kw_member_kind kw_member_partner = {"partner", KW_METHOD_CREATE_PARTNER_INVITATION};
const struct kw_member_kind kw_member_station = {"station", KW_METHOD_CREATE_STATION_INVITATION};

/* Both kinds' requests have the same fields; only their types differ. */
static struct kw_result invite_request(const struct kw_invite_plan *plan,
                                       const struct kw_private_key *key, struct kw_arena *arena,
                                       ProtobufCMessage **ret_request, struct kw_error *err)
{
    const ProtobufCMethodDescriptor *messages =
        kw_method_messages(kw_method_by_id(plan->kind->invite));
    ProtobufCMessage *request = kw_message_new(messages->input, arena);
    const ProtobufCFieldDescriptor *csr =
        protobuf_c_message_descriptor_get_field_by_name(messages->input, "csr");

    KW_ENSURE(request != NULL && csr != NULL, err, MEMORY, "request");
    KW_TRY(kw_message_set(request, "parent", plan->parent, arena, err));
    if (plan->expire_time != NULL) {
        KW_TRY(kw_message_set(request, "expire_time", plan->expire_time, arena, err));
    }
    KW_TRY(
        kw_member_csr(key, arena, (ProtobufCBinaryData *)((uint8_t *)request + csr->offset), err));
    *ret_request = request;
    return KW_OK;
}

static const Keyward__V1__IssuedCertificate *
invitation_certificate(const ProtobufCMessage *response)
{
    struct kw_values invitation = kw_message_find(response, "invitation");

    return invitation.count == 1
               ? ((const Keyward__V1__Invitation *)kw_value_message(&invitation, 0))->certificate
               : NULL;
}

struct kw_result kw_member_invite(struct kw_connection *operator_,
                                  const struct kw_client_options *from,
                                  const struct kw_invite_plan *plan, struct kw_arena *arena,
                                  struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    ProtobufCMessage *request = NULL;
    ProtobufCMessage *response = NULL;

    KW_TRY(kw_member_dir_make(plan->dir, err));
    KW_TRY(kw_member_key(plan->dir, "key.pem", KW_CURVE_P256, &key, err));
    KW_TRY(invite_request(plan, &key, arena, &request, err));
    KW_TRY(kw_connection_call(operator_, plan->kind->invite, request, arena, &response, err));
    KW_TRY(kw_member_chain_write(plan->dir, "cert.pem", invitation_certificate(response), err));
    return kw_member_settings_write(plan->dir, from, err);
}

struct kw_result kw_member_options(const char *dir, const struct kw_client_options *from,
                                   struct kw_arena *arena, struct kw_client_options *ret_options,
                                   struct kw_error *err)
{
    const struct kw_client_options options = {
        .target = from->target,
        .peer = from->peer,
        .ca_file = kw_arena_printf(arena, "%s/ca.pem", dir),
        .cert_file = kw_arena_printf(arena, "%s/cert.pem", dir),
        .key_file = kw_arena_printf(arena, "%s/key.pem", dir),
    };

    KW_ENSURE(options.ca_file != NULL && options.cert_file != NULL && options.key_file != NULL, err,
              MEMORY, "options");
    *ret_options = options;
    return KW_OK;
}

static struct kw_result enroll(struct kw_connection *invitation, const char *dir,
                               const struct kw_private_key *transport, struct kw_arena *arena,
                               Keyward__V1__EnrollResponse **ret_response, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key tls = {0};
    Keyward__V1__EnrollRequest request = KEYWARD__V1__ENROLL_REQUEST__INIT;
    ProtobufCMessage *response = NULL;

    KW_TRY(kw_member_key(dir, "key.pem", KW_CURVE_P256, &tls, err));
    KW_TRY(kw_member_csr(&tls, arena, &request.tls_csr, err));
    KW_TRY(kw_member_csr(transport, arena, &request.transport_csr, err));
    KW_TRY(kw_connection_call(invitation, KW_METHOD_ENROLL, &request.base, arena, &response, err));
    *ret_response = (Keyward__V1__EnrollResponse *)response;
    KW_TRY(kw_member_chain_write(dir, "cert.pem", (*ret_response)->tls_certificate, err));
    return kw_member_chain_write(dir, "transport-cert.pem", (*ret_response)->transport_certificate,
                                 err);
}

/* Opens the CMS with the partner's SDK, straight into locked memory. */
static struct kw_result transport_open(const Keyward__V1__EnrollResponse *enrolled,
                                       const struct kw_private_key *key, struct kw_secret *ret_key,
                                       struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    ProtobufCBinaryData der = enrolled->transport_certificate->chain[0];
    enum kw_partner_result opened;

    KW_TRY(kw_certificate_from_der(&certificate, KW_BYTES(der.data, der.len), err));
    KW_TRY(kw_secret_init(ret_key, KW_AES256_LEN, err));
    opened = kw_partner_transport_open(enrolled->transport_key.data, enrolled->transport_key.len,
                                       key->evp, certificate.x509, ret_key->slot);
    KW_ENSURE(opened == KW_PARTNER_OK, err, BINDING_INVALID, "the transport key does not open: %d",
              (int)opened);
    return KW_OK;
}

static struct kw_result confirm(struct kw_connection *member,
                                const Keyward__V1__EnrollResponse *enrolled,
                                const struct kw_secret *key, struct kw_arena *arena,
                                Keyward__V1__MemberState *ret_state, struct kw_error *err)
{
    Keyward__V1__ConfirmTransportKeyRequest request =
        KEYWARD__V1__CONFIRM_TRANSPORT_KEY_REQUEST__INIT;
    uint8_t proof[KW_PARTNER_TAG_SIZE];
    ProtobufCMessage *response = NULL;

    KW_ENSURE(enrolled->confirmation_nonce.len == KW_PARTNER_NONCE_SIZE, err, ENCODING_INVALID,
              "a nonce of %zu bytes", enrolled->confirmation_nonce.len);
    KW_ENSURE(kw_partner_transport_proof(key->slot, enrolled->confirmation_nonce.data, proof) ==
                  KW_PARTNER_OK,
              err, CRYPTO, "the proof of the transport key");
    request.transport_key_version = enrolled->transport_key_version;
    request.proof = (ProtobufCBinaryData){.len = sizeof(proof), .data = proof};
    KW_TRY(kw_connection_call(member, KW_METHOD_CONFIRM_TRANSPORT_KEY, &request.base, arena,
                              &response, err));
    *ret_state = ((Keyward__V1__ConfirmTransportKeyResponse *)response)->state;
    return KW_OK;
}

/* As the member that we now are. */
static struct kw_result confirm_as_member(const struct kw_connection *invitation,
                                          const struct kw_client_options *options, const char *dir,
                                          const Keyward__V1__EnrollResponse *enrolled,
                                          const struct kw_secret *key, struct kw_arena *arena,
                                          Keyward__V1__MemberState *ret_state, struct kw_error *err)
{
    KW_SCOPED(kw_connection_done) struct kw_connection member = {0};
    struct kw_client_options own;

    KW_TRY(kw_member_options(dir, options, arena, &own, err));
    KW_TRY(kw_connection_open(&member, &own, invitation->timeout_ms, invitation->refusal, err));
    return confirm(&member, enrolled, key, arena, ret_state, err);
}

struct kw_result kw_member_join(struct kw_connection *invitation,
                                const struct kw_client_options *options, const char *dir,
                                struct kw_arena *arena, struct kw_joined *ret_joined,
                                struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key transport = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    Keyward__V1__EnrollResponse *enrolled = NULL;
    struct kw_joined joined = {0};

    KW_TRY(kw_member_dir_make(dir, err));
    KW_TRY(kw_member_key(dir, "transport-key.pem", KW_CURVE_P384, &transport, err));
    KW_TRY(enroll(invitation, dir, &transport, arena, &enrolled, err));
    KW_TRY(kw_member_settings_write(dir, options, err));
    KW_TRY(kw_transport_cms_write(dir, enrolled->transport_key_version,
                                  kw_bytes_field(enrolled->transport_key), err));
    KW_TRY(transport_open(enrolled, &transport, &key, err));
    KW_TRY(kw_transport_key_write(dir, enrolled->transport_key_version, &key, err));
    KW_TRY(confirm_as_member(invitation, options, dir, enrolled, &key, arena, &joined.state, err));
    joined.name = enrolled->member;
    joined.transport_key_version = enrolled->transport_key_version;
    *ret_joined = joined;
    return KW_OK;
}
