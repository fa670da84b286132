/* Table quotas: how much of each grant's quota is used. Store's threads. */
#ifndef KW_SERVICES_AUTHZ_QUOTA_TABLE_H
#define KW_SERVICES_AUTHZ_QUOTA_TABLE_H

#include "common/store/store.h"
#include "services/authz/quota.h"

/* Fails: STORE_UNAVAILABLE. */
struct kw_result kw_quota_store(struct kw_tx *tx, const struct kw_quota *quota,
                                struct kw_error *err);

/* Those behind grant `after`, at most `max`. Fails: STORE_UNAVAILABLE, INTERNAL. */
struct kw_result kw_quota_list(struct kw_tx *tx, struct kw_id after, struct kw_quota *quotas,
                               size_t max, size_t *ret_count, struct kw_error *err);

#endif
