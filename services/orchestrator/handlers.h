/* The table of what the orchestrator does: one row a method (call.h), and the steps the rows are
 * made of. */
#ifndef KW_SERVICES_ORCHESTRATOR_HANDLERS_H
#define KW_SERVICES_ORCHESTRATOR_HANDLERS_H

#include "services/orchestrator/call.h"

/* NULL: the method does not come here. */
const struct kw_handler *kw_handler_find(uint32_t method);

/* use.c, use_batch.c: keys for partners */
kw_call_step kw_use_read;
kw_call_step kw_use_write;
kw_call_step kw_use_batch_read;
kw_call_step kw_use_batch_write;

/* create_batch.c, confirm_device.c, release_batch.c, devices.c: pens */
kw_call_step kw_create_batch_read;
kw_call_step kw_create_batch_write;
kw_call_step kw_confirm_device_read;
kw_call_step kw_confirm_device_write;
kw_call_step kw_release_batch_read;
kw_call_step kw_release_batch_write;
kw_call_step kw_get_batch_read;
kw_call_step kw_get_device_read;
kw_call_step kw_list_devices_read;

/* keys.c, key_enable.c, key_disable.c: keys and their facts */
kw_call_step kw_get_key_read;
kw_call_step kw_list_keys_read;
kw_call_step kw_key_enable_read;
kw_call_step kw_key_enable_write;
kw_call_step kw_key_disable_read;
kw_call_step kw_key_disable_write;

/* enroll.c, certificates.c: members */
kw_call_step kw_enroll_read;
kw_call_step kw_enroll_write;
struct kw_result kw_enroll_content(const struct kw_call *call, struct kw_request_key *key,
                                   uint8_t ret_content[KW_SHA256_LEN], struct kw_error *err);
kw_call_step kw_confirm_transport_key_read;
kw_call_step kw_confirm_transport_key_write;
kw_call_step kw_invite_read;
kw_call_step kw_invite_write;
kw_call_step kw_renew_read;
kw_call_step kw_renew_write;

/* receipts.c, verification.c, status.c: evidence and status */
kw_call_step kw_get_receipt_read;
kw_call_step kw_list_receipts_read;
kw_call_step kw_verification_read;
kw_call_step kw_status_read;
struct kw_result kw_status_relay(struct kw_call *call, struct kw_error *err);

/* stores.c: the mesh */
kw_call_step kw_stores_list_read;
kw_call_step kw_stores_order_read;
kw_call_step kw_stores_order_write;
kw_call_step kw_orphans_replay_read;
kw_call_step kw_orphans_replay_write;

#endif
