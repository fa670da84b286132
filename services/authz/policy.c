/* The decision, as a list of what must hold. */
#include "services/authz/policy.h"

static const char *const names[KW_VERDICT_COUNT_] = {
    [KW_VERDICT_NO_GRANT] = "no_grant",
    [KW_VERDICT_GRANT_OTHER_PARTNER] = "grant_other_partner",
    [KW_VERDICT_GRANT_REVOKED] = "grant_revoked",
    [KW_VERDICT_GRANT_EXPIRED] = "grant_expired",
    [KW_VERDICT_GRANT_PENDING] = "grant_pending",
    [KW_VERDICT_OPERATION] = "operation_not_granted",
    [KW_VERDICT_PURPOSE] = "purpose_not_granted",
    [KW_VERDICT_REGION] = "region_not_granted",
    [KW_VERDICT_QUOTA] = "quota_exceeded",
    [KW_VERDICT_STALE] = "authz_stale",
    [KW_VERDICT_ALLOWED] = "allowed",
    [KW_VERDICT_MEMBER_SUSPENDED] = "member_suspended",
    [KW_VERDICT_MEMBER_REGION] = "member_region",
    [KW_VERDICT_TRANSPORT_KEY] = "transport_key_unconfirmed",
};

const char *kw_verdict_name(enum kw_verdict verdict)
{
    return names[verdict];
}

struct kw_result kw_verdict_require(enum kw_verdict verdict, struct kw_error *err)
{
    KW_ENSURE(verdict != KW_VERDICT_QUOTA, err, QUOTA_EXCEEDED, "%s", names[verdict]);
    KW_ENSURE(verdict != KW_VERDICT_STALE, err, AUTHZ_STALE, "%s", names[verdict]);
    KW_ENSURE(verdict != KW_VERDICT_MEMBER_SUSPENDED, err, IDENTITY_INVALID, "%s", names[verdict]);
    KW_ENSURE(verdict != KW_VERDICT_TRANSPORT_KEY, err, TRANSPORT_KEY_UNCONFIRMED, "%s",
              names[verdict]);
    KW_ENSURE(verdict == KW_VERDICT_ALLOWED, err, NOT_FOUND, "%s", names[verdict]);
    return KW_OK;
}

bool kw_policy_region_listed(const char *list, const char *region)
{
    size_t len = strlen(region);

    if (list[0] == '\0') {
        return true;
    }
    for (const char *item = list; item != NULL; item = strchr(item, ',')) {
        item += *item == ',' ? 1 : 0;
        if (strncmp(item, region, len) == 0 && (item[len] == ',' || item[len] == '\0')) {
            return true;
        }
    }
    return false;
}

enum kw_verdict kw_policy_member(const struct kw_member_row *member, const struct kw_access *access)
{
    if (member->suspended) {
        return KW_VERDICT_MEMBER_SUSPENDED;
    }
    if (!kw_policy_region_listed(member->regions, access->region)) {
        return KW_VERDICT_MEMBER_REGION;
    }
    return member->confirmed_version > 0 ? KW_VERDICT_ALLOWED : KW_VERDICT_TRANSPORT_KEY;
}

static enum kw_verdict time_verdict(const struct kw_grant_row *grant, uint64_t now_ms)
{
    switch (kw_grant_state(grant, now_ms)) {
    case KW_GRANT_REVOKED:
        return KW_VERDICT_GRANT_REVOKED;
    case KW_GRANT_EXPIRED:
        return KW_VERDICT_GRANT_EXPIRED;
    case KW_GRANT_PENDING:
        return KW_VERDICT_GRANT_PENDING;
    case KW_GRANT_ACTIVE:
        break;
    }
    return KW_VERDICT_ALLOWED;
}

enum kw_verdict kw_policy_grant(const struct kw_member_row *member,
                                const struct kw_grant_row *grant, const struct kw_quota *quota,
                                const struct kw_access *access)
{
    enum kw_verdict time = time_verdict(grant, access->now_ms);

    if (!kw_id_is_none(access->grant) && !kw_id_equal(access->grant, grant->id)) {
        return KW_VERDICT_NO_GRANT;
    }
    if (!kw_id_equal(grant->partner, member->id)) {
        return KW_VERDICT_GRANT_OTHER_PARTNER;
    }
    if (time != KW_VERDICT_ALLOWED) {
        return time;
    }
    if ((grant->operations & access->operation) == 0) {
        return KW_VERDICT_OPERATION;
    }
    if (strcmp(grant->purpose, access->purpose) != 0) {
        return KW_VERDICT_PURPOSE;
    }
    if (!kw_policy_region_listed(grant->regions, access->region)) {
        return KW_VERDICT_REGION;
    }
    if (kw_quota_left(grant, quota, access->now_ms) == 0) {
        return KW_VERDICT_QUOTA;
    }
    return grant->strict && access->age_ms > access->age_max_ms ? KW_VERDICT_STALE
                                                                : KW_VERDICT_ALLOWED;
}

struct kw_choice kw_policy_decide(const struct kw_member_row *member,
                                  const struct kw_grant_row *grants, const struct kw_quota *quotas,
                                  size_t count, const struct kw_access *access)
{
    struct kw_choice choice = {.verdict = kw_policy_member(member, access)};

    if (choice.verdict != KW_VERDICT_ALLOWED) {
        return choice;
    }
    choice.verdict = KW_VERDICT_NO_GRANT;
    for (size_t i = 0; i < count && choice.count < KW_GRANT_TRIES_MAX; i++) {
        enum kw_verdict verdict = kw_policy_grant(member, &grants[i], &quotas[i], access);

        choice.verdict = verdict > choice.verdict ? verdict : choice.verdict;
        if (verdict == KW_VERDICT_ALLOWED) {
            choice.grants[choice.count++] = i;
            if (grants[i].scope == KW_SCOPE_BODY) {
                break; /* it certainly covers the device */
            }
        }
    }
    return choice;
}
