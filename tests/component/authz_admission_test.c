/* Who may ask authz at all: certificates, roles, signatures. And what is left of a refusal. */
#include "tests/component/authz_fixture.h"

#include <keyward/v1/status_service.pb-c.h>

static struct authz_fixture fx;

static void init(void)
{
    authz_fixture_init(&fx);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_admission, .init = init, .fini = done, .timeout = 60);

static enum kw_reason ask_status(const struct actor *caller)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_GET_STATUS, .body = &body.base, .caller = caller};

    return authz_ask(&fx, &question).reason;
}

/* --- certificates --- */

Test(authz_admission, lets_in_whom_it_knows)
{
    cr_assert(eq(int, ask_status(&fx.partner), KW_E_NONE));
    cr_assert(eq(int, ask_status(&fx.station), KW_E_NONE));
    cr_assert(eq(int, ask_status(&fx.officer), KW_E_NONE));
    cr_assert(eq(int, ask_status(&fx.auditor), KW_E_NONE));
}

Test(authz_admission, refuses_a_certificate_it_does_not_know)
{
    struct actor stranger;

    authz_actor_make(&fx, KW_ROLE_PARTNER, &stranger);
    cr_assert(eq(int, ask_status(&stranger), KW_E_IDENTITY_INVALID));
    authz_denials_await(&fx, 1);
    cr_assert(eq(str, authz_text_of(&fx, "SELECT reason FROM denials"), "IDENTITY_INVALID"));
    cr_assert(eq(str, authz_text_of(&fx, "SELECT detail FROM denials"), "unknown certificate"));
    cr_assert(eq(str, authz_text_of(&fx, "SELECT peer FROM denials"), "192.0.2.1:4711"));
    authz_actor_done(&stranger);
}

Test(authz_admission, refuses_another_certificate_of_somebody_it_knows)
{
    struct actor forged;

    authz_actor_make(&fx, KW_ROLE_PARTNER, &forged);
    forged.id = fx.partner.id; /* the certificate says who it is, and it is not registered */
    cr_assert(eq(int, ask_status(&forged), KW_E_IDENTITY_INVALID));
    authz_actor_done(&forged);
}

Test(authz_admission, refuses_a_revoked_certificate)
{
    authz_certificate_revoke(&fx, &fx.partner);
    cr_assert(eq(int, ask_status(&fx.partner), KW_E_IDENTITY_INVALID));
    authz_denials_await(&fx, 1);
    cr_assert(eq(str, authz_text_of(&fx, "SELECT detail FROM denials"), "revoked certificate"));
}

Test(authz_admission, refuses_a_certificate_before_and_after_its_time)
{
    struct actor late;
    struct actor early;

    authz_actor_make_valid(&fx, KW_ROLE_PARTNER, -(int64_t)HOUR_MS, -5000, &late);
    authz_actor_make_valid(&fx, KW_ROLE_PARTNER, 60000, (int64_t)HOUR_MS, &early);
    authz_member_put(&fx, &late);
    authz_member_put(&fx, &early);
    cr_assert(eq(int, ask_status(&late), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, ask_status(&early), KW_E_IDENTITY_INVALID));
    authz_actor_done(&late);
    authz_actor_done(&early);
}

Test(authz_admission, refuses_a_suspended_partner_and_takes_it_back)
{
    Keyward__V1__ReinstatePartnerRequest body = KEYWARD__V1__REINSTATE_PARTNER_REQUEST__INIT;
    const struct question reinstate = {
        .method = KW_METHOD_REINSTATE_PARTNER, .body = &body.base, .caller = &fx.officer};

    body.request_id = authz_request_id(&fx);
    body.name = fx.partner.name;
    body.justification = (char *)(uintptr_t) "mistake";
    cr_assert(eq(int, authz_ask(&fx, &reinstate).reason, KW_E_STATE_CONFLICT)); /* not suspended */
    cr_assert(eq(int, authz_partner_suspend(&fx, &fx.partner).reason, KW_E_NONE));
    cr_assert(eq(int, ask_status(&fx.partner), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, ask_status(&fx.other), KW_E_NONE));
    body.request_id = authz_request_id(&fx);
    cr_assert(eq(int, authz_ask(&fx, &reinstate).reason, KW_E_NONE));
    cr_assert(eq(int, ask_status(&fx.partner), KW_E_NONE));
}

