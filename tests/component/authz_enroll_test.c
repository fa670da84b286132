/* How somebody becomes a member: invitation, enrolment, confirmation, renewal; and what a stolen,
 * used, held or expired invitation is good for. */
#include "common/audit/invitation.h"
#include "common/audit/request_signature.h"
#include "common/pki/csr.h"
#include "tests/component/authz_fixture.h"
#include "tests/support/postgres.h"

#include <keyward/v1/receipt_service.pb-c.h>
#include <keyward/v1/status_service.pb-c.h>
#include <sqlite3.h>
#include <stdio.h>

static struct authz_fixture fx;
static struct actor invited; /* holds the invitation */

static void init(void)
{
    authz_fixture_init(&fx);
}

static void done(void)
{
    authz_actor_done(&invited);
    authz_fixture_done(&fx);
}

TestSuite(authz_enroll, .init = init, .fini = done, .timeout = 60);

/* --- requests for certificates --- */

static ProtobufCBinaryData csr_of(const struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct kw_bytes copy;

    MUST(kw_csr_build(key, &der, err));
    MUST(kw_arena_copy(fx.arena, kw_buf_bytes(&der), &copy, err));
    return kw_field_bytes(copy);
}

static ProtobufCBinaryData new_csr(enum kw_curve curve)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

    MUST(kw_private_key_generate(&key, curve, err));
    return csr_of(&key);
}

/* --- inviting --- */

static Keyward__V1__CreatePartnerInvitationRequest invite_body;

static struct question invite_question(void)
{
    keyward__v1__create_partner_invitation_request__init(&invite_body);
    invite_body.request_id = authz_request_id(&fx);
    invite_body.parent = fx.partner.name;
    return (struct question){.method = KW_METHOD_CREATE_PARTNER_INVITATION,
                             .body = &invite_body.base,
                             .caller = &fx.officer};
}

/* The invited party with the certificate it was sent. */
static struct answer invite(void)
{
    struct question question = invite_question();
    struct answer answer;
    const Keyward__V1__CreatePartnerInvitationResponse *response;
    const Keyward__V1__IssuedCertificate *issued;
    struct kw_certificate leaf = {0};
    struct kw_spiffe id;

    MUST(kw_private_key_generate(&invited.key, KW_CURVE_P256, err));
    invite_body.csr = csr_of(&invited.key);
    answer = authz_ask(&fx, &question);
    response = authz_message(&answer, &keyward__v1__create_partner_invitation_response__descriptor);
    issued = response->invitation->certificate;
    invited.role = KW_ROLE_INVITATION;
    invited.certificate = kw_bytes_field(issued->chain[0]);
    MUST(kw_sha256(invited.certificate, invited.fingerprint, err));
    MUST(kw_certificate_from_der(&leaf, invited.certificate, err));
    MUST(kw_certificate_identity(&leaf, "test", &id, err));
    invited.id = id.id;
    kw_certificate_done(&leaf);
    return answer;
}

Test(authz_enroll, an_invitation_is_kept_as_the_operator_signed_it)
{
    struct kw_invitation kept;
    struct kw_public_key key = {0};
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_signed_request request = {.body_hash = body_hash};
    struct answer answer = invite();

    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(kw_id_equal(inside_last(&fx.inside)->capsule.owner, fx.partner.id));
    MUST(kw_invitation_decode(authz_blob(&fx, "SELECT record FROM invitations"), &kept, err));
    cr_assert(kw_bytes_equal(kept.certificate, fx.officer.certificate));
    cr_assert(kw_bytes_equal(kept.body, authz_packed(&fx, &invite_body.base)));
    MUST(kw_sha256(kept.body, body_hash, err));
    request.method = kept.method;
    request.request_id = kept.request_id;
    MUST(kw_private_key_public(&fx.officer.key, &key, err));
    MUST(kw_request_signature_verify(&key, &request, kept.signature, err)); /* what the core does */
    kw_public_key_done(&key);
}

Test(authz_enroll, an_invitation_is_for_a_member_that_is_there)
{
    struct question question = invite_question();

    invite_body.csr = new_csr(KW_CURVE_P256);
    invite_body.parent = authz_name(&fx, KW_RESOURCE_PARTNER, fx.station.id);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NOT_FOUND));
    cr_assert(eq(sz, fx.inside.count, 0));
}

