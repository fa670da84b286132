/* Policy: may this partner do this with this device, now and here? Pure: rows, request and clock
 * in, decision out, with the true reason.
 *
 * What authz can't see it leaves to others: whether a batch or product grant covers the device is
 * checked by the core against the key's binding, the key's state by the state table.
 */
#ifndef KW_SERVICES_AUTHZ_POLICY_H
#define KW_SERVICES_AUTHZ_POLICY_H

#include "common/base/limits.h"
#include "services/authz/member_table.h"
#include "services/authz/quota.h"

/* Why, truly. In order of how far a call came: the highest of several grants' is the one told. */
enum kw_verdict {
    KW_VERDICT_NO_GRANT,
    KW_VERDICT_GRANT_OTHER_PARTNER,
    KW_VERDICT_GRANT_REVOKED,
    KW_VERDICT_GRANT_EXPIRED,
    KW_VERDICT_GRANT_PENDING,
    KW_VERDICT_OPERATION,
    KW_VERDICT_PURPOSE,
    KW_VERDICT_REGION,
    KW_VERDICT_QUOTA,
    KW_VERDICT_STALE,
    KW_VERDICT_ALLOWED,
    KW_VERDICT_MEMBER_SUSPENDED, /* these three: whatever the grants say */
    KW_VERDICT_MEMBER_REGION,
    KW_VERDICT_TRANSPORT_KEY,
    KW_VERDICT_COUNT_,
};

/* "grant_revoked": for the denial record. Never NULL. */
const char *kw_verdict_name(enum kw_verdict verdict);

/* The verdict as a result: what the caller is told. Fails, unless it is ALLOWED: NOT_FOUND for all
 * that would tell what exists, QUOTA_EXCEEDED, AUTHZ_STALE, TRANSPORT_KEY_UNCONFIRMED,
 * IDENTITY_INVALID. */
struct kw_result kw_verdict_require(enum kw_verdict verdict, struct kw_error *err);

/* The member alone: everything about it that holds for each of its calls for keys. */
enum kw_verdict kw_policy_member(const struct kw_member_row *member,
                                 const struct kw_access *access);

/* One grant, whose scope is known to cover the device or may do so. `quota` is what is used. */
enum kw_verdict kw_policy_grant(const struct kw_member_row *member,
                                const struct kw_grant_row *grant, const struct kw_quota *quota,
                                const struct kw_access *access);

/* Which grants to try, in order: indices into the candidates. */
struct kw_choice {
    enum kw_verdict verdict;
    size_t grants[KW_GRANT_TRIES_MAX];
    size_t count; /* at least 1 when allowed */
};

/* `quotas[i]` belongs to `grants[i]`. A grant that names the device is the last that is tried. */
struct kw_choice kw_policy_decide(const struct kw_member_row *member,
                                  const struct kw_grant_row *grants, const struct kw_quota *quotas,
                                  size_t count, const struct kw_access *access);

/* Is `region` in a comma-separated list? The empty list has all. */
bool kw_policy_region_listed(const char *list, const char *region);

#endif
