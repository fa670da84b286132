/* From rows to the core's messages, and facts back into their table. */
#include "services/orchestrator/material.h"

#include "common/rpc/messages.h"
#include "services/orchestrator/fact_feed.h"

static struct kw_result facts_messages(struct kw_call *call, const struct kw_fact_list *facts,
                                       Keyward__Internal__V1__WrappedDeviceKey *message,
                                       struct kw_error *err)
{
    message->facts = kw_view_pointers(&call->view, facts->count);
    KW_ENSURE(message->facts != NULL, err, MEMORY, "%zu facts", facts->count);
    for (size_t i = 0; i < facts->count; i++) {
        Keyward__Internal__V1__Fact *fact =
            kw_view_message(&call->view, &keyward__internal__v1__fact__descriptor);

        fact->fact = kw_field_bytes(facts->rows[i].record);
        fact->mac = kw_field_bytes(facts->rows[i].mac);
        message->facts[i] = fact;
    }
    message->n_facts = facts->count;
    return KW_OK;
}

static struct kw_result key_message(struct kw_call *call, struct kw_material *material,
                                    struct kw_error *err)
{
    const struct kw_key_row *row = &material->row;
    struct kw_view *view = &call->view;
    Keyward__Internal__V1__WrappedDeviceKey *message =
        kw_view_message(view, &keyward__internal__v1__wrapped_device_key__descriptor);

    message->key_id = kw_view_id_bytes(view, row->id);
    message->device_id = kw_view_id_bytes(view, row->device);
    message->product_id = kw_view_id_bytes(view, row->product);
    message->batch_id = kw_view_id_bytes(view, row->batch);
    message->kek_version = row->kek_version;
    message->wrapped = kw_field_bytes(row->wrapped);
    message->check_value = kw_field_bytes(row->check_value);
    message->mac = kw_field_bytes(row->mac);
    material->message = message;
    return facts_messages(call, &material->facts, message, err);
}

struct kw_result kw_material_load(struct kw_call *call, struct kw_tx *tx,
                                  const struct kw_key_row *row, struct kw_material *ret_material,
                                  struct kw_error *err)
{
    struct kw_material material = {.row = *row};

    KW_TRY(kw_fact_list(tx, row->id, call->arena, &material.facts, err));
    material.state = material.facts.state;
    KW_TRY(kw_capsule_disabled_fold(&call->capsule, row->id, &material.state, err));
    KW_TRY(key_message(call, &material, err));
    *ret_material = material;
    return KW_OK;
}

struct kw_result kw_material_of_device(struct kw_call *call, struct kw_tx *tx, struct kw_id device,
                                       struct kw_material *ret_material, struct kw_error *err)
{
    struct kw_key_row row;
    bool found;

    KW_TRY(kw_key_find_newest(tx, device, call->arena, &row, &found, err));
    KW_ENSURE(found, err, NOT_FOUND, "no such device");
    return kw_material_load(call, tx, &row, ret_material, err);
}

struct kw_result kw_material_by_name(struct kw_call *call, struct kw_tx *tx, const char *name,
                                     struct kw_material *ret_material, struct kw_error *err)
{
    struct kw_resource_ids ids;
    struct kw_key_row row;
    bool found;

    KW_TRY(kw_call_name(call, "name", KW_RESOURCE_KEY, name, &ids, err));
    KW_TRY(kw_key_find(tx, ids.id[1], call->arena, &row, &found, err));
    KW_ENSURE(found && kw_id_equal(row.device, ids.id[0]), err, NOT_FOUND, "no such key");
    return kw_material_load(call, tx, &row, ret_material, err);
}

struct kw_result kw_material_ask(struct kw_call *call, const struct kw_material *materials,
                                 size_t count, struct kw_error *err)
{
    call->question.keys = kw_view_pointers(&call->view, count);
    KW_ENSURE(call->question.keys != NULL, err, MEMORY, "%zu keys", count);
    for (size_t i = 0; i < count; i++) {
        call->question.keys[i] = materials[i].message;
    }
    call->question.n_keys = count;
    call->ask_core = true;
    return KW_OK;
}

/* --- transport keys --- */

static void transport_message(struct kw_call *call, const struct kw_transport_key_row *row)
{
    Keyward__Internal__V1__WrappedTransportKey *message =
        kw_view_message(&call->view, &keyward__internal__v1__wrapped_transport_key__descriptor);

    message->owner_id = kw_view_id_bytes(&call->view, row->owner);
    message->version = row->version;
    message->kek_version = row->kek_version;
    message->wrapped = kw_field_bytes(row->wrapped);
    message->check_value = kw_field_bytes(row->check_value);
    message->mac = kw_field_bytes(row->mac);
    message->nonce = kw_field_bytes(row->nonce);
    call->question.transport_key = message;
}

struct kw_result kw_material_transport(struct kw_call *call, struct kw_tx *tx, uint32_t version,
                                       bool confirmed, struct kw_error *err)
{
    struct kw_transport_key_row row;
    bool found;

    KW_TRY(kw_transport_key_find(tx, call->capsule.owner, version, call->arena, &row, &found, err));
    KW_ENSURE(found, err, NOT_FOUND, "no transport key of version %u", version);
    KW_ENSURE(!confirmed || row.confirmed_ms != 0, err, TRANSPORT_KEY_UNCONFIRMED,
              "transport key %u is not confirmed", version);
    transport_message(call, &row);
    return KW_OK;
}

/* --- facts from the core --- */

static struct kw_result read_fact(const struct kw_call *call,
                                  const Keyward__Internal__V1__Fact *message, struct kw_id key,
                                  enum kw_fact_kind kind, const char *justification,
                                  struct kw_fact_row *ret_row, struct kw_error *err)
{
    struct kw_fact_row row = {.record = kw_bytes_field(message->fact),
                              .mac = kw_bytes_field(message->mac),
                              .justification = justification};
    struct kw_error inner = {0};

    KW_ENSURE(kw_ok(kw_fact_decode(row.record, &row.fact, &inner)), err, INTERNAL,
              "the core made no fact: %s", inner.message);
    KW_ENSURE(kw_id_equal(row.fact.key, key) && row.fact.kind == kind &&
                  kw_id_equal(row.fact.capsule, call->capsule.id),
              err, INTERNAL, "the core made a fact that was not asked for");
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_material_fact(const struct kw_call *call,
                                  const Keyward__Internal__V1__CoreItem *item, struct kw_id key,
                                  enum kw_fact_kind kind, struct kw_fact_row *ret_row,
                                  struct kw_error *err)
{
    KW_ENSURE(item->n_facts == 1, err, INTERNAL, "the core made %zu facts, not one", item->n_facts);
    return read_fact(call, item->facts[0], key, kind, "", ret_row, err);
}

struct kw_result kw_material_store_facts(struct kw_call *call,
                                         const Keyward__Internal__V1__CoreItem *item,
                                         struct kw_id key, enum kw_fact_kind kind,
                                         const char *justification, struct kw_error *err)
{
    KW_ENSURE(item->n_facts > 0, err, INTERNAL, "the core made no fact");
    for (size_t i = 0; i < item->n_facts; i++) {
        struct kw_fact_row row;

        KW_TRY(read_fact(call, item->facts[i], key, kind, justification, &row, err));
        KW_TRY(kw_fact_state(&call->feed_tx, &row, err));
    }
    return KW_OK;
}
