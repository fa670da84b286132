/* Callers: signatures of mutations, invitations, roles. */
#include "common/audit/invitation.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/rpc/resource.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "tests/component/core_drill.h"

TestSuite(core_caller, .init = drill_up, .fini = drill_down, .timeout = 120);

Test(core_caller, an_operator_s_signed_mutation_is_allowed)
{
    struct core_ask ask = drill_activate_ask(&drill.fx.officer);

    drill_allowed(&ask);
}

Test(core_caller, an_unsigned_mutation_is_refused)
{
    struct core_ask ask = drill_activate_ask(&drill.fx.officer);

    ask.unsigned_call = true;
    ask.authorization.caller_certificate =
        kw_field_bytes(kw_buf_bytes(&drill.fx.officer.certificate));
    drill_refused(&ask, KW_E_SIGNATURE_INVALID);
}

Test(core_caller, a_mutation_signed_by_another_key_is_refused)
{
    struct core_ask ask = drill_activate_ask(&drill.fx.officer);
    struct core_caller thief = {.certificate = drill.fx.officer.certificate};

    cr_assert(kw_ok(kw_private_key_generate(&thief.key, KW_CURVE_P256, NULL)));
    ask.caller = &thief;
    drill_refused(&ask, KW_E_SIGNATURE_INVALID);
    kw_private_key_done(&thief.key);
}

Test(core_caller, a_mutation_signed_by_a_partner_in_the_operator_s_name_is_refused)
{
    struct core_ask ask = drill_activate_ask(&drill.fx.officer);

    ask.caller = &drill.partner; /* signs, and sends its own certificate */
    drill_refused(&ask, KW_E_SIGNATURE_INVALID);
}

Test(core_caller, a_signature_over_another_request_is_refused)
{
    struct core_ask first = drill_activate_ask(&drill.fx.officer);
    struct core_ask second;

    drill_allowed(&first);
    drill.device.key->n_facts++;
    second = drill_activate_ask(&drill.fx.officer);
    second.authorization.caller_signature = first.authorization.caller_signature;
    second.authorization.caller_certificate = first.authorization.caller_certificate;
    drill_refused(&second, KW_E_SIGNATURE_INVALID);
}

/* The core keeps no state: what is spent is the capsule, and a signature's own end bounds what
 * authz can repeat. */
Test(core_caller, a_mutation_sent_again_is_refused)
{
    struct core_ask ask = drill_activate_ask(&drill.fx.officer);

    drill_allowed(&ask);
    drill_refused(&ask, KW_E_CAPSULE_REPLAYED);
}

Test(core_caller, a_mutation_whose_signature_has_ended_is_refused)
{
    struct core_ask ask = drill_activate_ask(&drill.fx.officer);

    ask.signed_until_ms = kw_clock_wall_ms() - 1;
    drill_refused(&ask, KW_E_SIGNATURE_INVALID);
}

Test(core_caller, a_mutation_signed_for_ever_is_refused)
{
    struct core_ask ask = drill_activate_ask(&drill.fx.officer);

    ask.signed_until_ms = kw_clock_wall_ms() + 2 * KW_REQUEST_SIGNATURE_AHEAD_MS;
    drill_refused(&ask, KW_E_SIGNATURE_INVALID);
}

/* --- roles --- */

/* What a caller of each role is called, and a certificate that is its own where the fixture has
 * one. */
static struct core_caller as_role(enum kw_role role)
{
    struct core_caller caller = drill.partner;
    struct kw_spiffe id = {0};

    if (role == KW_ROLE_SERVICE) {
        MUST(kw_spiffe_service(KW_MESH_TRUST_DOMAIN, KW_MESH_REGION, KW_MESH_CELL, "authz", &id,
                               err));
    } else {
        MUST(kw_spiffe_caller(KW_MESH_TRUST_DOMAIN, role, drill.partner.id, &id, err));
    }
    (void)kw_spiffe_text(&id, caller.spiffe_id);
    return caller;
}

/* An authz that lost its mind signs a capsule for anybody: the table is asked again here. An empty
 * request suffices: whoever may call gets past this check and fails at a later one. */
static enum kw_reason ask_as(const struct kw_method *method, enum kw_role role)
{
    static const Keyward__V1__EnrollRequest empty = KEYWARD__V1__ENROLL_REQUEST__INIT;
    struct core_caller caller = as_role(role);
    struct core_ask ask;

    core_ask_init(&drill.fx, &ask, method->id, &empty.base, &caller);
    ask.unsigned_call = true;
    return core_ask(&drill.fx, &ask).reason;
}

