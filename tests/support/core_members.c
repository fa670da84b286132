/* Members of a core under test: invited, enrolled, their transport key opened. */
#include "common/audit/invitation.h"
#include "common/base/limits.h"
#include "common/pki/cms.h"
#include "common/pki/csr.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/resource.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "keyward/v1/station_service.pb-c.h"
#include "tests/support/core_fixture.h"
#include "tests/support/must.h"

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

static const ProtobufCMessage *invite_body(struct core_fixture *fx, enum kw_role role,
                                           struct kw_id member, ProtobufCBinaryData csr)
{
    Keyward__V1__CreatePartnerInvitationRequest *partner =
        kw_arena_alloc(fx->arena, sizeof(*partner));
    Keyward__V1__CreateStationInvitationRequest *station =
        kw_arena_alloc(fx->arena, sizeof(*station));
    char *name = kw_arena_alloc(fx->arena, KW_RESOURCE_NAME_SIZE);

    keyward__v1__create_partner_invitation_request__init(partner);
    keyward__v1__create_station_invitation_request__init(station);
    kw_resource_name1(role == KW_ROLE_PARTNER ? KW_RESOURCE_PARTNER : KW_RESOURCE_STATION, member,
                      name);
    partner->request_id = station->request_id = core_request_id(fx);
    partner->parent = station->parent = name;
    partner->csr = station->csr = csr;
    return role == KW_ROLE_PARTNER ? &partner->base : &station->base;
}

void core_invite_ask_for(struct core_fixture *fx, enum kw_role role, struct kw_id member,
                         const struct kw_private_key *key, struct core_ask *ret_ask)
{
    enum kw_method_id method = role == KW_ROLE_PARTNER ? KW_METHOD_CREATE_PARTNER_INVITATION
                                                       : KW_METHOD_CREATE_STATION_INVITATION;

    core_ask_init(fx, ret_ask, method, invite_body(fx, role, member, csr_field(fx, key)),
                  &fx->officer);
    ret_ask->capsule.owner = member;
}

void core_invite_ask(struct core_fixture *fx, enum kw_role role, struct kw_id member,
                     struct kw_private_key *ret_key, struct core_ask *ret_ask)
{
    MUST(kw_private_key_generate(ret_key, KW_CURVE_P256, err));
    core_invite_ask_for(fx, role, member, ret_key, ret_ask);
}

void core_invite(struct core_fixture *fx, enum kw_role role, struct kw_id member,
                 struct core_caller *ret_invitation, struct kw_buf *ret_record)
{
    struct core_answer answer;
    struct core_ask ask;
    struct kw_invitation invitation;
    struct kw_id request_id;

    *ret_invitation = (struct core_caller){0};
    core_invite_ask(fx, role, member, &ret_invitation->key, &ask);
    answer = core_ask(fx, &ask);
    REQUIRE(answer.reason == KW_E_NONE, "%s", kw_reason_row(answer.reason)->name);
    caller_take(ret_invitation, answer.reply->certificates[0]->certificates[0]);
    MUST(kw_request_id_parse(kw_message_request_id(ask.body), &request_id, err));
    invitation =
        (struct kw_invitation){.method = kw_bytes_str(ask.method->path),
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

    MUST(kw_certificate_from_der(&certificate,
                                 kw_bytes_field(reply->certificates[1]->certificates[0]), err));
    MUST(kw_cms_open(kw_bytes_field(reply->transport_key_cms), key, &certificate,
                     &member->transport, err));
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