Test(authz_enroll, an_invitations_fields_are_checked_before_anything_goes_in)
{
    struct question question = invite_question();
    Google__Protobuf__Timestamp expire = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct answer answer = authz_ask(&fx, &question);

    cr_assert(eq(str, answer.field, "csr"));
    invite_body.csr = new_csr(KW_CURVE_P256);
    invite_body.expire_time = &expire;
    expire.seconds = (int64_t)(kw_clock_wall_ms() / 1000) + 8 * 86400;
    cr_assert(eq(str, authz_ask(&fx, &question).field, "expire_time"));
    expire.seconds -= 9 * 86400;
    cr_assert(eq(str, authz_ask(&fx, &question).field, "expire_time"));
    cr_assert(eq(sz, fx.inside.count, 0));
}

Test(authz_enroll, an_invitation_that_was_only_validated_invites_nobody)
{
    struct question question = invite_question();

    invite_body.csr = new_csr(KW_CURVE_P256);
    invite_body.validate_only = true;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM invitations"), 0));
}

/* --- enrolling --- */

static Keyward__V1__EnrollRequest enroll_body;

/* An enrolment with new keys. */
static struct question enroll_question(void)
{
    keyward__v1__enroll_request__init(&enroll_body);
    enroll_body.request_id = authz_request_id(&fx);
    enroll_body.tls_csr = new_csr(KW_CURVE_P256);
    enroll_body.transport_csr = new_csr(KW_CURVE_P384);
    return (struct question){
        .method = KW_METHOD_ENROLL, .body = &enroll_body.base, .caller = &invited};
}

static enum kw_reason status_with(struct kw_bytes certificate)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    struct actor actor = {.role = KW_ROLE_PARTNER, .certificate = certificate};
    const struct question question = {
        .method = KW_METHOD_GET_STATUS, .body = &body.base, .caller = &actor};

    return authz_ask(&fx, &question).reason;
}

static struct kw_bytes enrolled_certificate(const struct answer *answer)
{
    const Keyward__V1__EnrollResponse *response =
        authz_message(answer, &keyward__v1__enroll_response__descriptor);

    return kw_bytes_field(response->tls_certificate->chain[0]);
}

/* One that has enrolled so often, and has confirmed nothing. */
static void new_partner(uint32_t transport_version)
{
    const struct kw_member_keys keys = {.transport_version = transport_version};

    authz_actor_done(&fx.partner);
    authz_actor_make(&fx, KW_ROLE_PARTNER, &fx.partner);
    authz_member_put_keys(&fx, &fx.partner, &keys);
}

Test(authz_enroll, an_enrolment_makes_a_member_that_may_call)
{
    struct question question;
    struct answer answer;
    const struct inside_call *call;

    new_partner(0);
    (void)invite();
    question = enroll_question();
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, status_with(enrolled_certificate(&answer)), KW_E_NONE));
    call = fx.inside.calls[fx.inside.count - 2];
    cr_assert(kw_id_equal(call->capsule.owner, fx.partner.id));
    cr_assert(lt(sz, 0, call->authorization->invitation.len));
    cr_assert(kw_bytes_equal(kw_bytes_field(call->authorization->caller_certificate),
                             invited.certificate));
    cr_assert(lt(sz, 0, call->authorization->caller_signature.len));
    cr_assert(eq(i64, authz_number(&fx, "SELECT min(transport_version) FROM members"), 1));
    cr_assert(eq(i64, authz_number(&fx, "SELECT min(confirmed_version) FROM members"), 0));
}

static void say_nothing(struct inside_call *call)
{
    call->messages[0].len = 0;
}

Test(authz_enroll, an_invitation_without_certificate_is_none)
{
    struct question question = invite_question();

    invite_body.csr = new_csr(KW_CURVE_P256);
    fx.inside.spoil = say_nothing;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM invitations"), 0));
}

Test(authz_enroll, an_enrolment_that_says_nothing_makes_no_member)
{
    struct question question;

    (void)invite();
    question = enroll_question();
    fx.inside.spoil = say_nothing;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

Test(authz_enroll, an_invitation_that_is_not_in_the_table_invites_nobody)
{
    struct question question;

    (void)invite();
    question = enroll_question();
    authz_exec(&fx, "DELETE FROM invitations");
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_IDENTITY_INVALID));
}

static const char forget_member[] =
    "DELETE FROM members WHERE id = (SELECT member FROM invitations)";

