/* Quotas: how often a grant may still be used now. Pure. */
#ifndef KW_SERVICES_AUTHZ_QUOTA_H
#define KW_SERVICES_AUTHZ_QUOTA_H

#include "services/authz/grant_table.h"

/* What is used of a grant's window. Zero but for the grant: nothing. */
struct kw_quota {
    struct kw_id grant;
    uint64_t window_start_ms;
    uint64_t used;   /* here */
    uint64_t others; /* used in other cells, as far as we have heard */
};

/* When the window that `now_ms` lies in began; windows follow one another from the grant's start.
 */
uint64_t kw_quota_window(const struct kw_grant_row *grant, uint64_t now_ms);

/* Operations left at `now_ms`; UINT64_MAX for a grant without quota. */
uint64_t kw_quota_left(const struct kw_grant_row *grant, const struct kw_quota *quota,
                       uint64_t now_ms);

/* Takes one. False, and nothing changed: none is left. */
bool kw_quota_take(const struct kw_grant_row *grant, struct kw_quota *quota, uint64_t now_ms);

/* How long until the next window when none is left; 0: there is no next. */
uint32_t kw_quota_retry_ms(const struct kw_grant_row *grant, const struct kw_quota *quota,
                           uint64_t now_ms);

/* Gives one back that was taken in the window of `taken_ms` and not used after all. */
void kw_quota_give_back(const struct kw_grant_row *grant, struct kw_quota *quota,
                        uint64_t taken_ms);

#endif