Test(authz_admission, a_certificate_registered_for_a_partner_is_no_operators)
{
    struct actor posing;

    authz_actor_make(&fx, KW_ROLE_OPERATOR, &posing);
    posing.role = KW_ROLE_PARTNER; /* what the table would say */
    authz_certificate_put(&fx, &posing);
    cr_assert(eq(int, ask_status(&posing), KW_E_IDENTITY_INVALID));
    authz_actor_done(&posing);
}

Test(authz_admission, a_certificate_is_the_one_its_owner_was_registered_with)
{
    struct actor posing;

    authz_actor_make(&fx, KW_ROLE_OPERATOR, &posing);
    posing.id = fx.officer.id; /* what the table would say */
    authz_certificate_put(&fx, &posing);
    cr_assert(eq(int, ask_status(&posing), KW_E_IDENTITY_INVALID));
    authz_actor_done(&posing);
}

Test(authz_admission, refuses_what_is_no_certificate)
{
    struct actor nobody = {.role = KW_ROLE_PARTNER, .certificate = kw_bytes_str("nonsense")};

    cr_assert(eq(int, ask_status(&nobody), KW_E_IDENTITY_INVALID));
    nobody.certificate = KW_BYTES_NONE;
    cr_assert(eq(int, ask_status(&nobody), KW_E_IDENTITY_INVALID));
    authz_denials_await(&fx, 2);
}

/* --- roles: generated from the method table --- */

static const struct actor *actor_of(enum kw_caller_role role)
{
    switch (role) {
    case KW_CALLER_PARTNER:
        return &fx.partner;
    case KW_CALLER_STATION:
        return &fx.station;
    case KW_CALLER_OPERATOR:
        return &fx.officer;
    case KW_CALLER_AUDITOR:
        return &fx.auditor;
    default:
        return NULL;
    }
}

/* A request without content, but with a request id where the method has one. */
static ProtobufCMessage *empty_request(const struct kw_method *method)
{
    const ProtobufCMessageDescriptor *type = kw_method_messages(method)->input;
    ProtobufCMessage *message = kw_arena_alloc(fx.arena, type->sizeof_message);
    const ProtobufCFieldDescriptor *field;

    protobuf_c_message_init(type, message);
    field = protobuf_c_message_descriptor_get_field_by_name(type, "request_id");
    if (field != NULL) {
        char *id = authz_request_id(&fx);

        memcpy((uint8_t *)message + field->offset, &id, sizeof(id));
    }
    return message;
}

static enum kw_reason ask_empty(const struct kw_method *method, const struct actor *caller)
{
    const struct question question = {
        .method = method->id, .body = empty_request(method), .caller = caller};

    return authz_ask(&fx, &question).reason;
}

Test(authz_admission, each_method_is_for_its_roles_alone, .timeout = 120)
{
    size_t count;
    const struct kw_method *methods = kw_method_table(&count);
    size_t asked = 0;

    for (size_t i = 0; i < count; i++) {
        if (kw_method_has(&methods[i], KW_METHOD_INTERNAL)) {
            continue;
        }
        for (unsigned role = KW_CALLER_PARTNER; role <= KW_CALLER_AUDITOR; role <<= 1) {
            enum kw_reason reason = ask_empty(&methods[i], actor_of((enum kw_caller_role)role));
            bool may = (methods[i].roles & role) != 0;

            cr_assert(eq(int, reason == KW_E_PERMISSION_DENIED, !may), "%s by %u: %s",
                      methods[i].path, role, kw_reason_row(reason)->name);
            asked += may ? 0 : 1;
        }
    }
    cr_assert(lt(sz, 80, asked));
    EVENTUALLY(&fx,
               authz_number(&fx, "SELECT coalesce(sum(times), 0) FROM denials") >= (int64_t)asked);
    cr_assert(eq(sz, fx.inside.count > 0, 1)); /* what is allowed did go in */
}

Test(authz_admission, knows_no_methods_between_the_inner_layers)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    struct question question = {.body = &body.base, .caller = &fx.officer, .not_signed = true};
    size_t asked = 0;

    for (unsigned number = 190; number < 260; number++) {
        const struct kw_method *method = kw_method_by_id(number);

        cr_assert(method == NULL || kw_method_has(method, KW_METHOD_INTERNAL));
        question.method = (enum kw_method_id)number;
        cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_METHOD_UNKNOWN));
        asked += method != NULL ? 1 : 0;
    }
    cr_assert(lt(sz, 0, asked));
}

/* --- signatures --- */

static struct grant_story story;
static struct question grant_question;