static void delete_from_file(void)
{
    sqlite3 *db;

    REQUIRE(sqlite3_open(fx.config.database, &db) == SQLITE_OK, "sqlite3_open");
    REQUIRE(sqlite3_exec(db, forget_member, NULL, NULL, NULL) == SQLITE_OK, "%s",
            sqlite3_errmsg(db));
    REQUIRE(sqlite3_changes(db) == 1, "no such member");
    (void)sqlite3_close(db);
}

static void delete_from_server(const char *url)
{
    char sql[200];

    (void)snprintf(sql, sizeof(sql),
                   "SET session_replication_role = replica;"
                   " WITH gone AS (%s RETURNING id) SELECT count(*) FROM gone",
                   forget_member);
    REQUIRE(postgres_sql(url, sql) == 1, "no such member");
}

/* What the store's own connections never do: rows that others refer to disappear. */
static void member_delete(void)
{
    authz_fixture_stop(&fx);
    if (fx.config.store_url != NULL) {
        delete_from_server(fx.config.store_url);
    } else {
        delete_from_file();
    }
    authz_fixture_start(&fx);
}

Test(authz_enroll, an_invitation_whose_member_is_gone_enrols_nobody)
{
    struct question question;
    size_t before;

    (void)invite();
    member_delete();
    before = fx.inside.count;
    question = enroll_question();
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    cr_assert(eq(sz, fx.inside.count, before));
    cr_assert(eq(
        i64, authz_number(&fx, "SELECT count(*) FROM invitations WHERE enrolment IS NOT NULL"), 0));
}

Test(authz_enroll, an_invitation_is_good_for_enrolling_and_nothing_else)
{
    size_t count;
    const struct kw_method *methods = kw_method_table(&count);

    (void)invite();
    for (size_t i = 0; i < count; i++) {
        const struct question question = {.method = methods[i].id,
                                          .body = &enroll_body.base,
                                          .caller = &invited,
                                          .not_signed = true};

        if (kw_method_has(&methods[i], KW_METHOD_INTERNAL) ||
            (methods[i].roles & KW_CALLER_INVITATION) != 0) {
            continue;
        }
        (void)enroll_question();
        enum kw_reason reason = authz_ask(&fx, &question).reason;
        cr_assert(reason == KW_E_PERMISSION_DENIED || reason == KW_E_ARGUMENT_INVALID ||
                      reason == KW_E_ENCODING_INVALID,
                  "%s: %s", methods[i].path, kw_reason_row(reason)->name);
    }
    cr_assert(eq(sz, fx.inside.count, 1)); /* the invitation itself */
}

Test(authz_enroll, an_enrolment_that_is_repeated_is_answered_again)
{
    struct question question;
    struct answer first;
    struct answer again;
    size_t inside;

    (void)invite();
    question = enroll_question();
    first = authz_ask(&fx, &question);
    inside = fx.inside.count;
    enroll_body.request_id = authz_request_id(&fx); /* the same keys */
    again = authz_ask(&fx, &question);
    cr_assert(again.reason == KW_E_NONE && again.outcome->replayed);
    cr_assert(kw_bytes_equal(first.messages[0], again.messages[0]));
    cr_assert(eq(sz, first.outcome->receipt_id.len, KW_ID_LEN));
    cr_assert(kw_bytes_equal(kw_bytes_field(first.outcome->receipt_id),
                             kw_bytes_field(again.outcome->receipt_id)));
    cr_assert(eq(sz, fx.inside.count, inside));
}

Test(authz_enroll, an_enrolment_may_be_tried_again_after_a_failure)
{
    struct question question;

    (void)invite();
    question = enroll_question();
    fx.inside.refusals = 1;
    fx.inside.refusal = KW_E_HSM_UNAVAILABLE;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_HSM_UNAVAILABLE));
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

Test(authz_enroll, an_enrolment_that_was_only_validated_claims_nothing)
{
    struct question question;

    (void)invite();
    question = enroll_question();
    enroll_body.validate_only = true;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    question = enroll_question(); /* other keys */
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

/* --- invitations in wrong hands --- */

Test(authz_enroll, an_invitation_without_its_key_is_worth_nothing)
{
    struct question question;

    (void)invite();
    question = enroll_question();
    question.key = &fx.other.key;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_SIGNATURE_INVALID));
    question.not_signed = true;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_SIGNATURE_INVALID));
    cr_assert(eq(i64,
                 authz_number(&fx, "SELECT count(*) FROM invitations"
                                   " WHERE enrolment IS NOT NULL"),
                 0));
}

