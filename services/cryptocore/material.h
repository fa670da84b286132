/* Material: what the orchestrator sent along, as the types the HSM takes, held against capsule and
 * request. The MACs are not checked here but by the worker, with the key in the HSM. */
#ifndef KW_SERVICES_CRYPTOCORE_MATERIAL_H
#define KW_SERVICES_CRYPTOCORE_MATERIAL_H

#include "services/cryptocore/call.h"

/* A stored device key. Fails: BINDING_INVALID (a field of the wrong length: nothing that could have
 * a valid MAC). */
struct kw_result kw_material_key(const Keyward__Internal__V1__WrappedDeviceKey *message,
                                 struct kw_key_binding *ret_binding, struct kw_error *err);

/* The caller's transport key, which must be the owner's and version of the capsule.
 * Fails: BINDING_INVALID, CAPSULE_INVALID. */
struct kw_result kw_material_transport(const struct kw_core_call *call,
                                       struct kw_ptk_binding *ret_binding, struct kw_error *err);

/* Is the device the one asked for, and within the capsule's scope? Fails: CAPSULE_INVALID (another
 * device), SCOPE_MISMATCH (another batch or product than the grant's). */
struct kw_result kw_material_scope(const struct kw_core_call *call,
                                   const struct kw_key_binding *binding, struct kw_id device,
                                   struct kw_error *err);

/* The key's facts. `ret_state` is the join of the orchestrator's and the capsule's, with the
 * enabling ones believed: `ret_facts` (in the arena) are those, and the worker verifies their MACs
 * before anything else. Fails: BINDING_INVALID (malformed, or of another key), LIMIT_REACHED,
 * MEMORY. */
struct kw_result kw_material_facts(struct kw_core_call *call,
                                   const Keyward__Internal__V1__WrappedDeviceKey *message,
                                   struct kw_id key, struct kw_key_state *ret_state,
                                   struct kw_hsm_fact **ret_facts, size_t *ret_count,
                                   struct kw_error *err);

/* A fact about `key` under this call's capsule, encoded into the arena. Fails: MEMORY. */
struct kw_result kw_material_fact_make(struct kw_core_call *call, struct kw_id key,
                                       enum kw_fact_kind kind, struct kw_id ref,
                                       struct kw_bytes *ret_record, struct kw_error *err);

/* A device key and a transport key as messages, in the arena. Fail: MEMORY. */
struct kw_result kw_material_key_message(struct kw_core_call *call,
                                         const struct kw_key_binding *binding,
                                         Keyward__Internal__V1__WrappedDeviceKey **ret_message,
                                         struct kw_error *err);
struct kw_result
kw_material_transport_message(struct kw_core_call *call, const struct kw_ptk_binding *binding,
                              Keyward__Internal__V1__WrappedTransportKey **ret_message,
                              struct kw_error *err);

/* Puts fact records with their MACs into an item's answer. Fails: MEMORY. */
struct kw_result kw_material_facts_answer(struct kw_core_call *call, struct kw_core_item *item,
                                          const struct kw_bytes *records,
                                          const uint8_t (*macs)[KW_HSM_MAC_LEN], size_t count,
                                          struct kw_error *err);

#endif