static void signed_story(void)
{
    char *device;

    (void)authz_device(&fx, 7, &device);
    authz_grant_story(&fx, &story, device);
    grant_question = (struct question){
        .method = KW_METHOD_CREATE_GRANT, .body = &story.request.base, .caller = &fx.officer};
}

static void must_refuse(enum kw_reason reason)
{
    cr_assert(eq(int, authz_ask(&fx, &grant_question).reason, reason));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 0));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM audit"), 0));
}

Test(authz_admission, refuses_an_operators_mutation_without_signature)
{
    signed_story();
    grant_question.not_signed = true;
    must_refuse(KW_E_SIGNATURE_INVALID);
    authz_denials_await(&fx, 1);
    cr_assert(eq(str, authz_text_of(&fx, "SELECT detail FROM denials"), "not signed"));
}

Test(authz_admission, refuses_a_signature_by_another_key)
{
    signed_story();
    grant_question.key = &fx.auditor.key;
    must_refuse(KW_E_SIGNATURE_INVALID);
}

Test(authz_admission, refuses_a_signature_for_another_method)
{
    signed_story();
    grant_question.signed_method = KW_METHOD_REVOKE_GRANT;
    must_refuse(KW_E_SIGNATURE_INVALID);
}

Test(authz_admission, refuses_a_signature_for_another_body)
{
    struct grant_story other;

    signed_story();
    other = story;
    other.request.justification = (char *)(uintptr_t) "ticket 2";
    grant_question.signed_body = &other.request.base;
    must_refuse(KW_E_SIGNATURE_INVALID);
}

Test(authz_admission, refuses_a_signature_whose_time_is_over_or_too_far_ahead)
{
    signed_story();
    grant_question.not_after_ms = kw_clock_wall_ms() - 1;
    must_refuse(KW_E_SIGNATURE_INVALID);
    grant_question.not_after_ms = kw_clock_wall_ms() + KW_REQUEST_SIGNATURE_AHEAD_MS + 60000;
    must_refuse(KW_E_SIGNATURE_INVALID);
}

Test(authz_admission, a_signed_request_that_is_sent_again_does_nothing_again)
{
    struct answer first;
    struct answer again;

    signed_story();
    first = authz_ask(&fx, &grant_question);
    grant_question.signature = first.signature; /* byte for byte what was overheard */
    again = authz_ask(&fx, &grant_question);
    cr_assert(again.reason == KW_E_NONE && again.outcome->replayed);
    cr_assert(kw_bytes_equal(again.messages[0], first.messages[0]));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 1));
}

Test(authz_admission, an_overheard_signature_is_of_no_use_to_another_caller)
{
    struct actor second;

    signed_story();
    grant_question.signature = authz_ask(&fx, &grant_question).signature;
    authz_actor_make(&fx, KW_ROLE_OPERATOR, &second);
    authz_certificate_put(&fx, &second);
    grant_question.caller = &second;
    cr_assert(eq(int, authz_ask(&fx, &grant_question).reason, KW_E_SIGNATURE_INVALID));
    authz_actor_done(&second);
}

Test(authz_admission, a_station_signs_also_what_a_partner_need_not)
{
    Keyward__V1__ConfirmTransportKeyRequest body = KEYWARD__V1__CONFIRM_TRANSPORT_KEY_REQUEST__INIT;
    struct question question = {.method = KW_METHOD_CONFIRM_TRANSPORT_KEY,
                                .body = &body.base,
                                .caller = &fx.station,
                                .not_signed = true};

    body.transport_key_version = 1;
    body.request_id = authz_request_id(&fx);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_SIGNATURE_INVALID));
    question.not_signed = false;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    cr_assert(lt(sz, 0, inside_last(&fx.inside)->authorization->caller_signature.len));
    question.caller = &fx.partner;
    body.request_id = authz_request_id(&fx);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
}

/* --- requests --- */

Test(authz_admission, refuses_a_mutation_without_a_request_id)
{
    struct answer answer;

    signed_story();
    story.request.request_id = (char *)(uintptr_t) "not a uuid";
    answer = authz_ask(&fx, &grant_question);
    cr_assert(eq(int, answer.reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, answer.field, "request_id"));
}

Test(authz_admission, refuses_bytes_that_are_no_message)
{
    const struct question question = {
        .method = KW_METHOD_GET_GRANT, .raw = kw_bytes_str("\x0a\xff\xff"), .caller = &fx.officer};

    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ENCODING_INVALID));
}
