/* Certificates that the core issues: one for somebody else is answered to nobody. */
#include "common/pki/csr.h"
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/enrollment_service.pb-c.h>
#include <keyward/v1/partner_service.pb-c.h>

static struct orch_fixture fx;

static void init(void)
{
    orch_fixture_init(&fx);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_certificate, .init = init, .fini = done, .timeout = 60);

static void make_csr(struct kw_buf *csr)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    kw_buf_clear(csr);
    MUST(kw_csr_build(&key, csr, err));
}

static struct kw_spiffe certified; /* whom the core's next certificate is for */
static struct kw_buf certificate;

static void make_certificate(void)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    uint64_t now = kw_clock_wall_ms();
    const struct kw_leaf_plan plan = {
        .subject = &key,
        .identity = &certified,
        .validity = {.not_before_ms = now, .not_after_ms = now + KW_CAPSULE_LIFETIME_MS},
        .usage = KW_USAGE_CLIENT};

    MUST(kw_private_key_public(&fx.root_key, &key, err));
    MUST(kw_certificate_issue(&plan, &fx.issuer, &leaf, err));
    kw_buf_clear(&certificate);
    MUST(kw_certificate_to_der(&leaf, &certificate, err));
}

static void certify(Keyward__Internal__V1__CoreReply *reply)
{
    static Keyward__Internal__V1__CertificateChain chain;
    static Keyward__Internal__V1__CertificateChain *chains[] = {&chain};
    static ProtobufCBinaryData der;

    make_certificate();
    der = kw_field_bytes(kw_buf_bytes(&certificate));
    keyward__internal__v1__certificate_chain__init(&chain);
    chain.certificates = &der;
    chain.n_certificates = 1;
    reply->certificates = chains;
    reply->n_certificates = 1;
}

/* Asked while the core certifies this one. */
static enum kw_reason ask_certified(const struct asking *asking, enum kw_role role, struct kw_id id)
{
    struct asked asked;

    MUST(kw_spiffe_caller("test", role, id, &certified, err));
    fx.core.spoil = certify;
    asked = orch_ask(&fx, asking);
    kw_buf_done(&certificate);
    cr_assert(asked.reason == KW_E_NONE || asked.message_count == 0);
    return asked.reason;
}

static void no_items(Keyward__Internal__V1__CoreReply *reply)
{
    reply->n_items = 0;
}

/* Our scripted core issues none of itself. */
Test(orchestrator_certificate, a_renewal_is_of_the_callers_own_certificate)
{
    Keyward__V1__RenewCertificateRequest body = KEYWARD__V1__RENEW_CERTIFICATE_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_RENEW_CERTIFICATE,
                                  .body = &body.base,
                                  .role = KW_ROLE_PARTNER,
                                  .caller = fx.partner};
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};

    faults_off(); /* without the test's help it never succeeds */
    make_csr(&csr);
    body.request_id = orch_request_id(&fx);
    body.csr = kw_field_bytes(kw_buf_bytes(&csr));
    fx.core.spoil = no_items;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_INTERNAL));
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_INTERNAL)); /* no certificate */
    cr_assert(eq(int, ask_certified(&asking, KW_ROLE_STATION, fx.partner), KW_E_INTERNAL));
    cr_assert(eq(int, ask_certified(&asking, KW_ROLE_PARTNER, fx.station), KW_E_INTERNAL));
    cr_assert(eq(int, ask_certified(&asking, KW_ROLE_PARTNER, fx.partner), KW_E_NONE));
}

static struct asking invite_ask(Keyward__V1__CreatePartnerInvitationRequest *body,
                                struct kw_buf *csr)
{
    keyward__v1__create_partner_invitation_request__init(body);
    make_csr(csr);
    body->request_id = orch_request_id(&fx);
    body->parent = orch_name(&fx, KW_RESOURCE_PARTNER, fx.partner);
    body->csr = kw_field_bytes(kw_buf_bytes(csr));
    return (struct asking){.method = KW_METHOD_CREATE_PARTNER_INVITATION,
                           .body = &body->base,
                           .role = KW_ROLE_OPERATOR,
                           .caller = fx.operator_id,
                           .owner = fx.partner};
}

Test(orchestrator_certificate, an_invitation_is_no_members_certificate)
{
    Keyward__V1__CreatePartnerInvitationRequest body;
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    const struct asking asking = invite_ask(&body, &csr);

    cr_assert(eq(int, ask_certified(&asking, KW_ROLE_PARTNER, fx.partner), KW_E_INTERNAL));
    cr_assert(eq(int, ask_certified(&asking, KW_ROLE_INVITATION, fx.partner), KW_E_NONE));
}
