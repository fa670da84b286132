/* Composing GetStatus. */
#include "services/gateway/status.h"

#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "keyward/v1/status_service.pb-c.h"
#include "services/gateway/gateway.h"

#define MS_PER_S 1000U

static const char *const inner_layers[] = {"authz", "orchestrator", "cryptocore"};
#define INNER_COUNT (sizeof(inner_layers) / sizeof(inner_layers[0]))

/* What this layer says of itself; packed before it goes out of scope. */
struct own {
    Keyward__V1__LayerStatus layer;
    Keyward__V1__Degradation degradation;
    Keyward__V1__Degradation *degradations[1];
    Google__Protobuf__Timestamp start;
    char instance[2 * KW_ID_LEN + 1];
};

static void arena_done(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

/* Without the cache everything works, replays are slower. */
static void own_degradation(const struct kw_gateway *gateway, struct own *own)
{
    if (gateway->cache == NULL || kw_request_cache_is_up(gateway->cache)) {
        return;
    }
    keyward__v1__degradation__init(&own->degradation);
    own->degradation.reason = kw_field_text(kw_reason_row(KW_E_PEER_UNAVAILABLE)->name);
    own->degradation.description =
        kw_field_text("The request cache is out of reach: replays are slower.");
    own->degradations[0] = &own->degradation;
    own->layer.degradations = own->degradations;
    own->layer.n_degradations = 1;
    own->layer.state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_DEGRADED;
}

static void own_layer(const struct kw_gateway *gateway, const Keyward__V1__GetStatusResponse *whole,
                      struct own *own)
{
    kw_hex(kw_id_bytes(&gateway->boot_id), own->instance);
    google__protobuf__timestamp__init(&own->start);
    own->start.seconds = (int64_t)(gateway->start_ms / MS_PER_S);
    keyward__v1__layer_status__init(&own->layer);
    own->layer.layer = kw_field_text("gateway");
    own->layer.instance = own->instance;
    own->layer.region = gateway->config->region;
    own->layer.cell = gateway->config->cell;
    own->layer.version = kw_field_text(KW_VERSION);
    own->layer.start_time = &own->start;
    own->layer.state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING;
    own->layer.n_capabilities = whole->n_capabilities;
    own->layer.capabilities = whole->capabilities;
    own_degradation(gateway, own);
}

/* In the place of an answer that did not come. */
static struct kw_result make_unreachable(struct kw_arena *arena,
                                         Keyward__V1__GetStatusResponse **ret_whole,
                                         struct kw_error *err)
{
    Keyward__V1__GetStatusResponse *whole = kw_arena_alloc(arena, sizeof(*whole));
    Keyward__V1__LayerStatus *layers = kw_arena_alloc(arena, INNER_COUNT * sizeof(*layers));
    Keyward__V1__LayerStatus **list = kw_arena_alloc(arena, INNER_COUNT * sizeof(*list));

    KW_ENSURE(whole != NULL && layers != NULL && list != NULL, err, MEMORY, "status");
    keyward__v1__get_status_response__init(whole);
    whole->state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_NOT_SERVING;
    for (size_t i = 0; i < INNER_COUNT; i++) {
        keyward__v1__layer_status__init(&layers[i]);
        layers[i].layer = kw_field_text(inner_layers[i]);
        layers[i].state = KEYWARD__V1__SERVING_STATE__SERVING_STATE_UNREACHABLE;
        list[i] = &layers[i];
    }
    whole->n_layers = INNER_COUNT;
    whole->layers = list;
    *ret_whole = whole;
    return KW_OK;
}

static struct kw_result read_inner(struct kw_gateway *gateway, struct kw_bytes inner,
                                   struct kw_arena *arena,
                                   Keyward__V1__GetStatusResponse **ret_whole, struct kw_error *err)
{
    ProtobufCMessage *message;

    KW_TRY(kw_message_unpack(&keyward__v1__get_status_response__descriptor, inner, arena, &message,
                             err));
    *ret_whole = KW_CONTAINER_OF(message, Keyward__V1__GetStatusResponse, base);
    kw_health_report(gateway->health, *ret_whole);
    return KW_OK;
}

static struct kw_result prepend(Keyward__V1__GetStatusResponse *whole,
                                Keyward__V1__LayerStatus *own, struct kw_arena *arena,
                                struct kw_error *err)
{
    Keyward__V1__LayerStatus **list = kw_arena_alloc(arena, (whole->n_layers + 1) * sizeof(*list));

    KW_ENSURE(list != NULL, err, MEMORY, "status");
    list[0] = own;
    kw_copy(&list[1], whole->layers, whole->n_layers * sizeof(*list));
    whole->layers = list;
    whole->n_layers++;
    return KW_OK;
}

struct kw_result kw_status_compose(struct kw_gateway *gateway, bool reached, struct kw_bytes inner,
                                   struct kw_buf *out, struct kw_error *err)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    Keyward__V1__GetStatusResponse *whole = NULL;
    struct kw_bytes packed;
    struct own own;

    KW_ENSURE(arena != NULL, err, MEMORY, "status");
    KW_TRY(reached ? read_inner(gateway, inner, arena, &whole, err)
                   : make_unreachable(arena, &whole, err));
    own_layer(gateway, whole, &own);
    KW_TRY(prepend(whole, &own.layer, arena, err));
    KW_TRY(kw_arena_pack(arena, &whole->base, &packed, err));
    return kw_buf_append(out, packed, err);
}
