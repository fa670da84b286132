/* Every method, through every hop, in the name of every role: internal methods, and those a role
 * has not. */
#include "common/rpc/arena_proto.h"
#include "tests/component/door_drill.h"

TestSuite(door_method, .init = door_up, .fini = door_down, .timeout = 240);

/* --- internal methods --- */

struct outcome {
    bool over;
    enum kw_reason reason;
};

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct outcome *outcome = user;

    (void)call;
    (void)context;
    outcome->over = true;
    outcome->reason = status->reason;
}

/* What authz gets from the gateway: the caller's certificate. */
static struct kw_bytes caller_context(const struct core_caller *caller)
{
    Keyward__Internal__V1__Caller message = KEYWARD__INTERNAL__V1__CALLER__INIT;
    struct kw_bytes packed;

    message.certificate = kw_field_bytes(kw_buf_bytes(&caller->certificate));
    message.peer_address = (char *)(uintptr_t) "192.0.2.1:1";
    MUST(kw_arena_pack(door.mesh.core.arena, &message.base, &packed, err));
    return packed;
}

/* What orchestrator and core get: a capsule, rightly sealed, for this caller and method, over an
 * empty request. */
static struct kw_bytes capsule_context(const struct kw_method *method,
                                       const struct core_caller *caller)
{
    static const Keyward__Internal__V1__Caller empty = KEYWARD__INTERNAL__V1__CALLER__INIT;
    struct core_ask ask;
    struct kw_bytes packed;

    core_ask_init(&door.mesh.core, &ask, method->id, &empty.base, caller);
    ask.unsigned_call = true;
    core_ask_authorize(&door.mesh.core, &ask);
    MUST(kw_arena_pack(door.mesh.core.arena, &ask.authorization.base, &packed, err));
    return packed;
}

static enum kw_reason call_through(struct kw_hop_client *client, const struct kw_method *method,
                                   struct kw_bytes context)
{
    static const struct kw_hop_events events = {.status = on_status};
    const struct kw_hop_open open = {.method = (uint32_t)method->id,
                                     .deadline_ns = kw_clock_mono_ns() + PATIENCE_NS,
                                     .item = {.context = context},
                                     .has_item = true,
                                     .end = true};
    struct outcome outcome = {0};
    struct kw_hop_call *call;

    MUST(kw_hop_open(client, &open, &events, &outcome, &call, err));
    EVENTUALLY(&door.mesh.core, outcome.over);
    return outcome.reason;
}

/* At each hop in its own right: the standing call for receipts is the orchestrator's with the core,
 * the renewal of a service goes inward and is judged by what is in it. No caller's name or capsule
 * makes them more. */
static enum kw_reason expected_of(const struct kw_method *method)
{
    return method->id == KW_METHOD_RENEW_SERVICE ? KW_E_ARGUMENT_INVALID /* an empty request */
                                                 : KW_E_METHOD_UNKNOWN;
}

static bool concerns(const struct kw_method *method, enum kw_layer layer)
{
    return kw_method_has(method, KW_METHOD_INTERNAL) &&
           !(method->id == KW_METHOD_RECEIPTS && layer == KW_LAYER_CORE);
}

static void assert_unreachable(struct kw_hop_client *client, enum kw_layer layer,
                               const struct kw_method *method)
{
    const struct core_caller *const callers[] = {&door.partner, &door.station,
                                                 &door.mesh.core.officer, &door.invitation};

    for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++) {
        enum kw_reason reason =
            call_through(client, method,
                         layer == KW_LAYER_AUTHZ ? caller_context(callers[i])
                                                 : capsule_context(method, callers[i]));

        cr_assert(eq(int, reason, expected_of(method)), "%s at %s by %s: %s", method->name,
                  door_service(layer), callers[i]->spiffe_id, kw_reason_row(reason)->name);
    }
}

Test(door_method, no_caller_reaches_an_internal_method)
{
    size_t count;
    const struct kw_method *table = kw_method_table(&count);

    for (enum kw_layer layer = KW_LAYER_AUTHZ; layer < DOOR_LAYERS; layer++) {
        struct kw_hop_client *client = door_dial(layer, door_outer(layer));

        for (size_t i = 0; i < count; i++) {
            if (concerns(&table[i], layer)) {
                assert_unreachable(client, layer, &table[i]);
            }
        }
        door_hang_up(client);
    }
}

/* --- methods and roles --- */

static struct core_caller as_role(enum kw_role role)
{
    struct core_caller caller = door.partner;
    struct kw_spiffe id = {0};

    if (role == KW_ROLE_SERVICE) {
        MUST(kw_spiffe_service(KW_MESH_TRUST_DOMAIN, KW_MESH_REGION, KW_MESH_CELL, "authz", &id,
                               err));
    } else {
        MUST(kw_spiffe_caller(KW_MESH_TRUST_DOMAIN, role, door.partner.id, &id, err));
    }
    (void)kw_spiffe_text(&id, caller.spiffe_id);
    return caller;
}

/* A capsule is not believed on what the method table forbids. Whoever the row names gets further,
 * to fail at the empty request or not at all. (For the core: core_caller.) */
Test(door_method, each_method_at_the_orchestrator_is_for_the_roles_of_its_row)
{
    struct kw_hop_client *client =
        door_dial(KW_LAYER_ORCHESTRATOR, door_outer(KW_LAYER_ORCHESTRATOR));
    size_t count;
    const struct kw_method *table = kw_method_table(&count);

    for (size_t i = 0; i < count * KW_ROLE_COUNT_; i++) {
        const struct kw_method *method = &table[i / KW_ROLE_COUNT_];
        enum kw_role role = i % KW_ROLE_COUNT_;
        struct core_caller caller = as_role(role);
        bool here =
            method->ends >= KW_LAYER_ORCHESTRATOR && !kw_method_has(method, KW_METHOD_INTERNAL);

        if (here) {
            enum kw_reason reason = call_through(client, method, capsule_context(method, &caller));

            cr_assert(eq(int, reason == KW_E_PERMISSION_DENIED, !kw_method_admits(method, role)),
                      "%s by a %s: %s", method->name, kw_role_name(role),
                      kw_reason_row(reason)->name);
        }
    }
    door_hang_up(client);
}
