/* The rows. A method that is not here does not come further in than authz, or is none of authz's.
 */
#include "services/orchestrator/handlers.h"

#include "common/audit/capsule_check.h"

#define OP(name) KW_OPERATION_BIT(KW_OPERATION_##name)

static const struct kw_handler handlers[] = {
    {.method = KW_METHOD_CREATE_BATCH,
     .read = kw_create_batch_read,
     .write = kw_create_batch_write,
     .keeps_itself = true},
    {.method = KW_METHOD_CONFIRM_DEVICE,
     .read = kw_confirm_device_read,
     .write = kw_confirm_device_write},
    {.method = KW_METHOD_RELEASE_BATCH,
     .read = kw_release_batch_read,
     .write = kw_release_batch_write},
    {.method = KW_METHOD_GET_BATCH, .read = kw_get_batch_read},

    {.method = KW_METHOD_CREATE_PARTNER_INVITATION,
     .read = kw_invite_read,
     .write = kw_invite_write},
    {.method = KW_METHOD_CREATE_STATION_INVITATION,
     .read = kw_invite_read,
     .write = kw_invite_write},
    {.method = KW_METHOD_ENROLL,
     .read = kw_enroll_read,
     .write = kw_enroll_write,
     .content = kw_enroll_content,
     .holds = true},
    {.method = KW_METHOD_CONFIRM_TRANSPORT_KEY,
     .read = kw_confirm_transport_key_read,
     .write = kw_confirm_transport_key_write},
    {.method = KW_METHOD_RENEW_CERTIFICATE, .read = kw_renew_read, .write = kw_renew_write},

    {.method = KW_METHOD_GET_DEVICE_ACCESS,
     .operations = OP(RELEASE_PAST),
     .read = kw_use_read,
     .write = kw_use_write},
    {.method = KW_METHOD_DERIVE_SESSION, .read = kw_use_read, .write = kw_use_write},
    {.method = KW_METHOD_BATCH_GET_DEVICE_ACCESS,
     .operations = OP(RELEASE_PAST) | OP(DERIVE_SESSION),
     .read = kw_use_batch_read,
     .write = kw_use_batch_write},

    {.method = KW_METHOD_GET_DEVICE, .read = kw_get_device_read},
    {.method = KW_METHOD_LIST_DEVICES, .read = kw_list_devices_read},
    {.method = KW_METHOD_GET_KEY, .read = kw_get_key_read},
    {.method = KW_METHOD_LIST_KEYS, .read = kw_list_keys_read},
    {.method = KW_METHOD_ACTIVATE_KEY, .read = kw_key_enable_read, .write = kw_key_enable_write},
    {.method = KW_METHOD_SUSPEND_KEY, .read = kw_key_disable_read, .write = kw_key_disable_write},
    {.method = KW_METHOD_LIFT_KEY_SUSPENSIONS,
     .read = kw_key_enable_read,
     .write = kw_key_enable_write},
    {.method = KW_METHOD_DEACTIVATE_KEY,
     .read = kw_key_disable_read,
     .write = kw_key_disable_write},
    {.method = KW_METHOD_REPORT_KEY_COMPROMISE,
     .read = kw_key_disable_read,
     .write = kw_key_disable_write},
    {.method = KW_METHOD_DESTROY_KEY, .read = kw_key_disable_read, .write = kw_key_disable_write},

    {.method = KW_METHOD_GET_RECEIPT, .read = kw_get_receipt_read},
    {.method = KW_METHOD_LIST_RECEIPTS, .read = kw_list_receipts_read},
    {.method = KW_METHOD_GET_VERIFICATION_DATA, .read = kw_verification_read},
    {.method = KW_METHOD_GET_STATUS, .read = kw_status_read, .relay = kw_status_relay},
    {.method = KW_METHOD_LIST_STORES, .read = kw_stores_list_read},
    {.method = KW_METHOD_ORDER_STORES,
     .read = kw_stores_order_read,
     .write = kw_stores_order_write,
     .keeps_itself = true}, /* done twice it is done once */
    {.method = KW_METHOD_REPLAY_ORPHANS,
     .read = kw_orphans_replay_read,
     .write = kw_orphans_replay_write,
     .keeps_itself = true}, /* the same */
};

const struct kw_handler *kw_handler_find(uint32_t method)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if ((uint32_t)handlers[i].method == method) {
            return &handlers[i];
        }
    }
    return NULL;
}