Test(core_caller, each_method_is_for_the_roles_of_its_row)
{
    size_t count;
    const struct kw_method *table = kw_method_table(&count);

    for (size_t i = 0; i < count; i++) {
        bool key_use = table[i].ends == KW_LAYER_CORE && table[i].audit == KW_AUDIT_KEY;

        for (enum kw_role role = 0; key_use && role < KW_ROLE_COUNT_; role++) {
            enum kw_reason reason = ask_as(&table[i], role);
            bool refused = reason == KW_E_PERMISSION_DENIED;

            cr_assert(refused != kw_method_admits(&table[i], role), "%s by a %s: %s", table[i].name,
                      kw_role_name(role), kw_reason_row(reason)->name);
            cr_assert(reason != KW_E_NONE && reason != KW_E_METHOD_UNKNOWN, "%s", table[i].name);
        }
    }
}

/* --- invitations --- */

/* Anything that its caller has signed, as the record of an invitation. */
static void record_of(struct core_ask *ask, struct kw_buf *ret_record)
{
    struct kw_invitation invitation;
    struct kw_id request_id;

    core_ask_authorize(&drill.fx, ask);
    MUST(kw_request_id_parse(kw_message_request_id(ask->body), &request_id, err));
    invitation =
        (struct kw_invitation){.method = kw_bytes_str(ask->method->path),
                               .body = ask->body_bytes,
                               .request_id = kw_id_bytes(&request_id),
                               .signature = kw_bytes_field(ask->authorization.caller_signature),
                               .certificate = kw_buf_bytes(&ask->caller->certificate)};
    MUST(kw_invitation_encode(&invitation, ret_record, err));
}

/* What an authz could make up: an invitation of its own choice, signed by `host`, for the key of a
 * guest who was invited elsewhere. */
static void forge(struct kw_id member, const struct core_caller *guest,
                  const struct core_caller *host, struct kw_buf *ret_record)
{
    struct core_ask ask;

    core_invite_ask_for(&drill.fx, KW_ROLE_PARTNER, member, &guest->key, &ask);
    ask.caller = host;
    record_of(&ask, ret_record);
}

Test(core_caller, an_invitation_nobody_signed_enrols_nobody)
{
    KW_SCOPED(core_caller_done) struct core_caller guest = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf forged = {0};
    struct core_caller forger = {.certificate = drill.fx.officer.certificate};
    struct core_ask ask;
    struct kw_id id = {{4}};

    core_invite(&drill.fx, KW_ROLE_PARTNER, (struct kw_id){{3}}, &guest, &record);
    MUST(kw_private_key_generate(&forger.key, KW_CURVE_P256, err));
    forge(id, &guest, &forger, &forged);
    core_enroll_ask(&drill.fx, &ask, id, &guest, kw_buf_bytes(&forged));
    drill_refused(&ask, KW_E_SIGNATURE_INVALID);
    kw_private_key_done(&forger.key);
}

/* Signed by somebody, and that is a member and no operator. */
Test(core_caller, an_invitation_by_a_partner_enrols_nobody)
{
    KW_SCOPED(core_caller_done) struct core_caller guest = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf forged = {0};
    struct core_ask ask;
    struct kw_id id = {{4}};

    core_invite(&drill.fx, KW_ROLE_PARTNER, (struct kw_id){{3}}, &guest, &record);
    forge(id, &guest, &drill.partner, &forged);
    core_enroll_ask(&drill.fx, &ask, id, &guest, kw_buf_bytes(&forged));
    drill_refused(&ask, KW_E_SIGNATURE_INVALID);
}

/* Rightly signed by an operator, and about something else. */
Test(core_caller, another_request_of_an_operator_is_no_invitation)
{
    KW_SCOPED(core_caller_done) struct core_caller guest = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf other = {0};
    struct core_ask activation = drill_activate_ask(&drill.fx.officer);
    struct core_ask ask;
    struct kw_id id = {{3}};

    core_invite(&drill.fx, KW_ROLE_PARTNER, id, &guest, &record);
    record_of(&activation, &other);
    core_enroll_ask(&drill.fx, &ask, id, &guest, kw_buf_bytes(&other));
    drill_refused(&ask, KW_E_SIGNATURE_INVALID);
}

Test(core_caller, an_invitation_does_not_enrol_another_member)
{
    KW_SCOPED(core_caller_done) struct core_caller invitation = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct core_ask ask;

    core_invite(&drill.fx, KW_ROLE_PARTNER, (struct kw_id){{3}}, &invitation, &record);
    core_enroll_ask(&drill.fx, &ask, (struct kw_id){{4}}, &invitation, kw_buf_bytes(&record));
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_caller, a_stolen_invitation_without_its_key_enrols_nobody)
{
    KW_SCOPED(core_caller_done) struct core_caller invitation = {0};
    KW_SCOPED(core_caller_done) struct core_caller other = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf other_record = {0};
    struct core_ask ask;
    struct kw_id id = {{3}};

    core_invite(&drill.fx, KW_ROLE_PARTNER, id, &invitation, &record);
    core_invite(&drill.fx, KW_ROLE_PARTNER, (struct kw_id){{5}}, &other, &other_record);
    core_enroll_ask(&drill.fx, &ask, id, &other,
                    kw_buf_bytes(&record)); /* signs with a key that was not invited */
    drill_refused(&ask, KW_E_SIGNATURE_INVALID);
}