Test(authz_enroll, a_second_enrolment_holds_the_invitation)
{
    struct question question;
    Keyward__V1__EnrollRequest first_body;
    struct answer answer;

    (void)invite();
    question = enroll_question();
    first_body = enroll_body;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    question = enroll_question(); /* somebody else with the same invitation */
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_ENROLLMENT_HELD));
    question.body = &first_body.base; /* and now the first does not get its answer again either */
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ENROLLMENT_HELD));
    authz_denials_await(&fx, 2);
    cr_assert(eq(i64,
                 authz_number(&fx, "SELECT count(*) FROM invitations"
                                   " WHERE held = 1"),
                 1));
}

static bool somebody_is_suspended(void)
{
    return authz_number(&fx, "SELECT count(*) FROM members WHERE suspended = 1") == 1;
}

/* Who came first has keys already, and may be the wrong one. */
Test(authz_enroll, a_second_enrolment_stops_the_one_who_came_first)
{
    struct question question;
    struct answer answer;
    struct kw_bytes first;
    uint64_t epoch;

    (void)invite();
    question = enroll_question();
    answer = authz_ask(&fx, &question);
    first = enrolled_certificate(&answer);
    cr_assert(eq(int, status_with(first), KW_E_NONE));
    epoch = fx.authz->epoch;
    question = enroll_question();
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ENROLLMENT_HELD));
    cr_assert(eq(int, status_with(first), KW_E_IDENTITY_INVALID));
    cr_assert(somebody_is_suspended());
    cr_assert(lt(u64, epoch, fx.authz->epoch)); /* what is under way is asked again */
    cr_assert(kw_bytes_equal(authz_blob(&fx, "SELECT body FROM audit ORDER BY seq DESC"),
                             authz_packed(&fx, &enroll_body.base)));
    cr_assert(eq(str, authz_text_of(&fx, "SELECT subject FROM audit ORDER BY seq DESC"),
                 fx.partner.name));
}

Test(authz_enroll, an_answer_of_the_one_who_came_first_is_dropped_when_the_second_comes)
{
    Keyward__V1__ListReceiptsRequest body = KEYWARD__V1__LIST_RECEIPTS_REQUEST__INIT;
    struct actor member = {.role = KW_ROLE_PARTNER};
    const struct question receipts = {
        .method = KW_METHOD_LIST_RECEIPTS, .body = &body.base, .caller = &member};
    struct question question;
    struct answer answer;
    size_t before;

    (void)invite();
    question = enroll_question();
    answer = authz_ask(&fx, &question);
    member.certificate = enrolled_certificate(&answer);
    before = fx.inside.count;
    fx.inside.holds = true;
    authz_ask_start(&fx, &receipts, &answer);
    EVENTUALLY(&fx, fx.inside.count > before);
    question = enroll_question();
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ENROLLMENT_HELD));
    inside_answer(inside_last(&fx.inside));
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_IDENTITY_INVALID));
    cr_assert(eq(sz, answer.message_count, 0));
}

Test(authz_enroll, a_hold_before_anybody_enrolled_stops_nobody)
{
    struct question question;

    (void)invite();
    question = enroll_question();
    fx.inside.refusals = 1;
    fx.inside.refusal = KW_E_HSM_UNAVAILABLE;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_HSM_UNAVAILABLE));
    question = enroll_question();
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ENROLLMENT_HELD));
    cr_assert(eq(int, status_with(fx.partner.certificate), KW_E_NONE)); /* as it was before */
    cr_assert(not(somebody_is_suspended()));
}

Test(authz_enroll, two_enrolments_at_once_hold_one_another)
{
    struct question question;
    struct answer first = {0};
    size_t certificates;

    (void)invite();
    certificates = (size_t)authz_number(&fx, "SELECT count(*) FROM certificates");
    question = enroll_question();
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &first);
    EVENTUALLY(&fx, fx.inside.count == 2);
    question = enroll_question();
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ENROLLMENT_HELD));
    inside_answer(inside_last(&fx.inside));
    authz_wait(&first);
    cr_assert(eq(int, first.reason, KW_E_ENROLLMENT_HELD));
    cr_assert(eq(sz, first.message_count, 0));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM certificates"),
                 (int64_t)certificates)); /* nobody was registered */
}

