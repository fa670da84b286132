/* GetStatus: this layer's own state, and the core's, which is asked unless it is out of reach. */
#include "services/orchestrator/handlers.h"

#include "common/base/limits.h"
#include "common/rpc/messages.h"

#include <keyward/v1/status_service.pb-c.h>

/* What this layer serves by itself. */
static Keyward__V1__Capability own_capabilities[] = {
    KEYWARD__V1__CAPABILITY__CAPABILITY_REVOCATION,
    KEYWARD__V1__CAPABILITY__CAPABILITY_AUDIT,
};

static Keyward__V1__LayerStatus *own_layer(struct kw_call *call)
{
    struct kw_view *view = &call->view;
    const struct kw_orch *orch = call->orch;
    Keyward__V1__LayerStatus *layer = kw_view_message(view, &keyward__v1__layer_status__descriptor);
    char instance[2 * KW_ID_LEN + 1];

    kw_hex(kw_id_bytes(&orch->boot_id), instance);
    layer->layer = kw_view_text(view, kw_bytes_str("orchestrator"));
    layer->instance = kw_view_text(view, kw_bytes_str(instance));
    layer->region = orch->config->region;
    layer->cell = orch->config->cell;
    layer->state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING;
    layer->version = kw_view_text(view, kw_bytes_str(KW_VERSION));
    layer->start_time = kw_view_time(view, orch->start_ms);
    layer->capabilities = own_capabilities;
    layer->n_capabilities = sizeof(own_capabilities) / sizeof(own_capabilities[0]);
    return layer;
}

/* The core is not there, or its receipts can't be taken. */
static void degrade(struct kw_view *view, Keyward__V1__LayerStatus *layer)
{
    const struct kw_reason_row *row = kw_reason_row(KW_E_PEER_UNAVAILABLE);
    Keyward__V1__Degradation *degradation =
        kw_view_message(view, &keyward__v1__degradation__descriptor);

    degradation->reason = kw_view_text(view, kw_bytes_str(row->name));
    degradation->description = kw_view_text(view, kw_bytes_str(row->text));
    layer->state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_DEGRADED;
    layer->degradations = kw_view_pointers(view, 1);
    if (layer->degradations != NULL) {
        layer->degradations[layer->n_degradations++] = degradation;
    }
}

static Keyward__V1__LayerStatus *unreachable_core(struct kw_call *call)
{
    Keyward__V1__LayerStatus *layer =
        kw_view_message(&call->view, &keyward__v1__layer_status__descriptor);

    layer->layer = kw_view_text(&call->view, kw_bytes_str("cryptocore"));
    layer->region = call->orch->config->region;
    layer->cell = call->orch->config->cell;
    layer->state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_UNREACHABLE;
    return layer;
}

static struct kw_result answer_alone(struct kw_call *call, struct kw_error *err)
{
    Keyward__V1__GetStatusResponse response = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;
    Keyward__V1__LayerStatus *layers[] = {own_layer(call), unreachable_core(call)};

    degrade(&call->view, layers[0]);
    response.state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_DEGRADED;
    response.capabilities = own_capabilities;
    response.n_capabilities = sizeof(own_capabilities) / sizeof(own_capabilities[0]);
    response.layers = layers;
    response.n_layers = sizeof(layers) / sizeof(layers[0]);
    return kw_call_answer(call, &response.base, err);
}

struct kw_result kw_status_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    (void)tx;
    (void)err;
    call->ask_core = true; /* if there is one: kw_status_relay */
    return KW_OK;
}

/* All that works here and in the core: their own capabilities together. */
static struct kw_result merge_capabilities(struct kw_call *call,
                                           const Keyward__V1__GetStatusResponse *core,
                                           Keyward__V1__GetStatusResponse *response,
                                           struct kw_error *err)
{
    size_t own = sizeof(own_capabilities) / sizeof(own_capabilities[0]);
    Keyward__V1__Capability *all =
        kw_arena_alloc(call->arena, (own + core->n_capabilities) * sizeof(*all));

    KW_ENSURE(all != NULL, err, MEMORY, "capabilities");
    kw_copy(all, own_capabilities, sizeof(own_capabilities));
    kw_copy(all + own, core->capabilities, core->n_capabilities * sizeof(*all));
    response->capabilities = all;
    response->n_capabilities = own + core->n_capabilities;
    return KW_OK;
}

static struct kw_result
answer_with(struct kw_call *call, const Keyward__V1__GetStatusResponse *core, struct kw_error *err)
{
    Keyward__V1__GetStatusResponse response = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;

    response.layers = kw_view_pointers(&call->view, core->n_layers + 1);
    KW_ENSURE(response.layers != NULL, err, MEMORY, "%zu layers", core->n_layers);
    response.layers[0] = own_layer(call);
    for (size_t i = 0; i < core->n_layers; i++) {
        response.layers[i + 1] = core->layers[i];
    }
    response.n_layers = core->n_layers + 1;
    response.state = core->state == KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING
                         ? core->state
                         : KEYWARD__V1__SERVING_STATE__SERVING_STATE_DEGRADED;
    KW_TRY(merge_capabilities(call, core, &response, err));
    return kw_call_answer(call, &response.base, err);
}

struct kw_result kw_status_relay(struct kw_call *call, struct kw_error *err)
{
    ProtobufCMessage *core;

    if (!call->core.answered ||
        !kw_ok(kw_message_unpack(&keyward__v1__get_status_response__descriptor, call->core.data,
                                 call->arena, &core, NULL))) {
        return answer_alone(call, err);
    }
    return answer_with(call, (const Keyward__V1__GetStatusResponse *)core, err);
}
