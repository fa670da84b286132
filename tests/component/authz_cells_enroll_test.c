/* One invitation, and enrolments in two cells that have not heard of one another. */
#include "common/pki/csr.h"
#include "tests/component/authz_cells.h"

#include <keyward/v1/status_service.pb-c.h>

static struct authz_fixture a;
static struct authz_fixture b;
static struct feed_cell cell_a;
static struct feed_cell cell_b;
static struct actor invited;

/* --- inviting in one cell, enrolling in either --- */

static ProtobufCBinaryData csr_of(const struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct kw_bytes copy;

    MUST(kw_csr_build(key, &der, err));
    MUST(kw_arena_copy(a.arena, kw_buf_bytes(&der), &copy, err));
    return kw_field_bytes(copy);
}

static ProtobufCBinaryData new_csr(enum kw_curve curve)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

    MUST(kw_private_key_generate(&key, curve, err));
    return csr_of(&key);
}

static void invited_read(struct kw_bytes certificate)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_spiffe id;

    invited.role = KW_ROLE_INVITATION;
    invited.certificate = certificate;
    MUST(kw_certificate_from_der(&leaf, certificate, err));
    MUST(kw_certificate_identity(&leaf, "test", &id, err));
    invited.id = id.id;
}

static void invite(void)
{
    Keyward__V1__CreatePartnerInvitationRequest body =
        KEYWARD__V1__CREATE_PARTNER_INVITATION_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_CREATE_PARTNER_INVITATION, .body = &body.base, .caller = &a.officer};
    const Keyward__V1__CreatePartnerInvitationResponse *response;
    struct answer answer;

    MUST(kw_private_key_generate(&invited.key, KW_CURVE_P256, err));
    body.request_id = authz_request_id(&a);
    body.parent = a.partner.name;
    body.csr = csr_of(&invited.key);
    answer = authz_ask(&a, &question);
    response = authz_message(&answer, &keyward__v1__create_partner_invitation_response__descriptor);
    invited_read(kw_bytes_field(response->invitation->certificate->chain[0]));
}

static void init(void)
{
    authz_cells_init(&a, &cell_a, &b, &cell_b);
    invite();
    feed_cell_meet(&cell_a, &cell_b);
}

static void done(void)
{
    authz_actor_done(&invited);
    authz_cells_done(&a, &cell_a, &b, &cell_b);
}

TestSuite(authz_cells_enroll, .init = init, .fini = done, .timeout = 120);

/* With new keys. */
static enum kw_reason enroll(struct authz_fixture *cell)
{
    Keyward__V1__EnrollRequest body = KEYWARD__V1__ENROLL_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_ENROLL, .body = &body.base, .caller = &invited};

    body.request_id = authz_request_id(cell);
    body.tls_csr = new_csr(KW_CURVE_P256);
    body.transport_csr = new_csr(KW_CURVE_P384);
    return authz_ask(cell, &question).reason;
}

static int64_t suspended(struct authz_fixture *cell)
{
    return authz_number(cell, "SELECT count(*) FROM members WHERE suspended = 1");
}

static int64_t held(struct authz_fixture *cell)
{
    return authz_number(cell, "SELECT count(*) FROM invitations WHERE held = 1");
}

/* --- */

Test(authz_cells_enroll, an_invitation_made_here_is_taken_there_once)
{
    cr_assert(eq(int, enroll(&b), KW_E_NONE));
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, enroll(&a), KW_E_ENROLLMENT_HELD)); /* as in one cell: somebody is wrong */
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(held(&a) == 1 && held(&b) == 1);
    cr_assert(suspended(&a) == 1 && suspended(&b) == 1);
}

Test(authz_cells_enroll, two_enrolments_in_two_cells_stop_the_member_in_both)
{
    uint64_t epoch;

    cr_assert(eq(int, enroll(&a), KW_E_NONE));
    cr_assert(eq(int, enroll(&b), KW_E_NONE)); /* it has not heard of the first */
    epoch = a.authz->epoch;
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(held(&a) == 1 && held(&b) == 1);
    cr_assert(suspended(&a) == 1 && suspended(&b) == 1);
    cr_assert(lt(u64, epoch, a.authz->epoch));
    cr_assert(eq(int, enroll(&a), KW_E_ENROLLMENT_HELD));
    cr_assert(eq(int, enroll(&b), KW_E_ENROLLMENT_HELD));
}

Test(authz_cells_enroll, it_is_one_suspension_and_lifted_as_one)
{
    Keyward__V1__ReinstatePartnerRequest body = KEYWARD__V1__REINSTATE_PARTNER_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_REINSTATE_PARTNER, .body = &body.base, .caller = &a.officer};

    (void)enroll(&a);
    (void)enroll(&b);
    feed_cell_meet(&cell_a, &cell_b);
    body.request_id = authz_request_id(&a);
    body.name = a.partner.name;
    body.justification = (char *)(uintptr_t) "it tried twice itself";
    cr_assert(eq(int, authz_ask(&a, &question).reason, KW_E_NONE));
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(suspended(&a) == 0 && suspended(&b) == 0);
    cr_assert(eq(int, enroll(&b), KW_E_ENROLLMENT_HELD)); /* of no use for all that */
    cr_assert(eq(i64, suspended(&b), 0));                 /* and nothing more follows from it */
}

Test(authz_cells_enroll, one_that_was_claimed_there_and_not_answered_suspends_nobody)
{
    b.inside.refusals = 1;
    b.inside.refusal = KW_E_HSM_UNAVAILABLE;
    cr_assert(eq(int, enroll(&b), KW_E_HSM_UNAVAILABLE));
    b.inside.refusals = 0;
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(eq(int, enroll(&a), KW_E_ENROLLMENT_HELD));
    feed_cell_meet(&cell_a, &cell_b);
    cr_assert(held(&a) == 1 && held(&b) == 1);
    cr_assert(suspended(&a) == 0 && suspended(&b) == 0);
}
