/* Grants. One never changes: changing is revoking and granting anew. So the only thing two cells
 * can say differently is whether it is revoked, and that is final.
 *
 * "Revoke all of this partner" does not name grants, so it must also reach those that another cell
 * makes at the same moment. Each store counts its own; a grant carries the counts its maker knew,
 * and stands only while it knew them all. One number for all stores would not do: two cells that
 * revoke at once count to the same number, and a grant made in knowledge of one would survive the
 * other. */
#include "services/authz/grant_merge.h"

#include "common/sync/version_vector.h"
#include "services/authz/member_merge.h"

static const struct kw_field_kind fields[KW_GRANT_FIELD_END_] = {
    [KW_GRANT_FIELD_PARTNER] = {"partner", KW_RULE_ONCE},
    [KW_GRANT_FIELD_SCOPE] = {"scope", KW_RULE_ONCE},
    [KW_GRANT_FIELD_SCOPE_ID] = {"scope_id", KW_RULE_ONCE},
    [KW_GRANT_FIELD_DEVICES] = {"devices", KW_RULE_ONCE},
    [KW_GRANT_FIELD_OPERATIONS] = {"operations", KW_RULE_ONCE},
    [KW_GRANT_FIELD_PURPOSE] = {"purpose", KW_RULE_ONCE},
    [KW_GRANT_FIELD_START] = {"start", KW_RULE_ONCE},
    [KW_GRANT_FIELD_END] = {"end", KW_RULE_ONCE},
    [KW_GRANT_FIELD_MAX_OPERATIONS] = {"max_operations", KW_RULE_ONCE},
    [KW_GRANT_FIELD_WINDOW] = {"window", KW_RULE_ONCE},
    [KW_GRANT_FIELD_REGIONS] = {"regions", KW_RULE_ONCE},
    [KW_GRANT_FIELD_STRICT] = {"strict", KW_RULE_ONCE},
    [KW_GRANT_FIELD_NO_CACHE] = {"no_cache", KW_RULE_ONCE},
    [KW_GRANT_FIELD_JUSTIFICATION] = {"justification", KW_RULE_ONCE},
    [KW_GRANT_FIELD_CREATED] = {"created", KW_RULE_ONCE},
    [KW_GRANT_FIELD_SEEN] = {"seen", KW_RULE_ONCE},
    [KW_GRANT_FIELD_REVOKED] = {"revoked", KW_RULE_FIRST},
};

const struct kw_record_kind kw_grant_record = {
    .table = KW_TABLE_GRANTS, .name = "grants", KW_RECORD_FIELDS(fields)};

bool kw_grant_record_revoked(const struct kw_record *grant)
{
    return kw_record_has(grant, KW_GRANT_FIELD_REVOKED);
}

/* A vector that is none knows nothing. */
bool kw_grant_knew(struct kw_bytes seen, struct kw_bytes revoke_all)
{
    return kw_vector_covers(kw_vector_valid(seen) ? seen : KW_BYTES_NONE, revoke_all);
}

bool kw_grant_record_stands(const struct kw_record *grant, const struct kw_record *partner)
{
    return !kw_grant_record_revoked(grant) && !kw_member_record_stopped(partner) &&
           kw_grant_knew(kw_record_value(grant, KW_GRANT_FIELD_SEEN),
                         kw_record_value(partner, KW_MEMBER_FIELD_REVOKE_ALL));
}
