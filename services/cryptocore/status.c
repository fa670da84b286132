/* GetStatus at its innermost layer. */
#include "services/cryptocore/status.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "keyward/v1/status_service.pb-c.h"

#define CONFINEMENTS 3

/* What a layer can't do without the HSM. Revocation, status and evidence need none. */
static Keyward__V1__Capability hsm_capabilities[] = {
    KEYWARD__V1__CAPABILITY__CAPABILITY_DEVICE_ACCESS,
    KEYWARD__V1__CAPABILITY__CAPABILITY_PROVISIONING,
    KEYWARD__V1__CAPABILITY__CAPABILITY_ENROLLMENT,
    KEYWARD__V1__CAPABILITY__CAPABILITY_ENABLING,
};

/* By name, as the status has it. */
static void confinement_fill(const struct kw_core *core,
                             Keyward__V1__LayerStatus__ConfinementEntry entries[CONFINEMENTS])
{
    const char *const rows[CONFINEMENTS][2] = {
        {"hsm_sandbox", core->config->hsm_sandbox},
        {"locked_memory", core->confinement.locked_memory},
        {"seccomp", core->confinement.filtered ? "filter" : "none"},
    };

    for (size_t i = 0; i < CONFINEMENTS; i++) {
        keyward__v1__layer_status__confinement_entry__init(&entries[i]);
        entries[i].key = kw_field_text(rows[i][0]);
        entries[i].value = kw_field_text(rows[i][1]);
    }
}

static struct kw_result answer_make(const struct kw_core *core, struct kw_arena *arena,
                                    struct kw_bytes *ret_answer, struct kw_error *err)
{
    bool serving = kw_hsm_pool_state(core->hsm) == KW_HSM_READY;
    const struct kw_reason_row *trouble = kw_reason_row(kw_hsm_pool_trouble(core->hsm));
    Keyward__V1__GetStatusResponse response = KEYWARD__V1__GET_STATUS_RESPONSE__INIT;
    Keyward__V1__LayerStatus layer = KEYWARD__V1__LAYER_STATUS__INIT;
    Keyward__V1__LayerStatus *layers[] = {&layer};
    Keyward__V1__Degradation degradation = KEYWARD__V1__DEGRADATION__INIT;
    Keyward__V1__Degradation *degradations[] = {&degradation};
    Keyward__V1__LayerStatus__ConfinementEntry entries[CONFINEMENTS];
    Keyward__V1__LayerStatus__ConfinementEntry *confinement[CONFINEMENTS];
    Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    char instance[2 * KW_ID_LEN + 1];

    kw_hex(kw_id_bytes(&core->boot_id), instance);
    start.seconds = (int64_t)(core->start_ms / 1000);
    degradation.reason = kw_field_text(trouble->name);
    degradation.description = kw_field_text(trouble->text);
    layer.layer = kw_field_text("cryptocore");
    layer.instance = instance;
    layer.region = core->config->region;
    layer.cell = core->config->cell;
    layer.version = kw_field_text(KW_VERSION);
    layer.start_time = &start;
    layer.state = serving ? KEYWARD__V1__SERVING_STATE__SERVING_STATE_SERVING
                          : KEYWARD__V1__SERVING_STATE__SERVING_STATE_NOT_SERVING;
    layer.n_capabilities = serving ? sizeof(hsm_capabilities) / sizeof(hsm_capabilities[0]) : 0;
    layer.capabilities = hsm_capabilities;
    layer.n_degradations = serving ? 0 : 1;
    layer.degradations = degradations;
    confinement_fill(core, entries);
    for (size_t i = 0; i < CONFINEMENTS; i++) {
        confinement[i] = &entries[i];
    }
    layer.n_confinement = CONFINEMENTS;
    layer.confinement = confinement;
    response.state = layer.state;
    response.n_capabilities = layer.n_capabilities;
    response.capabilities = hsm_capabilities;
    response.n_layers = 1;
    response.layers = layers;
    return kw_arena_pack(arena, &response.base, ret_answer, err);
}

void kw_core_status_answer(struct kw_hop_call *hop, const struct kw_core *core)
{
    struct kw_arena *arena = kw_arena_new(KW_BODY_LEN_MAX);
    struct kw_bytes answer = KW_BYTES_NONE;
    struct kw_error error = {.reason = KW_E_MEMORY};

    if (arena != NULL && kw_ok(answer_make(core, arena, &answer, &error))) {
        kw_hop_reply(hop, (struct kw_hop_item){.data = answer});
    } else {
        kw_hop_finish(
            hop, &(struct kw_hop_status){.reason = error.reason, .field = "", .description = ""},
            KW_BYTES_NONE);
    }
    kw_arena_free(arena);
}
