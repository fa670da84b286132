/* What a signed request does not say: nothing is made of a dry run, of a key that is another than
 * it is said to be, or of devices beyond the batch that the caller asked for. */
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "keyward/v1/key_service.pb-c.h"
#include "keyward/v1/provisioning_service.pb-c.h"
#include "tests/component/core_drill.h"

TestSuite(core_request, .init = drill_up, .fini = drill_down, .timeout = 120);

/* The body was changed by the test, and so are its hash and its signature. */
static void body_again(struct core_ask *ask)
{
    MUST(kw_arena_pack(drill.fx.arena, ask->body, &ask->body_bytes, err));
    MUST(kw_sha256(ask->body_bytes, ask->capsule.body_hash, err));
}

/* --- dry runs --- */

static protobuf_c_boolean *dry_run_of(ProtobufCMessage *body)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "validate_only");

    return field == NULL ? NULL : (protobuf_c_boolean *)((uint8_t *)body + field->offset);
}

static struct core_caller caller_of(const struct kw_method *method)
{
    struct core_caller caller = drill.partner;
    struct kw_spiffe id;

    for (enum kw_role role = 0; role < KW_ROLE_COUNT_; role++) {
        if (role != KW_ROLE_SERVICE && kw_method_admits(method, role)) {
            MUST(kw_spiffe_caller(KW_MESH_TRUST_DOMAIN, role, drill.partner.id, &id, err));
            (void)kw_spiffe_text(&id, caller.spiffe_id);
        }
    }
    return caller;
}

/* A request that is empty but for this, under a capsule that is right. */
static enum kw_reason ask_dry(const struct kw_method *method, bool dry)
{
    const ProtobufCMessageDescriptor *input = kw_method_messages(method)->input;
    ProtobufCMessage *body = kw_arena_alloc(drill.fx.arena, input->sizeof_message);
    struct core_caller caller = caller_of(method);
    struct core_ask ask;

    protobuf_c_message_init(input, body);
    if (dry_run_of(body) == NULL) {
        cr_fatal("%s has no validate_only", method->name);
    }
    *dry_run_of(body) = dry;
    core_ask_init(&drill.fx, &ask, method->id, body, &caller);
    ask.unsigned_call = true;
    return core_ask(&drill.fx, &ask).reason;
}

Test(core_request, no_method_that_ends_here_has_a_dry_run)
{
    size_t count;
    size_t seen = 0;
    const struct kw_method *table = kw_method_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (table[i].ends == KW_LAYER_CORE && kw_method_has(&table[i], KW_METHOD_MUTATES)) {
            enum kw_reason dry = ask_dry(&table[i], true);
            enum kw_reason wet = ask_dry(&table[i], false);

            cr_assert(dry == KW_E_CAPSULE_INVALID, "%s: %s", table[i].name,
                      kw_reason_row(dry)->name);
            cr_assert(wet != KW_E_CAPSULE_INVALID, "%s", table[i].name);
            seen++;
        }
    }
    cr_assert(seen > 0);
}

