/* GetStatus: authz's own layer, and the inner layers' as far as they answer. */
#include "services/authz/operations.h"

#include "keyward/v1/status_service.pb-c.h"
#include "services/authz/forward.h"
#include "services/authz/view.h"

#define ALL_CAPABILITIES 6
#define INSTANCE_SIZE    (2 * KW_ID_LEN + 1)

/* What works with authz alone: disabling, as far as it is authz's. */
static Keyward__V1__Capability alone[] = {KEYWARD__V1__CAPABILITY__CAPABILITY_REVOCATION};

static Keyward__V1__Capability all[ALL_CAPABILITIES] = {
    KEYWARD__V1__CAPABILITY__CAPABILITY_DEVICE_ACCESS,
    KEYWARD__V1__CAPABILITY__CAPABILITY_PROVISIONING,
    KEYWARD__V1__CAPABILITY__CAPABILITY_ENROLLMENT,
    KEYWARD__V1__CAPABILITY__CAPABILITY_ENABLING,
    KEYWARD__V1__CAPABILITY__CAPABILITY_REVOCATION,
    KEYWARD__V1__CAPABILITY__CAPABILITY_AUDIT,
};

static char version[] = KW_VERSION;

static struct kw_result layer_make(struct kw_authz_call *call, Keyward__V1__LayerStatus **ret_layer,
                                   struct kw_error *err)
{
    const struct kw_authz *authz = call->authz;
    Keyward__V1__LayerStatus *layer = kw_arena_alloc(call->arena, sizeof(*layer));
    char instance[INSTANCE_SIZE];

    KW_ENSURE(layer != NULL, err, MEMORY, "a layer");
    keyward__v1__layer_status__init(layer);
    kw_hex(kw_id_bytes(&authz->boot_id), instance);
    layer->layer = kw_arena_text(call->arena, "authz", strlen("authz"));
    layer->instance = kw_arena_text(call->arena, instance, strlen(instance));
    KW_ENSURE(layer->layer != NULL && layer->instance != NULL, err, MEMORY, "a layer");
    layer->region = authz->config->region;
    layer->cell = authz->config->cell;
    layer->version = version;
    layer->state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING;
    layer->n_capabilities = ALL_CAPABILITIES;
    layer->capabilities = all;
    KW_TRY(kw_view_time(authz->started_ms, call->arena, &layer->start_time, err));
    *ret_layer = layer;
    return KW_OK;
}

static struct kw_result layers_make(struct kw_authz_call *call, size_t more,
                                    Keyward__V1__GetStatusResponse *response, struct kw_error *err)
{
    response->layers = kw_arena_alloc(call->arena, (more + 1) * sizeof(*response->layers));
    KW_ENSURE(response->layers != NULL, err, MEMORY, "%zu layers", more + 1);
    response->n_layers = 1;
    return layer_make(call, &response->layers[0], err);
}

/* Everything authz's own layer does works, so the whole is what the inner layers say of theirs. */
static struct kw_result joined(struct kw_authz_call *call, struct kw_error *err)
{
    Keyward__V1__GetStatusResponse response = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;
    const Keyward__V1__GetStatusResponse *inner;
    ProtobufCMessage *message;

    KW_ENSURE(call->inner.message_count == 1, err, INTERNAL, "%zu messages for a status",
              call->inner.message_count);
    KW_TRY(kw_message_unpack(&keyward__v1__get_status_response__descriptor, call->inner.messages[0],
                             call->arena, &message, err));
    inner = (const Keyward__V1__GetStatusResponse *)message;
    KW_TRY(layers_make(call, inner->n_layers, &response, err));
    for (size_t i = 0; i < inner->n_layers; i++) {
        response.layers[response.n_layers++] = inner->layers[i];
    }
    response.state = inner->state;
    response.n_capabilities = inner->n_capabilities;
    response.capabilities = inner->capabilities;
    return kw_authz_call_respond(call, &response.base, err);
}

static struct kw_result unreachable(struct kw_authz_call *call, struct kw_error *err)
{
    Keyward__V1__GetStatusResponse response = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;
    Keyward__V1__LayerStatus layer = KEYWARD__V1__LAYER_STATUS__INIT;
    char name[] = "orchestrator";

    KW_TRY(layers_make(call, 1, &response, err));
    layer.layer = name;
    layer.region = call->authz->config->region;
    layer.cell = call->authz->config->cell;
    layer.state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_UNREACHABLE;
    response.layers[response.n_layers++] = &layer;
    response.state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_NOT_SERVING;
    response.n_capabilities = sizeof(alone) / sizeof(alone[0]);
    response.capabilities = alone;
    return kw_authz_call_respond(call, &response.base, err);
}

static void inner_done(struct kw_inner *inner)
{
    struct kw_authz_call *call = inner->user;
    struct kw_error error;
    struct kw_result result;

    if (inner->reason == KW_E_NONE) {
        result = joined(call, &error);
    } else {
        result = unreachable(call, &error);
    }
    if (kw_ok(result)) {
        kw_authz_call_answer(call);
    } else {
        kw_authz_call_fail(call, &error);
    }
}

/* Some of the time is kept, to say that the inner layers did not answer in theirs. */
static uint64_t inner_deadline(const struct kw_authz_call *call)
{
    uint64_t left = call->deadline_ns > call->started_ns ? call->deadline_ns - call->started_ns : 0;

    return call->deadline_ns - left / KW_STATUS_MARGIN;
}

void kw_authz_status_proceed(struct kw_authz_call *call)
{
    kw_forward_prepare(call, &call->inner);
    call->inner.deadline_ns = inner_deadline(call);
    call->inner.done = inner_done;
    kw_inner_start(&call->inner);
}
