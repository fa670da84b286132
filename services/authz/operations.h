/* The table of what authz does with each method. */
#ifndef KW_SERVICES_AUTHZ_OPERATIONS_H
#define KW_SERVICES_AUTHZ_OPERATIONS_H

#include "services/authz/call.h"

/* NULL: a method authz does not know, or one between inner layers. */
const struct kw_authz_operation *kw_authz_operation_find(uint32_t method);

#define KW_AUTHZ_RUN(name)                                                                         \
    struct kw_result name(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err)

/* members.c */
KW_AUTHZ_RUN(kw_authz_partner_create);
KW_AUTHZ_RUN(kw_authz_station_create);
KW_AUTHZ_RUN(kw_authz_member_get);
KW_AUTHZ_RUN(kw_authz_member_list);
KW_AUTHZ_RUN(kw_authz_member_suspend);
KW_AUTHZ_RUN(kw_authz_member_reinstate);

/* invitations.c */
KW_AUTHZ_RUN(kw_authz_invite);
KW_AUTHZ_RUN(kw_authz_invite_effect);

/* enroll.c */
KW_AUTHZ_RUN(kw_authz_enroll);
void kw_authz_enroll_proceed(struct kw_authz_call *call);
KW_AUTHZ_RUN(kw_authz_enroll_effect);
KW_AUTHZ_RUN(kw_authz_confirm);
KW_AUTHZ_RUN(kw_authz_confirm_effect);
KW_AUTHZ_RUN(kw_authz_renew_effect);

/* grants.c, grant_create.c */
KW_AUTHZ_RUN(kw_authz_grant_create);
KW_AUTHZ_RUN(kw_authz_grant_get);
KW_AUTHZ_RUN(kw_authz_grant_list);
KW_AUTHZ_RUN(kw_authz_grant_revoke);

/* access.c */
KW_AUTHZ_RUN(kw_authz_access);
void kw_authz_access_proceed(struct kw_authz_call *call);
KW_AUTHZ_RUN(kw_authz_access_recheck);

/* batch.c */
void kw_authz_batch_proceed(struct kw_authz_call *call);

/* provision.c */
KW_AUTHZ_RUN(kw_authz_provision);
void kw_authz_provision_proceed(struct kw_authz_call *call);
KW_AUTHZ_RUN(kw_authz_release);
void kw_authz_release_proceed(struct kw_authz_call *call);
KW_AUTHZ_RUN(kw_authz_device_confirm);

/* forward.c */
KW_AUTHZ_RUN(kw_authz_read);
KW_AUTHZ_RUN(kw_authz_key_change);

/* verification.c */
void kw_authz_verification_proceed(struct kw_authz_call *call);

/* status.c */
void kw_authz_status_proceed(struct kw_authz_call *call);

/* stores.c */
KW_AUTHZ_RUN(kw_authz_stores_list);
void kw_authz_stores_list_proceed(struct kw_authz_call *call);
KW_AUTHZ_RUN(kw_authz_stores_order);
void kw_authz_stores_order_proceed(struct kw_authz_call *call);
KW_AUTHZ_RUN(kw_authz_orphans_replay);
void kw_authz_orphans_proceed(struct kw_authz_call *call);

#endif
