/* The rows. */
#include "services/authz/operations.h"

#include "services/authz/forward.h"

#define ROW(id, ...)                                                                               \
    {                                                                                              \
        .method = KW_METHOD_##id, __VA_ARGS__                                                      \
    }

/* Ends here, changing something; ends here, reading. */
#define CHANGE(id, function) ROW(id, .writes = true, .run = (function))
#define READ(id, function)   ROW(id, .run = (function))

/* Ends here, taking away what somebody had: done as long as a byte can be written. */
#define STOP(id, function) ROW(id, .writes = true, .vital = true, .run = (function))

/* Goes inward with a capsule after one look at the tables. */
#define FORWARD(id, function, ...)                                                                 \
    ROW(id, .run = (function), .proceed = kw_forward_start, ##__VA_ARGS__)

static const struct kw_authz_operation operations[] = {
    ROW(CREATE_BATCH, .run = kw_authz_provision, .proceed = kw_authz_provision_proceed),
    FORWARD(CONFIRM_DEVICE, kw_authz_device_confirm),
    ROW(RELEASE_BATCH, .run = kw_authz_release, .proceed = kw_authz_release_proceed),
    FORWARD(GET_BATCH, kw_authz_read),

    CHANGE(CREATE_PARTNER, kw_authz_partner_create),
    FORWARD(CREATE_PARTNER_INVITATION, kw_authz_invite, .effect = kw_authz_invite_effect),
    READ(GET_PARTNER, kw_authz_member_get),
    READ(LIST_PARTNERS, kw_authz_member_list),
    STOP(SUSPEND_PARTNER, kw_authz_member_suspend),
    CHANGE(REINSTATE_PARTNER, kw_authz_member_reinstate),
    CHANGE(CREATE_STATION, kw_authz_station_create),
    FORWARD(CREATE_STATION_INVITATION, kw_authz_invite, .effect = kw_authz_invite_effect),
    READ(GET_STATION, kw_authz_member_get),
    READ(LIST_STATIONS, kw_authz_member_list),
    STOP(SUSPEND_STATION, kw_authz_member_suspend),
    CHANGE(REINSTATE_STATION, kw_authz_member_reinstate),

    ROW(ENROLL, .writes = true, .run = kw_authz_enroll, .proceed = kw_authz_enroll_proceed,
        .effect = kw_authz_enroll_effect),
    FORWARD(CONFIRM_TRANSPORT_KEY, kw_authz_confirm, .effect = kw_authz_confirm_effect),
    FORWARD(RENEW_CERTIFICATE, kw_authz_read, .effect = kw_authz_renew_effect),

    CHANGE(CREATE_GRANT, kw_authz_grant_create),
    READ(GET_GRANT, kw_authz_grant_get),
    READ(LIST_GRANTS, kw_authz_grant_list),
    STOP(REVOKE_GRANT, kw_authz_grant_revoke),

    ROW(GET_DEVICE_ACCESS, .run = kw_authz_access, .proceed = kw_authz_access_proceed,
        .recheck = kw_authz_access_recheck),
    ROW(DERIVE_SESSION, .run = kw_authz_access, .proceed = kw_authz_access_proceed,
        .recheck = kw_authz_access_recheck),
    ROW(BATCH_GET_DEVICE_ACCESS, .proceed = kw_authz_batch_proceed),

    FORWARD(GET_DEVICE, kw_authz_read),
    FORWARD(LIST_DEVICES, kw_authz_read),
    FORWARD(GET_KEY, kw_authz_read),
    FORWARD(LIST_KEYS, kw_authz_read),
    FORWARD(ACTIVATE_KEY, kw_authz_key_change),
    FORWARD(SUSPEND_KEY, kw_authz_key_change),
    FORWARD(LIFT_KEY_SUSPENSIONS, kw_authz_key_change),
    FORWARD(DEACTIVATE_KEY, kw_authz_key_change),
    FORWARD(REPORT_KEY_COMPROMISE, kw_authz_key_change),
    FORWARD(DESTROY_KEY, kw_authz_key_change),

    FORWARD(GET_RECEIPT, kw_authz_read),
    FORWARD(LIST_RECEIPTS, kw_authz_read),
    ROW(GET_VERIFICATION_DATA, .run = kw_authz_read, .proceed = kw_authz_verification_proceed),
    ROW(GET_STATUS, .run = kw_authz_read, .proceed = kw_authz_status_proceed),
    ROW(LIST_STORES, .run = kw_authz_stores_list, .proceed = kw_authz_stores_list_proceed),
    ROW(ORDER_STORES, .writes = true, .vital = true, .run = kw_authz_stores_order,
        .proceed = kw_authz_stores_order_proceed),
    ROW(REPLAY_ORPHANS, .writes = true, .vital = true, .run = kw_authz_orphans_replay,
        .proceed = kw_authz_orphans_proceed),
};

const struct kw_authz_operation *kw_authz_operation_find(uint32_t method)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if ((uint32_t)operations[i].method == method) {
            return &operations[i];
        }
    }
    return NULL;
}