Test(authz_enroll, an_expired_invitation_is_over)
{
    struct question question;

    (void)invite();
    authz_exec(&fx, "UPDATE invitations SET expire_ms = 5");
    question = enroll_question();
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_IDENTITY_INVALID));
    cr_assert(eq(sz, fx.inside.count, 1));
}

Test(authz_enroll, keys_are_checked_before_anything_is_claimed)
{
    struct question question;

    (void)invite();
    question = enroll_question();
    enroll_body.transport_csr = new_csr(KW_CURVE_P256); /* not P-384 */
    cr_assert(eq(str, authz_ask(&fx, &question).field, "transport_csr"));
    question = enroll_question();
    enroll_body.tls_csr = enroll_body.transport_csr; /* one key for both */
    cr_assert(eq(str, authz_ask(&fx, &question).field, "transport_csr"));
    question = enroll_question();
    enroll_body.tls_csr.len--;
    cr_assert(eq(str, authz_ask(&fx, &question).field, "tls_csr"));
    cr_assert(eq(i64,
                 authz_number(&fx, "SELECT count(*) FROM invitations"
                                   " WHERE enrolment IS NOT NULL"),
                 0));
}

/* --- what the inner layers might try --- */

Test(authz_enroll, a_certificate_for_somebody_else_is_not_registered)
{
    struct question question;

    (void)invite();
    question = enroll_question();
    fx.inside.stranger = &fx.other.id;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    fx.inside.stranger = NULL;
    fx.inside.role = KW_ROLE_OPERATOR;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM certificates"), 6));
}

/* --- confirming and renewing --- */

Test(authz_enroll, a_confirmed_transport_key_makes_the_member_active)
{
    Keyward__V1__ConfirmTransportKeyRequest body = KEYWARD__V1__CONFIRM_TRANSPORT_KEY_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_CONFIRM_TRANSPORT_KEY, .body = &body.base, .caller = &fx.partner};

    new_partner(1);
    body.request_id = authz_request_id(&fx);
    body.transport_key_version = 2; /* never made */
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NOT_FOUND));
    body.transport_key_version = 1;
    fx.inside.refusals = 1;
    fx.inside.refusal = KW_E_POSSESSION_UNPROVEN;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_POSSESSION_UNPROVEN));
    cr_assert(eq(i64, authz_number(&fx, "SELECT min(confirmed_version) FROM members"), 0));
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    cr_assert(eq(int, inside_last(&fx.inside)->capsule.ptk_version, 1));
    cr_assert(eq(i64, authz_number(&fx, "SELECT min(confirmed_version) FROM members"), 1));
}

Test(authz_enroll, a_renewed_certificate_may_call_beside_the_old_one)
{
    Keyward__V1__RenewCertificateRequest body = KEYWARD__V1__RENEW_CERTIFICATE_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_RENEW_CERTIFICATE, .body = &body.base, .caller = &fx.partner};
    const Keyward__V1__RenewCertificateResponse *response;
    struct answer answer;

    body.request_id = authz_request_id(&fx);
    body.csr = new_csr(KW_CURVE_P256);
    fx.inside.stranger = &fx.other.id;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_INTERNAL));
    fx.inside.stranger = NULL;
    answer = authz_ask(&fx, &question);
    response = authz_message(&answer, &keyward__v1__renew_certificate_response__descriptor);
    cr_assert(eq(int, status_with(kw_bytes_field(response->certificate->chain[0])), KW_E_NONE));
    cr_assert(eq(int, status_with(fx.partner.certificate), KW_E_NONE));
}

/* --- enrolling again --- */

/* The certificate somebody with the member's key and certificate gets. */
static struct kw_bytes renewed(const struct actor *holder)
{
    Keyward__V1__RenewCertificateRequest body = KEYWARD__V1__RENEW_CERTIFICATE_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_RENEW_CERTIFICATE, .body = &body.base, .caller = holder};
    const Keyward__V1__RenewCertificateResponse *response;
    struct answer answer;

    body.request_id = authz_request_id(&fx);
    body.csr = new_csr(KW_CURVE_P256);
    answer = authz_ask(&fx, &question);
    response = authz_message(&answer, &keyward__v1__renew_certificate_response__descriptor);
    return kw_bytes_field(response->certificate->chain[0]);
}

