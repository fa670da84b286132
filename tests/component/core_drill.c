/* What the drills begin with. */
#include "tests/component/core_drill.h"

#include "common/lifecycle/fact.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/resource.h"
#include "keyward/v1/key_service.pb-c.h"

struct core_drill drill;

void drill_up(void)
{
    core_fixture_init(&drill.fx);
    core_member(&drill.fx, KW_ROLE_STATION, &drill.station);
    core_member(&drill.fx, KW_ROLE_PARTNER, &drill.partner);
    core_device(&drill.fx, &drill.station, &drill.device);
}

void drill_down(void)
{
    core_device_done(&drill.device);
    core_caller_done(&drill.station);
    core_caller_done(&drill.partner);
    core_fixture_done(&drill.fx);
}

struct core_ask drill_access_ask(void)
{
    struct core_ask ask;

    core_access_ask(&drill.fx, &ask, &drill.device, &drill.partner);
    return ask;
}

/* The name of the device's key, in the arena. */
static char *key_name(void)
{
    struct kw_resource_ids ids = {.id = {drill.device.device}};
    char *name = kw_arena_alloc(drill.fx.arena, KW_RESOURCE_NAME_SIZE);

    MUST(kw_id_from_bytes(kw_bytes_field(drill.device.key->key_id), &ids.id[1], err));
    return kw_resource_name(KW_RESOURCE_KEY, &ids, name);
}

static struct core_ask about_the_key(enum kw_method_id method, const ProtobufCMessage *body,
                                     const struct core_caller *caller)
{
    struct core_ask ask;

    core_ask_init(&drill.fx, &ask, method, body, caller);
    ask.request.keys = kw_arena_alloc(drill.fx.arena, sizeof(*ask.request.keys));
    ask.request.keys[0] = drill.device.key;
    ask.request.n_keys = 1;
    ask.capsule.scope = KW_SCOPE_BODY;
    return ask;
}

struct core_ask drill_activate_ask(const struct core_caller *caller)
{
    Keyward__V1__ActivateKeyRequest *body = kw_arena_alloc(drill.fx.arena, sizeof(*body));

    keyward__v1__activate_key_request__init(body);
    body->request_id = core_request_id(&drill.fx);
    body->name = key_name();
    drill.device.key->n_facts--;
    return about_the_key(KW_METHOD_ACTIVATE_KEY, &body->base, caller);
}

struct core_ask drill_release_ask(void)
{
    struct core_ask ask;

    core_release_ask(&drill.fx, &ask, &drill.station, &drill.device);
    drill.device.key->n_facts--;
    return ask;
}

struct core_ask drill_lift_ask(void)
{
    const struct kw_id suspension = {{9}};
    Keyward__V1__LiftKeySuspensionsRequest *body = kw_arena_alloc(drill.fx.arena, sizeof(*body));
    char *text = kw_arena_alloc(drill.fx.arena, KW_ID_TEXT_SIZE);

    keyward__v1__lift_key_suspensions_request__init(body);
    body->request_id = core_request_id(&drill.fx);
    body->name = key_name();
    body->suspensions = kw_arena_alloc(drill.fx.arena, sizeof(*body->suspensions));
    body->suspensions[0] = kw_id_text(KW_ID_SUSPENSION, suspension, text);
    body->n_suspensions = 1;
    drill_suspend(suspension);
    return about_the_key(KW_METHOD_LIFT_KEY_SUSPENSIONS, &body->base, &drill.fx.officer);
}

struct kw_bytes drill_suspension(struct kw_id suspension)
{
    struct kw_fact fact = {.kind = KW_FACT_SUSPENDED,
                           .time_ms = 1,
                           .actor = kw_bytes_str("spiffe://keyward.test/operator/x"),
                           .ref = suspension};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_bytes copy;

    MUST(kw_id_from_bytes(kw_bytes_field(drill.device.key->key_id), &fact.key, err));
    MUST(kw_fact_encode(&fact, &record, err));
    MUST(kw_arena_copy(drill.fx.arena, kw_buf_bytes(&record), &copy, err));
    return copy;
}

void drill_suspend(struct kw_id suspension)
{
    Keyward__Internal__V1__WrappedDeviceKey *key = drill.device.key;
    Keyward__Internal__V1__Fact *fact = kw_arena_alloc(drill.fx.arena, sizeof(*fact));
    Keyward__Internal__V1__Fact **list =
        kw_arena_alloc(drill.fx.arena, (key->n_facts + 1) * sizeof(*list));

    keyward__internal__v1__fact__init(fact);
    fact->fact = kw_field_bytes(drill_suspension(suspension));
    kw_copy(list, key->facts, key->n_facts * sizeof(*list));
    list[key->n_facts++] = fact;
    key->facts = list;
}

void drill_allowed(struct core_ask *ask)
{
    enum kw_reason reason = core_ask(&drill.fx, ask).reason;

    if (reason != KW_E_NONE) {
        cr_fatal("refused: %s", kw_reason_row(reason)->name);
    }
}

void drill_refused(struct core_ask *ask, enum kw_reason expected)
{
    enum kw_reason got = core_ask(&drill.fx, ask).reason;

    if (got != expected) {
        cr_fatal("%s instead of %s", got == KW_E_NONE ? "allowed" : kw_reason_row(got)->name,
                 kw_reason_row(expected)->name);
    }
}
