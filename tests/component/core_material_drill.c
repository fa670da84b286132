/* What an orchestrator or its database can do to stored keys, facts and scopes. */
#include "common/audit/envelope.h"
#include "common/crypto/kdf.h"
#include "common/crypto/keywrap.h"
#include "common/lifecycle/fact.h"
#include "common/rpc/arena_proto.h"
#include "tests/component/core_drill.h"

TestSuite(core_material, .init = drill_up, .fini = drill_down, .timeout = 120);

Test(core_material, a_key_use_delivers_what_the_pen_derives)
{
    struct core_ask ask = drill_access_ask();
    struct core_answer answer = core_ask(&drill.fx, &ask);
    KW_SCOPED(kw_secret_done) struct kw_secret expected = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret delivered = {0};
    struct kw_envelope envelope;

    cr_assert(answer.reason == KW_E_NONE);
    cr_assert(kw_ok(
        kw_envelope_decode(kw_bytes_field(answer.reply->items[0]->envelope), &envelope, NULL)));
    cr_assert(kw_ok(kw_kwp_unwrap(&drill.partner.transport, envelope.wrapped, &delivered, NULL)));
    cr_assert(kw_ok(kw_kdf_partner_key(&drill.device.value, drill.partner.id, 1, KW_SUITE_AES256,
                                       &expected, NULL)));
    cr_assert(kw_bytes_equal(kw_secret_bytes(&expected), kw_secret_bytes(&delivered)));
    cr_assert(kw_ok(
        kw_envelope_verify(kw_bytes_field(answer.reply->items[0]->envelope), &delivered, NULL)));
}

Test(core_material, device_a_s_capsule_with_device_b_s_blob_is_refused)
{
    struct core_ask ask = drill_access_ask();
    struct core_device other;

    core_device(&drill.fx, &drill.station, &other);
    ask = drill_access_ask();
    ask.request.keys[0] = other.key;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
    core_device_done(&other);
}

Test(core_material, device_b_s_blob_under_device_a_s_name_is_refused)
{
    struct core_device other;
    struct core_ask ask;

    core_device(&drill.fx, &drill.station, &other);
    ask = drill_access_ask();
    ask.request.keys[0]->wrapped = other.key->wrapped;
    ask.request.keys[0]->check_value = other.key->check_value;
    ask.request.keys[0]->mac = other.key->mac;
    drill_refused(&ask, KW_E_BINDING_INVALID);
    core_device_done(&other);
}

Test(core_material, partner_a_s_capsule_with_partner_b_s_transport_key_is_refused)
{
    struct core_caller other;
    struct core_ask ask;

    core_member(&drill.fx, KW_ROLE_PARTNER, &other);
    ask = drill_access_ask();
    ask.request.transport_key = other.ptk;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
    core_caller_done(&other);
}

Test(core_material, partner_b_s_transport_key_under_partner_a_s_name_is_refused)
{
    struct core_caller other;
    struct core_ask ask;

    core_member(&drill.fx, KW_ROLE_PARTNER, &other);
    other.ptk->owner_id = drill.partner.ptk->owner_id;
    ask = drill_access_ask();
    ask.request.transport_key = other.ptk;
    drill_refused(&ask, KW_E_BINDING_INVALID);
    core_caller_done(&other);
}

Test(core_material, a_changed_blob_is_refused)
{
    struct core_ask ask = drill_access_ask();

    drill.device.key->wrapped.data[5] ^= 1;
    drill_refused(&ask, KW_E_BINDING_INVALID);
}

Test(core_material, a_changed_binding_mac_is_refused)
{
    struct core_ask ask = drill_access_ask();

    drill.device.key->mac.data[0] ^= 1;
    drill_refused(&ask, KW_E_BINDING_INVALID);
}

Test(core_material, a_changed_batch_is_refused)
{
    struct core_ask ask = drill_access_ask();

    drill.device.key->batch_id.data[0] ^= 1;
    drill_refused(&ask, KW_E_BINDING_INVALID);
}

Test(core_material, a_changed_enabling_fact_is_refused)
{
    struct core_ask ask = drill_access_ask();
    ProtobufCBinaryData fact = drill.device.key->facts[drill.device.key->n_facts - 1]->fact;

    fact.data[fact.len - 1] ^= 1; /* the last letter of the actor */
    drill_refused(&ask, KW_E_BINDING_INVALID);
}

Test(core_material, an_enabling_fact_with_a_made_up_mac_is_refused)
{
    struct core_ask ask = drill_access_ask();

    drill.device.key->facts[drill.device.key->n_facts - 1]->mac.data[3] ^= 1;
    drill_refused(&ask, KW_E_BINDING_INVALID);
}

Test(core_material, a_fact_about_another_key_is_refused)
{
    struct core_device other;
    struct core_ask ask;

    core_device(&drill.fx, &drill.station, &other);
    ask = drill_access_ask();
    drill.device.key->facts[drill.device.key->n_facts - 1] =
        other.key->facts[other.key->n_facts - 1];
    drill_refused(&ask, KW_E_BINDING_INVALID);
    core_device_done(&other);
}

Test(core_material, without_its_activation_a_key_is_not_released)
{
    struct core_ask ask = drill_access_ask();

    drill.device.key->n_facts--;
    drill_refused(&ask, KW_E_KEY_STATE);
}

/* A disabling fact that one side deleted is still known to the other. */
Test(core_material, a_suspension_that_the_orchestrator_hides_is_in_the_capsule)
{
    struct core_ask ask = drill_access_ask();
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    struct kw_fact fact;

    cr_assert(kw_ok(kw_fact_decode(drill_suspension((struct kw_id){{9}}), &fact, NULL)));
    cr_assert(kw_ok(kw_capsule_disabled_add(&ask.capsule, &list, &fact, NULL)));
    drill_refused(&ask, KW_E_KEY_STATE);
}

Test(core_material, a_suspension_that_authz_hides_is_in_the_orchestrator_s_facts)
{
    struct core_ask ask = drill_access_ask();

    drill_suspend((struct kw_id){{9}});
    drill_refused(&ask, KW_E_KEY_STATE);
}

Test(core_material, a_grant_for_another_batch_does_not_reach_the_device)
{
    struct core_ask ask = drill_access_ask();

    ask.capsule.scope = KW_SCOPE_BATCH;
    ask.capsule.scope_id = (struct kw_id){{1}};
    drill_refused(&ask, KW_E_SCOPE_MISMATCH);
}
