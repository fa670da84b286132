/* Members. What stops one (status, suspensions, revoke-all) merges without any clock: a profile
 * edited elsewhere at the same moment can't undo it. What is only described is in groups, each with
 * a stamp; a group is what must agree with itself. Reach is one of them: whoever must lose a region
 * for certain, whatever is edited elsewhere, is suspended or loses his grants. Versions and times
 * only grow. */
#include "services/authz/member_merge.h"

#include "common/sync/suspension_set.h"

static const struct kw_field_kind fields[KW_MEMBER_FIELD_END_] = {
    [KW_MEMBER_FIELD_KIND] = {"kind", KW_RULE_ONCE},
    [KW_MEMBER_FIELD_CREATED] = {"created", KW_RULE_ONCE},
    [KW_MEMBER_FIELD_STATUS] = {"status", KW_RULE_MAX},
    [KW_MEMBER_FIELD_SUSPENSIONS] = {"suspensions", KW_RULE_SUSPENSIONS},
    [KW_MEMBER_FIELD_REVOKE_ALL] = {"revoke_all", KW_RULE_VECTOR},
    [KW_MEMBER_FIELD_PROFILE] = {"profile", KW_RULE_LWW},
    [KW_MEMBER_FIELD_REACH] = {"reach", KW_RULE_LWW},
    [KW_MEMBER_FIELD_EPOCH] = {"epoch", KW_RULE_MAX},
    [KW_MEMBER_FIELD_TRANSPORT_VERSION] = {"transport_version", KW_RULE_MAX},
    [KW_MEMBER_FIELD_CONFIRMED_VERSION] = {"confirmed_version", KW_RULE_MAX},
    [KW_MEMBER_FIELD_CERTIFICATE_EXPIRE] = {"certificate_expire", KW_RULE_MAX},
    [KW_MEMBER_FIELD_UPDATED] = {"updated", KW_RULE_MAX},
};

const struct kw_record_kind kw_member_record = {
    .table = KW_TABLE_MEMBERS, .name = "members", KW_RECORD_FIELDS(fields)};

bool kw_member_record_revoked(const struct kw_record *record)
{
    return kw_record_u64(record, KW_MEMBER_FIELD_STATUS) >= KW_MEMBER_STATUS_REVOKED;
}

bool kw_member_record_stopped(const struct kw_record *record)
{
    return kw_member_record_revoked(record) ||
           kw_suspensions_in_force(kw_record_value(record, KW_MEMBER_FIELD_SUSPENSIONS));
}