static void reinstate(void)
{
    Keyward__V1__ReinstatePartnerRequest body = KEYWARD__V1__REINSTATE_PARTNER_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_REINSTATE_PARTNER, .body = &body.base, .caller = &fx.officer};

    body.request_id = authz_request_id(&fx);
    body.name = fx.partner.name;
    body.justification = (char *)(uintptr_t) "has new keys";
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

/* An invitation, and an enrolment under it. */
static struct kw_bytes enrolled_again(void)
{
    struct question question;
    struct answer answer;

    (void)invite();
    question = enroll_question();
    answer = authz_ask(&fx, &question);
    return enrolled_certificate(&answer);
}

Test(authz_enroll, a_stolen_key_is_shut_out_by_enrolling_again)
{
    struct kw_bytes thiefs = renewed(&fx.partner);
    struct kw_bytes members;

    (void)authz_partner_suspend(&fx, &fx.partner);
    members = enrolled_again();
    cr_assert(eq(int, status_with(members), KW_E_IDENTITY_INVALID)); /* suspended as before */
    reinstate();
    cr_assert(eq(int, status_with(members), KW_E_NONE));
    cr_assert(eq(int, status_with(fx.partner.certificate), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, status_with(thiefs), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, status_with(fx.other.certificate), KW_E_NONE)); /* nobody else's */
    authz_fixture_restart(&fx);
    cr_assert(eq(int, status_with(thiefs), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, status_with(members), KW_E_NONE));
}

Test(authz_enroll, enrolling_again_needs_no_suspension_and_is_in_force_at_once)
{
    uint64_t epoch = fx.authz->epoch;
    struct kw_bytes first = enrolled_again();
    struct kw_bytes second;

    cr_assert(lt(u64, epoch, fx.authz->epoch)); /* what is under way is asked again */
    cr_assert(eq(int, status_with(fx.partner.certificate), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, status_with(first), KW_E_NONE));
    authz_actor_done(&invited);
    second = enrolled_again();
    cr_assert(eq(int, status_with(first), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, status_with(second), KW_E_NONE));
}

Test(authz_enroll, an_enrolment_that_is_repeated_revokes_nothing)
{
    struct question question;
    struct answer answer;
    struct answer again = {0};

    (void)invite();
    question = enroll_question();
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &again);
    EVENTUALLY(&fx, fx.inside.count == 2);
    fx.inside.holds = false;
    answer = authz_ask(&fx, &question); /* overtakes the first */
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    inside_answer(fx.inside.calls[1]);
    authz_wait(&again);
    cr_assert(eq(int, again.reason, KW_E_NONE));
    cr_assert(kw_bytes_equal(again.messages[0], answer.messages[0]));
    cr_assert(eq(int, status_with(enrolled_certificate(&answer)), KW_E_NONE));
}

/* The thief asks for another certificate and is still waiting when the member enrols again. */
Test(authz_enroll, a_renewal_under_way_is_not_registered_when_the_member_has_enrolled_again)
{
    Keyward__V1__RenewCertificateRequest body = KEYWARD__V1__RENEW_CERTIFICATE_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_RENEW_CERTIFICATE, .body = &body.base, .caller = &fx.partner};
    struct inside_call *waiting;
    struct answer answer = {0};

    body.request_id = authz_request_id(&fx);
    body.csr = new_csr(KW_CURVE_P256);
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 1);
    waiting = inside_last(&fx.inside);
    fx.inside.holds = false;
    (void)enrolled_again();
    inside_answer(waiting);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_IDENTITY_INVALID));
    cr_assert(eq(sz, answer.message_count, 0));
    cr_assert(eq(i64,
                 authz_number(&fx, "SELECT count(*) FROM certificates WHERE revoked = 0"
                                   " AND owner = (SELECT member FROM invitations)"),
                 1)); /* the member's alone */
}

/* Whoever holds an older invitation has no use of it any more: not to enrol, not to have the member
 * stopped. */
Test(authz_enroll, an_enrolment_ends_the_invitations_before_it)
{
    struct question question;
    struct actor older;
    struct kw_bytes members;

    (void)invite();
    older = invited;
    invited = (struct actor){0};
    members = enrolled_again();
    question = enroll_question();
    question.caller = &older;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, status_with(members), KW_E_NONE));
    authz_actor_done(&invited);
    (void)enrolled_again(); /* one that came later */
    cr_assert(eq(int, status_with(members), KW_E_IDENTITY_INVALID));
    authz_actor_done(&older);
}
