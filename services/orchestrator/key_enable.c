/* ActivateKey and LiftKeySuspensions: enabling facts, made by the core from facts whose MACs it has
 * verified. */
#include "services/orchestrator/device_feed.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/key_change.h"
#include "services/orchestrator/key_feed.h"

static bool is_lift(const struct kw_call *call)
{
    return call->method->id == KW_METHOD_LIFT_KEY_SUSPENSIONS;
}

/* Every suspension that is named is one of the key's; one that is lifted may be named again. A key
 * whose last suspension is for good has none that could be lifted with effect. */
static struct kw_result check_suspensions(struct kw_call *call, const struct kw_key_state *state,
                                          struct kw_error *err)
{
    const Keyward__V1__LiftKeySuspensionsRequest *request =
        (const Keyward__V1__LiftKeySuspensionsRequest *)call->request;

    KW_ENSURE_FIELD(request->n_suspensions >= 1 && request->n_suspensions <= KW_KEY_SUSPENSIONS_MAX,
                    call, "suspensions", err, "1 to %u suspensions are lifted at once",
                    KW_KEY_SUSPENSIONS_MAX);
    KW_ENSURE(!kw_state_full(state), err, KEY_STATE,
              "after %u suspensions the key is suspended for good", KW_KEY_SUSPENSIONS_MAX);
    for (size_t i = 0; i < request->n_suspensions; i++) {
        struct kw_id id;

        call->field = "suspensions";
        KW_TRY(kw_id_parse(KW_ID_SUSPENSION, kw_bytes_str(request->suspensions[i]), &id, err));
        call->field = NULL;
        KW_ENSURE(kw_state_has_suspension(state, id), err, NOT_FOUND,
                  "the key has no such suspension");
    }
    return KW_OK;
}

static struct kw_result check(struct kw_call *call, struct kw_tx *tx, struct kw_key_change *change,
                              struct kw_error *err)
{
    KW_TRY(kw_key_change_load(call, tx, change, err));
    if (is_lift(call)) {
        KW_TRY(check_suspensions(call, &change->material.state, err));
    } else {
        KW_ENSURE(!change->material.row.disputed, err, STATE_CONFLICT,
                  "several pens were confirmed as the key's device");
    }
    return kw_state_require(&change->material.state, call->method->operation, call->actor, err);
}

struct kw_result kw_key_enable_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_key_change change;

    KW_TRY(check(call, tx, &change, err));
    if (call->validate_only) {
        return kw_key_change_answer(call, tx, change.material.row.id, KW_ID_NONE, err);
    }
    return kw_material_ask(call, &change.material, 1, err);
}

struct kw_result kw_key_enable_write(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    enum kw_fact_kind kind = is_lift(call) ? KW_FACT_LIFTED : KW_FACT_ACTIVATED;
    const Keyward__Internal__V1__CoreItem *item;
    struct kw_key_change change;
    struct kw_id key;

    KW_TRY(kw_call_only_item(call, &item, err));
    KW_TRY(check(call, tx, &change, err));
    key = change.material.row.id;
    KW_TRY(kw_material_store_facts(call, item, key, kind, change.justification, err));
    if (kind == KW_FACT_ACTIVATED) {
        KW_TRY(kw_key_erase_delivery(&call->feed_tx, key, err));
        KW_TRY(kw_device_release(&call->feed_tx, change.material.row.device, err));
    }
    return kw_key_change_answer(call, tx, key, KW_ID_NONE, err);
}
