/* What the drills begin with. */
#include "tests/component/core_drill.h"

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

struct core_ask drill_activate_ask(const struct core_caller *caller)
{
    Keyward__V1__ActivateKeyRequest *body = kw_arena_alloc(drill.fx.arena, sizeof(*body));
    struct kw_resource_ids ids = {.id = {drill.device.device}};
    char *name = kw_arena_alloc(drill.fx.arena, KW_RESOURCE_NAME_SIZE);
    struct core_ask ask;

    MUST(kw_id_from_bytes(kw_bytes_field(drill.device.key->key_id), &ids.id[1], err));
    keyward__v1__activate_key_request__init(body);
    body->request_id = core_request_id(&drill.fx);
    body->name = kw_resource_name(KW_RESOURCE_KEY, &ids, name);
    core_ask_init(&drill.fx, &ask, KW_METHOD_ACTIVATE_KEY, &body->base, caller);
    ask.request.keys = kw_arena_alloc(drill.fx.arena, sizeof(drill.device.key));
    ask.request.keys[0] = drill.device.key;
    ask.request.n_keys = 1;
    ask.capsule.scope = KW_SCOPE_BODY;
    drill.device.key->n_facts--;
    return ask;
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
