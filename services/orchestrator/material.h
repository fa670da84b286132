/* Material: stored keys with their facts as the core wants them, and what they allow as far as this
 * layer can tell. On the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_MATERIAL_H
#define KW_SERVICES_ORCHESTRATOR_MATERIAL_H

#include "services/orchestrator/call.h"
#include "services/orchestrator/transport_key_table.h"

/* One key, in the call's arena. */
struct kw_material {
    struct kw_key_row row;
    struct kw_fact_list facts;
    struct kw_key_state state; /* our facts joined with the capsule's */
    Keyward__Internal__V1__WrappedDeviceKey *message;
};

/* The key's facts and message. Fails: MEMORY, STORE_UNAVAILABLE, LIMIT_REACHED, INTERNAL. */
struct kw_result kw_material_load(struct kw_call *call, struct kw_tx *tx,
                                  const struct kw_key_row *row, struct kw_material *ret_material,
                                  struct kw_error *err);

/* The same for a device's newest key, and for a key by its name in field `name`. Fail: also
 * NOT_FOUND, ARGUMENT_INVALID. */
struct kw_result kw_material_of_device(struct kw_call *call, struct kw_tx *tx, struct kw_id device,
                                       struct kw_material *ret_material, struct kw_error *err);
struct kw_result kw_material_by_name(struct kw_call *call, struct kw_tx *tx, const char *name,
                                     struct kw_material *ret_material, struct kw_error *err);

/* Asks the core with these keys, in this order. Fails: MEMORY. */
struct kw_result kw_material_ask(struct kw_call *call, const struct kw_material *materials,
                                 size_t count, struct kw_error *err);

/* Adds the transport key of the capsule's owner to the question, in this version; with `confirmed`,
 * only one that its owner has proved to hold. Fails: NOT_FOUND, TRANSPORT_KEY_UNCONFIRMED, MEMORY.
 */
struct kw_result kw_material_transport(struct kw_call *call, struct kw_tx *tx, uint32_t version,
                                       bool confirmed, struct kw_error *err);

/* The one fact that the core made about `key`, checked likewise, and not stored. Borrows from `item`. Fails: INTERNAL. */
struct kw_result kw_material_fact(const struct kw_call *call,
                                  const Keyward__Internal__V1__CoreItem *item, struct kw_id key,
                                  enum kw_fact_kind kind, struct kw_fact_row *ret_row,
                                  struct kw_error *err);

/* Stores the facts the core made about `key`. Each is checked to be about this key, of this kind,
 * and made under this call's capsule. Fails: INTERNAL, STORE_UNAVAILABLE. */
struct kw_result kw_material_store_facts(struct kw_call *call,
                                         const Keyward__Internal__V1__CoreItem *item,
                                         struct kw_id key, enum kw_fact_kind kind,
                                         const char *justification, struct kw_error *err);

#endif
