/* Quotas as cells tell one another. Key: the grant's id ‖ start of the window, u64: a window that
 * is over is never written again, and no clock decides which of two is the present one. */
#ifndef KW_SERVICES_AUTHZ_QUOTA_MERGE_H
#define KW_SERVICES_AUTHZ_QUOTA_MERGE_H

#include "common/sync/record.h"

enum kw_quota_field {
    KW_QUOTA_FIELD_USED = 1, /* by each store */
    KW_QUOTA_FIELD_END_,
};

extern const struct kw_record_kind kw_quota_record;

/* By all stores together. UINT64_MAX: more than can be counted. */
uint64_t kw_quota_record_used(const struct kw_record *record);

#endif
