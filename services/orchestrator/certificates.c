/* Invitations and renewals: the core issues, authz keeps; here the answer is made and kept for a
 * repetition. */
#include "services/orchestrator/certificates.h"

#include "common/pki/certificate.h"
#include "common/rpc/messages.h"
#include "services/orchestrator/handlers.h"

#include <keyward/v1/enrollment_service.pb-c.h>
#include <keyward/v1/partner_service.pb-c.h>
#include <keyward/v1/station_service.pb-c.h>

static struct kw_result read_leaf(struct kw_call *call, struct kw_bytes der,
                                  Keyward__V1__IssuedCertificate *shown,
                                  struct kw_spiffe *ret_identity, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_validity validity;

    KW_TRY(kw_certificate_from_der(&leaf, der, err));
    KW_TRY(kw_certificate_identity(&leaf, call->orch->config->trust_domain, ret_identity, err));
    KW_TRY(kw_certificate_validity(&leaf, &validity, err));
    shown->start_time = kw_view_time(&call->view, validity.not_before_ms);
    shown->expire_time = kw_view_time(&call->view, validity.not_after_ms);
    return KW_OK;
}

struct kw_result kw_issued_certificate(struct kw_call *call, size_t index,
                                       Keyward__V1__IssuedCertificate **ret_certificate,
                                       struct kw_spiffe *ret_identity, struct kw_error *err)
{
    const Keyward__Internal__V1__CoreReply *reply = call->core.reply;
    const Keyward__Internal__V1__CertificateChain *chain;
    Keyward__V1__IssuedCertificate *shown =
        kw_view_message(&call->view, &keyward__v1__issued_certificate__descriptor);

    KW_ENSURE(index < reply->n_certificates && reply->certificates[index]->n_certificates > 0, err,
              INTERNAL, "the core issued %zu certificates", reply->n_certificates);
    chain = reply->certificates[index];
    shown->n_chain = chain->n_certificates;
    shown->chain = chain->certificates;
    KW_TRY(read_leaf(call, kw_bytes_field(chain->certificates[0]), shown, ret_identity, err));
    *ret_certificate = shown;
    return kw_view_whole(&call->view, err);
}

/* --- CreatePartnerInvitation, CreateStationInvitation --- */

static bool is_partner(const struct kw_call *call)
{
    return call->method->id == KW_METHOD_CREATE_PARTNER_INVITATION;
}

static const char *parent_of(const struct kw_call *call)
{
    return is_partner(call)
               ? ((const Keyward__V1__CreatePartnerInvitationRequest *)call->request)->parent
               : ((const Keyward__V1__CreateStationInvitationRequest *)call->request)->parent;
}

static struct kw_result answer_invitation(struct kw_call *call, Keyward__V1__Invitation *invitation,
                                          struct kw_error *err)
{
    Keyward__V1__CreatePartnerInvitationResponse partner =
        KEYWARD__V1__CREATE_PARTNER_INVITATION_RESPONSE__INIT;
    Keyward__V1__CreateStationInvitationResponse station =
        KEYWARD__V1__CREATE_STATION_INVITATION_RESPONSE__INIT;

    partner.invitation = invitation;
    station.invitation = invitation;
    return kw_call_answer(call, is_partner(call) ? &partner.base : &station.base, err);
}

struct kw_result kw_invite_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    enum kw_resource kind = is_partner(call) ? KW_RESOURCE_PARTNER : KW_RESOURCE_STATION;
    struct kw_resource_ids ids;

    (void)tx;
    KW_TRY(kw_call_name(call, "parent", kind, parent_of(call), &ids, err));
    if (call->validate_only) {
        return answer_invitation(
            call, kw_view_message(&call->view, &keyward__v1__invitation__descriptor), err);
    }
    call->ask_core = true;
    return KW_OK;
}

struct kw_result kw_invite_write(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    enum kw_resource kind =
        is_partner(call) ? KW_RESOURCE_PARTNER_INVITATION : KW_RESOURCE_STATION_INVITATION;
    enum kw_resource parent_kind = is_partner(call) ? KW_RESOURCE_PARTNER : KW_RESOURCE_STATION;
    Keyward__V1__Invitation *invitation =
        kw_view_message(&call->view, &keyward__v1__invitation__descriptor);
    const Keyward__Internal__V1__CoreItem *item;
    struct kw_resource_ids parent;
    struct kw_spiffe invited;

    (void)tx; /* what is stored is the receipt and the answer */
    KW_TRY(kw_call_only_item(call, &item, err));
    KW_TRY(kw_call_name(call, "parent", parent_kind, parent_of(call), &parent, err));
    KW_TRY(kw_issued_certificate(call, 0, &invitation->certificate, &invited, err));
    KW_ENSURE(invited.role == KW_ROLE_INVITATION, err, INTERNAL, "the core issued no invitation");
    invitation->name = kw_view_name2(&call->view, kind, parent.id[0], invited.id);
    invitation->state = KEYWARD__V1__INVITATION_STATE__INVITATION_STATE_OPEN;
    invitation->create_time = kw_view_time(&call->view, call->now_ms);
    invitation->expire_time = invitation->certificate->expire_time;
    return answer_invitation(call, invitation, err);
}

/* --- RenewCertificate --- */

struct kw_result kw_renew_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__RenewCertificateResponse response = KEYWARD__V1__RENEW_CERTIFICATE_RESPONSE__INIT;

    (void)tx;
    if (call->validate_only) {
        return kw_call_answer(call, &response.base, err);
    }
    call->ask_core = true;
    return KW_OK;
}

struct kw_result kw_renew_write(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__RenewCertificateResponse response = KEYWARD__V1__RENEW_CERTIFICATE_RESPONSE__INIT;
    const Keyward__Internal__V1__CoreItem *item;
    struct kw_spiffe identity;

    (void)tx; /* what is stored is the receipt and the answer */
    KW_TRY(kw_call_only_item(call, &item, err));
    KW_TRY(kw_issued_certificate(call, 0, &response.certificate, &identity, err));
    KW_ENSURE(kw_spiffe_equal(&identity, &call->caller), err, INTERNAL,
              "the core renewed another caller's certificate");
    return kw_call_answer(call, &response.base, err);
}
