/* Invitations. In one cell the first enrolment claims it and a second one is turned away; in two
 * cells that can't hear one another each is the first. So claims are kept, all of them: when the
 * cells meet, both know of two, and the invitation is held in both. */
#include "services/authz/invitation_merge.h"

#include "common/sync/grow_set.h"

static const struct kw_field_kind fields[KW_INVITATION_FIELD_END_] = {
    [KW_INVITATION_FIELD_MEMBER] = {"member", KW_RULE_ONCE},
    [KW_INVITATION_FIELD_RECORD] = {"record", KW_RULE_ONCE},
    [KW_INVITATION_FIELD_CREATED] = {"created", KW_RULE_ONCE},
    [KW_INVITATION_FIELD_EXPIRE] = {"expire", KW_RULE_ONCE},
    [KW_INVITATION_FIELD_ENROLMENTS] = {"enrolments", KW_RULE_RIVALS},
    [KW_INVITATION_FIELD_ANSWER] = {"answer", KW_RULE_FIRST},
    [KW_INVITATION_FIELD_HELD] = {"held", KW_RULE_FIRST},
    [KW_INVITATION_FIELD_ENDED] = {"ended", KW_RULE_FIRST},
};

const struct kw_record_kind kw_invitation_record = {
    .table = KW_TABLE_INVITATIONS, .name = "invitations", KW_RECORD_FIELDS(fields)};

bool kw_invitation_record_held(const struct kw_record *record)
{
    return kw_record_has(record, KW_INVITATION_FIELD_HELD) ||
           kw_set_count(kw_record_value(record, KW_INVITATION_FIELD_ENROLMENTS)) > 1;
}

bool kw_invitation_record_over(const struct kw_record *record)
{
    return kw_invitation_record_held(record) || kw_record_has(record, KW_INVITATION_FIELD_ENDED);
}
