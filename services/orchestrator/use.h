/* What a partner asks for one device: the same in GetDeviceAccess, DeriveSession and an item of
 * their batch. */
#ifndef KW_SERVICES_ORCHESTRATOR_USE_H
#define KW_SERVICES_ORCHESTRATOR_USE_H

#include "services/orchestrator/material.h"

struct kw_use {
    struct kw_id device;
    enum kw_operation operation; /* as far as the request and the capsule's epoch tell */
    struct kw_material material;
};

/* Reads a request. Fails: ARGUMENT_INVALID. */
struct kw_result kw_use_from_get(struct kw_call *call,
                                 const Keyward__V1__GetDeviceAccessRequest *get,
                                 struct kw_use *ret_use, struct kw_error *err);
struct kw_result kw_use_from_derive(struct kw_call *call,
                                    const Keyward__V1__DeriveSessionRequest *derive,
                                    struct kw_use *ret_use, struct kw_error *err);

/* Loads the device's key and refuses what its facts forbid. Fails: NOT_FOUND, KEY_STATE and the
 * like. */
struct kw_result kw_use_load(struct kw_call *call, struct kw_tx *tx, struct kw_use *use,
                             struct kw_error *err);

/* The core's envelope for this use, as a message. Fails: the item's reason; INTERNAL (the envelope
 * is for another device, key, partner or receipt: never to be passed on). */
struct kw_result kw_use_envelope(struct kw_call *call, const struct kw_use *use,
                                 const Keyward__Internal__V1__CoreItem *item,
                                 Keyward__V1__KeyEnvelope **ret_envelope, struct kw_error *err);

#endif
