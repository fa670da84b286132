/* Keys, their facts and suspensions as callers see them. */
#include "services/orchestrator/caller_name.h"
#include "services/orchestrator/view.h"

#include <assert.h>

/* The public types have no number for "confirmed", so the kinds from "protected" on are one less.
 */
static_assert(KEYWARD__V1__KEY_FACT_TYPE__KEY_FACT_TYPE_PROTECTED == KW_FACT_PROTECTED - 1, "");
static_assert(KEYWARD__V1__KEY_FACT_TYPE__KEY_FACT_TYPE_DESTROYED == KW_FACT_DESTROYED - 1, "");
static_assert(KEYWARD__V1__KEY_PHASE__KEY_PHASE_PRE_ACTIVE == (int)KW_PHASE_PRE_ACTIVE, "");
static_assert(KEYWARD__V1__KEY_PHASE__KEY_PHASE_DEACTIVATED == (int)KW_PHASE_DEACTIVATED, "");

static struct kw_result actor_of(struct kw_view *view, const struct kw_fact *fact, char **ret_actor,
                                 struct kw_error *err)
{
    char name[KW_RESOURCE_NAME_SIZE];

    KW_TRY(kw_caller_name(fact->actor, NULL, name, err));
    *ret_actor = kw_view_text(view, kw_bytes_str(name));
    return KW_OK;
}

static char *suspension_of(struct kw_view *view, const struct kw_fact *fact)
{
    return kw_id_is_none(fact->ref) ? kw_view_text(view, KW_BYTES_NONE)
                                    : kw_view_id(view, KW_ID_SUSPENSION, fact->ref);
}

/* Record and, for an enabling fact, its MAC. */
static ProtobufCBinaryData encoded_of(struct kw_view *view, const struct kw_fact_row *row)
{
    size_t len = row->record.len + row->mac.len;
    uint8_t *bytes = view->exhausted ? NULL : kw_arena_alloc(view->arena, len);

    if (bytes == NULL) {
        view->exhausted = true;
        return (ProtobufCBinaryData){0};
    }
    kw_copy(bytes, row->record.data, row->record.len);
    kw_copy(bytes + row->record.len, row->mac.data, row->mac.len);
    return (ProtobufCBinaryData){.data = bytes, .len = len};
}

static struct kw_result add_facts(struct kw_view *view, const struct kw_fact_list *facts,
                                  Keyward__V1__Key *key, struct kw_error *err)
{
    key->facts = kw_view_pointers(view, facts->count);
    for (size_t i = 0; i < facts->count && key->facts != NULL; i++) {
        const struct kw_fact_row *row = &facts->rows[i];
        Keyward__V1__KeyFact *fact;

        if (row->fact.kind == KW_FACT_CONFIRMED) {
            continue;
        }
        fact = kw_view_message(view, &keyward__v1__key_fact__descriptor);
        fact->type = (Keyward__V1__KeyFactType)(row->fact.kind - 1);
        fact->create_time = kw_view_time(view, row->fact.time_ms);
        KW_TRY(actor_of(view, &row->fact, &fact->actor, err));
        fact->suspension = suspension_of(view, &row->fact);
        fact->justification = kw_view_text(view, kw_bytes_str(row->justification));
        fact->encoded = encoded_of(view, row);
        key->facts[key->n_facts++] = fact;
    }
    return KW_OK;
}

static const struct kw_fact *find_lift(const struct kw_fact_list *facts, struct kw_id suspension)
{
    for (size_t i = 0; i < facts->count; i++) {
        const struct kw_fact *fact = &facts->rows[i].fact;

        if (fact->kind == KW_FACT_LIFTED && kw_id_equal(fact->ref, suspension)) {
            return fact;
        }
    }
    return NULL;
}

static struct kw_result add_suspensions(struct kw_view *view, const struct kw_fact_list *facts,
                                        Keyward__V1__Key *key, struct kw_error *err)
{
    key->suspensions = kw_view_pointers(view, facts->count);
    for (size_t i = 0; i < facts->count && key->suspensions != NULL; i++) {
        const struct kw_fact_row *row = &facts->rows[i];
        Keyward__V1__KeySuspension *suspension;
        const struct kw_fact *lift;

        if (row->fact.kind != KW_FACT_SUSPENDED) {
            continue;
        }
        lift = find_lift(facts, row->fact.ref);
        suspension = kw_view_message(view, &keyward__v1__key_suspension__descriptor);
        suspension->id = suspension_of(view, &row->fact);
        KW_TRY(actor_of(view, &row->fact, &suspension->actor, err));
        suspension->justification = kw_view_text(view, kw_bytes_str(row->justification));
        suspension->create_time = kw_view_time(view, row->fact.time_ms);
        suspension->lift_time = kw_view_time(view, lift != NULL ? lift->time_ms : 0);
        key->suspensions[key->n_suspensions++] = suspension;
    }
    return KW_OK;
}

struct kw_result kw_view_key(struct kw_view *view, const struct kw_key_row *row,
                             const struct kw_fact_list *facts, bool show_facts,
                             Keyward__V1__Key **ret_key, struct kw_error *err)
{
    Keyward__V1__Key *key = kw_view_message(view, &keyward__v1__key__descriptor);
    char etag[KW_ETAG_SIZE];

    KW_TRY(kw_fact_list_etag(facts, etag, err));
    key->name = kw_view_name2(view, KW_RESOURCE_KEY, row->device, row->id);
    key->version = row->version;
    key->phase = (Keyward__V1__KeyPhase)kw_state_phase(&facts->state);
    key->is_protected = facts->state.is_protected;
    key->suspended = kw_state_suspended(&facts->state);
    key->compromised = facts->state.compromised;
    key->destroyed = facts->state.destroyed;
    KW_TRY(add_suspensions(view, facts, key, err));
    if (show_facts) {
        KW_TRY(add_facts(view, facts, key, err));
    }
    key->check_value = kw_view_bytes(view, row->check_value);
    key->kek_version = row->kek_version;
    key->create_time = kw_view_time(view, row->created_ms);
    key->etag = kw_view_text(view, kw_bytes_str(etag));
    *ret_key = key;
    return kw_view_whole(view, err);
}
