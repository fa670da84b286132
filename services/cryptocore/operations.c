/* The rows. `operations` are what the capsule may name for the method: a key operation of the state
 * table. */
#include "services/cryptocore/operations.h"

#define ONE(operation) KW_OPERATION_BIT(KW_OPERATION_##operation)

static const struct kw_core_operation operations[] = {
    {KW_METHOD_GET_DEVICE_ACCESS, ONE(RELEASE), kw_core_use_prepare, kw_core_use_complete},
    {KW_METHOD_DERIVE_SESSION, ONE(DERIVE_SESSION), kw_core_use_prepare, kw_core_use_complete},
    {KW_METHOD_BATCH_GET_DEVICE_ACCESS, ONE(RELEASE) | ONE(DERIVE_SESSION), kw_core_use_prepare,
     kw_core_use_complete},
    {KW_METHOD_CREATE_BATCH, ONE(DELIVER_TO_STATION), kw_core_generate_prepare,
     kw_core_generate_complete},
    {KW_METHOD_CONFIRM_DEVICE, ONE(CONFIRM), kw_core_possession_prepare,
     kw_core_possession_complete},
    {KW_METHOD_RELEASE_BATCH, ONE(ACTIVATE), kw_core_activate_prepare, kw_core_enable_complete},
    {KW_METHOD_ACTIVATE_KEY, ONE(ACTIVATE), kw_core_activate_prepare, kw_core_enable_complete},
    {KW_METHOD_LIFT_KEY_SUSPENSIONS, ONE(LIFT), kw_core_lift_prepare, kw_core_enable_complete},
    {KW_METHOD_CREATE_PARTNER_INVITATION, ONE(NONE), kw_core_invite_prepare,
     kw_core_invite_complete},
    {KW_METHOD_CREATE_STATION_INVITATION, ONE(NONE), kw_core_invite_prepare,
     kw_core_invite_complete},
    {KW_METHOD_ENROLL, ONE(NONE), kw_core_enroll_prepare, kw_core_enroll_complete},
    {KW_METHOD_CONFIRM_TRANSPORT_KEY, ONE(NONE), kw_core_confirm_prepare, kw_core_confirm_complete},
    {KW_METHOD_RENEW_CERTIFICATE, ONE(NONE), kw_core_renew_prepare, kw_core_invite_complete},
};

const struct kw_core_operation *kw_core_operation_find(uint32_t method)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if ((uint32_t)operations[i].method == method) {
            return &operations[i];
        }
    }
    return NULL;
}
