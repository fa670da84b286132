/* Members: what stops one survives every merge. */
#include "common/sync/suspension_set.h"
#include "services/authz/member_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

#define ON   KW_SUSPENSION_SET
#define OFF  KW_SUSPENSION_LIFTED
#define BOTH (ON | OFF)

#define EVERY_SUSPENSION                                                                           \
    value_suspensions(0, ON), value_suspensions(0, OFF), value_suspensions(0, BOTH),               \
        value_suspensions(ON, 0), value_suspensions(ON, ON), value_suspensions(ON, OFF),           \
        value_suspensions(ON, BOTH), value_suspensions(OFF, 0), value_suspensions(OFF, ON),        \
        value_suspensions(OFF, OFF), value_suspensions(OFF, BOTH), value_suspensions(BOTH, 0),     \
        value_suspensions(BOTH, ON), value_suspensions(BOTH, OFF), value_suspensions(BOTH, BOTH)

static bool usable(const struct kw_record *record)
{
    return !kw_member_record_stopped(record);
}

Test(member_merge, laws_hold_over_status_and_every_two_suspensions)
{
    struct laws laws = laws_new(&kw_member_record);

    laws.dead = kw_member_record_revoked;
    laws.usable = usable;
    LAWS_AXIS(&laws, KW_MEMBER_FIELD_STATUS, value_u64(KW_MEMBER_STATUS_ACTIVE),
              value_u64(KW_MEMBER_STATUS_REVOKED));
    LAWS_AXIS(&laws, KW_MEMBER_FIELD_SUSPENSIONS, EVERY_SUSPENSION);
    LAWS_UNKNOWN(&laws, 40, KW_RULE_MAX, value_u64(1), value_u64(2));
    laws_hold(&laws);
}

Test(member_merge, laws_hold_over_what_is_edited_and_what_only_grows)
{
    struct laws laws = laws_new(&kw_member_record);

    laws.dead = kw_member_record_revoked;
    LAWS_AXIS(&laws, KW_MEMBER_FIELD_STATUS, value_u64(KW_MEMBER_STATUS_REVOKED));
    LAWS_AXIS(&laws, KW_MEMBER_FIELD_REVOKE_ALL, value_vector(1, 0), value_vector(0, 1),
              value_vector(1, 1));
    LAWS_AXIS(&laws, KW_MEMBER_FIELD_PROFILE, value_lww(1, store_a, "one"),
              value_lww(1, store_b, "one"), value_lww(1, store_b, "two"),
              value_lww_after_b(2, store_a, 1, "three"));
    LAWS_AXIS(&laws, KW_MEMBER_FIELD_TRANSPORT_VERSION, value_u64(1), value_u64(256));
    laws_hold(&laws);
}

static struct kw_record member_with(uint8_t field, struct kw_bytes value)
{
    struct kw_record record = {.table = kw_member_record.table, .key = kw_bytes_str("key")};

    MUST(kw_record_set(&record, &kw_member_record, field, value, err));
    return record;
}

Test(member_merge, a_later_profile_does_not_undo_a_revocation)
{
    struct kw_record revoked =
        member_with(KW_MEMBER_FIELD_STATUS, value_u64(KW_MEMBER_STATUS_REVOKED));
    struct kw_record edited = member_with(KW_MEMBER_FIELD_PROFILE, value_lww(9, store_b, "new"));
    struct kw_record merged;

    MUST(kw_record_set(&edited, &kw_member_record, KW_MEMBER_FIELD_STATUS,
                       value_u64(KW_MEMBER_STATUS_ACTIVE), err));
    MUST(kw_record_merge(&revoked, &edited, values_arena(), NULL, &merged, err));
    cr_assert(kw_member_record_revoked(&merged));
    cr_assert(kw_bytes_equal(kw_record_value(&merged, KW_MEMBER_FIELD_PROFILE),
                             value_lww(9, store_b, "new")));
}

Test(member_merge, a_status_of_a_later_release_stops)
{
    struct kw_record record = member_with(KW_MEMBER_FIELD_STATUS, value_u64(77));

    cr_assert(kw_member_record_revoked(&record));
    cr_assert(kw_member_record_stopped(&record));
}

Test(member_merge, a_suspension_stops_until_it_is_lifted)
{
    struct kw_record record = member_with(KW_MEMBER_FIELD_SUSPENSIONS, value_suspensions(BOTH, ON));

    cr_assert(kw_member_record_stopped(&record));
    cr_assert_not(kw_member_record_revoked(&record));
    record = member_with(KW_MEMBER_FIELD_SUSPENSIONS, value_suspensions(BOTH, BOTH));
    cr_assert_not(kw_member_record_stopped(&record));
}
