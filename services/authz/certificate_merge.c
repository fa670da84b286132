/* Certificates. What is in one never changes, only what is said about it. Officers' certificates
 * become known to each cell by itself, so when is first said, not once. Revoked is final, there is
 * no way back; a hold has one, by its id. */
#include "services/authz/certificate_merge.h"

#include "common/sync/suspension_set.h"

static const struct kw_field_kind fields[KW_CERTIFICATE_FIELD_END_] = {
    [KW_CERTIFICATE_FIELD_NAME] = {"name", KW_RULE_ONCE},
    [KW_CERTIFICATE_FIELD_ROLE] = {"role", KW_RULE_ONCE},
    [KW_CERTIFICATE_FIELD_OWNER] = {"owner", KW_RULE_ONCE},
    [KW_CERTIFICATE_FIELD_START] = {"start", KW_RULE_ONCE},
    [KW_CERTIFICATE_FIELD_EXPIRE] = {"expire", KW_RULE_ONCE},
    [KW_CERTIFICATE_FIELD_KNOWN] = {"known", KW_RULE_FIRST},
    [KW_CERTIFICATE_FIELD_REVOKED] = {"revoked", KW_RULE_FIRST},
    [KW_CERTIFICATE_FIELD_REASON] = {"reason", KW_RULE_MAX},
    [KW_CERTIFICATE_FIELD_HOLDS] = {"holds", KW_RULE_SUSPENSIONS},
};

const struct kw_record_kind kw_certificate_record = {
    .table = KW_TABLE_CERTIFICATES, .name = "certificates", KW_RECORD_FIELDS(fields)};

bool kw_certificate_record_revoked(const struct kw_record *record)
{
    return kw_record_has(record, KW_CERTIFICATE_FIELD_REVOKED);
}

bool kw_certificate_record_stopped(const struct kw_record *record)
{
    return kw_certificate_record_revoked(record) ||
           kw_suspensions_in_force(kw_record_value(record, KW_CERTIFICATE_FIELD_HOLDS));
}