Test(core_request, a_signed_dry_run_activates_nothing)
{
    struct core_ask ask = drill_activate_ask(&drill.fx.officer);

    ((Keyward__V1__ActivateKeyRequest *)(uintptr_t)ask.body)->validate_only = 1;
    body_again(&ask);
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

/* --- a key that is another than it is said to be --- */

static struct core_ask activate_ask(void)
{
    return drill_activate_ask(&drill.fx.officer);
}

static struct core_ask (*const enabling[])(void) = {activate_ask, drill_release_ask,
                                                    drill_lift_ask};

/* Each method that makes an enabling fact, over a key described as another batch's, product's or
 * device's. What the caller signed is about that other one. */
static void refused_by_each(struct kw_id *known, ProtobufCBinaryData stored)
{
    for (size_t i = 0; i < sizeof(enabling) / sizeof(enabling[0]); i++) {
        size_t facts = drill.device.key->n_facts;
        struct core_ask ask = enabling[i]();

        drill_allowed(&ask);
        drill.device.key->n_facts = facts;
        known->bytes[3] ^= 1;
        stored.data[3] ^= 1;
        ask = enabling[i]();
        drill_refused(&ask, KW_E_BINDING_INVALID);
        drill.device.key->n_facts = facts;
        known->bytes[3] ^= 1;
        stored.data[3] ^= 1;
    }
}

Test(core_request, a_key_of_another_batch_is_not_enabled)
{
    refused_by_each(&drill.device.batch, drill.device.key->batch_id);
}

Test(core_request, a_key_of_another_product_is_not_enabled)
{
    refused_by_each(&drill.device.product, drill.device.key->product_id);
}

Test(core_request, a_key_of_another_device_is_not_enabled)
{
    refused_by_each(&drill.device.device, drill.device.key->device_id);
}

/* An authz that says so does not widen what the station signed. */
Test(core_request, a_release_is_of_the_batch_it_names)
{
    struct core_ask ask = drill_release_ask();

    ask.capsule.scope = KW_SCOPE_BODY;
    ask.capsule.scope_id = KW_ID_NONE;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
    drill.device.key->n_facts++;
    ask = drill_release_ask();
    ask.capsule.scope = KW_SCOPE_PRODUCT;
    ask.capsule.scope_id = drill.device.product;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
    drill.device.key->n_facts++;
    ask = drill_release_ask();
    ask.capsule.scope_id.bytes[0] ^= 1;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

/* --- the batch that was asked for --- */

static struct core_ask batch_ask(void)
{
    static struct core_device device;
    struct core_ask ask;

    device = (struct core_device){0};
    core_batch_ask(&drill.fx, &ask, &drill.station, &device);
    return ask;
}

Test(core_request, a_batch_has_no_more_devices_than_were_asked_for)
{
    static const uint32_t first[] = {1, UINT32_MAX};
    struct core_ask ask = batch_ask();

    drill_allowed(&ask);
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        ask = batch_ask();
        ask.capsule.first = first[i];
        drill_refused(&ask, KW_E_CAPSULE_INVALID);
    }
}

Test(core_request, a_batch_begins_where_it_was_asked_to_begin)
{
    struct core_ask ask = batch_ask();

    ((Keyward__V1__CreateBatchRequest *)(uintptr_t)ask.body)->count = 2;
    ((Keyward__V1__CreateBatchRequest *)(uintptr_t)ask.body)->start_index = 1;
    body_again(&ask);
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_request, a_batch_is_of_the_product_that_authz_allowed)
{
    struct core_ask ask = batch_ask();

    ask.capsule.scope = KW_SCOPE_BODY;
    ask.capsule.scope_id = KW_ID_NONE;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
    ask = batch_ask();
    ask.capsule.scope_id.bytes[0] ^= 1;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
}

/* --- what every call has --- */

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    (void)call;
    (void)context;
    *(enum kw_reason *)user = status->reason;
}

Test(core_request, a_call_without_a_request_is_refused)
{
    static const struct kw_hop_events events = {.status = on_status};
    const struct kw_hop_open open = {.method = KW_METHOD_GET_DEVICE_ACCESS,
                                     .deadline_ns = kw_clock_mono_ns() + PATIENCE_NS,
                                     .end = true};
    struct core_ask ask = drill_access_ask();
    enum kw_reason reason = KW_E_NONE;
    struct kw_hop_call *call;

    MUST(kw_hop_open(drill.fx.client, &open, &events, &reason, &call, err));
    EVENTUALLY(&drill.fx, reason != KW_E_NONE);
    cr_assert(eq(int, reason, KW_E_ENCODING_INVALID));
    drill_allowed(&ask);
}

/* The key to which transport keys are sent is on P-384, as strong as what goes under it. */
Test(core_request, a_transport_key_on_another_curve_is_not_certified)
{
    KW_SCOPED(core_caller_done) struct core_caller guest = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    Keyward__V1__EnrollRequest *body;
    struct core_ask ask;
    struct kw_id id = {{3}};

    core_invite(&drill.fx, KW_ROLE_PARTNER, id, &guest, &record);
    core_enroll_ask(&drill.fx, &ask, id, &guest, kw_buf_bytes(&record));
    body = (Keyward__V1__EnrollRequest *)(uintptr_t)ask.body;
    body->transport_csr = body->tls_csr;
    body_again(&ask);
    drill_refused(&ask, KW_E_ARGUMENT_INVALID);
}
