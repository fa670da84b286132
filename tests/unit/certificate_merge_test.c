/* Certificates: revoked is final, a hold is not. */
#include "common/sync/suspension_set.h"
#include "services/authz/certificate_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

static bool usable(const struct kw_record *record)
{
    return !kw_certificate_record_stopped(record);
}

Test(certificate_merge, laws_hold)
{
    struct laws laws = laws_new(&kw_certificate_record);

    laws.dead = kw_certificate_record_revoked;
    laws.usable = usable;
    LAWS_AXIS(&laws, KW_CERTIFICATE_FIELD_KNOWN, value_first(1, store_a, ""));
    LAWS_AXIS(&laws, KW_CERTIFICATE_FIELD_REVOKED, value_first(2, store_a, "stolen"),
              value_first(2, store_a, "lost"), value_first(3, store_b, "stolen"));
    LAWS_AXIS(&laws, KW_CERTIFICATE_FIELD_REASON, value_u64(1), value_u64(2));
    LAWS_AXIS(&laws, KW_CERTIFICATE_FIELD_HOLDS, value_suspensions(1, 0), value_suspensions(2, 0),
              value_suspensions(3, 0));
    LAWS_UNKNOWN(&laws, 63, KW_RULE_OR, KW_BYTES_NONE);
    laws_hold(&laws);
}

Test(certificate_merge, a_hold_stops_and_is_lifted_a_revocation_stays)
{
    struct kw_record record = {.table = kw_certificate_record.table, .key = kw_bytes_str("key")};

    cr_assert_not(kw_certificate_record_stopped(&record));
    MUST(kw_record_set(&record, &kw_certificate_record, KW_CERTIFICATE_FIELD_HOLDS,
                       value_suspensions(KW_SUSPENSION_SET, 0), err));
    cr_assert(kw_certificate_record_stopped(&record));
    cr_assert_not(kw_certificate_record_revoked(&record));
    MUST(kw_record_set(&record, &kw_certificate_record, KW_CERTIFICATE_FIELD_HOLDS,
                       value_suspensions(KW_SUSPENSION_SET | KW_SUSPENSION_LIFTED, 0), err));
    cr_assert_not(kw_certificate_record_stopped(&record));
    MUST(kw_record_set(&record, &kw_certificate_record, KW_CERTIFICATE_FIELD_REVOKED,
                       value_first(0, store_a, ""), err));
    cr_assert(kw_certificate_record_stopped(&record) && kw_certificate_record_revoked(&record));
}
