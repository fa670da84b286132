/* Invitations as cells tell one another. Key: the invitation's id. */
#ifndef KW_SERVICES_AUTHZ_INVITATION_MERGE_H
#define KW_SERVICES_AUTHZ_INVITATION_MERGE_H

#include "common/sync/record.h"

enum kw_invitation_field {
    KW_INVITATION_FIELD_MEMBER = 1,
    KW_INVITATION_FIELD_RECORD, /* KWI1 */
    KW_INVITATION_FIELD_CREATED,
    KW_INVITATION_FIELD_EXPIRE,
    KW_INVITATION_FIELD_ENROLMENTS, /* digests of the pairs of keys that claimed it */
    KW_INVITATION_FIELD_ANSWER,     /* the first one given */
    KW_INVITATION_FIELD_HELD,
    KW_INVITATION_FIELD_ENDED,
    KW_INVITATION_FIELD_END_,
};

extern const struct kw_record_kind kw_invitation_record;

/* Did two different enrolments claim it, here or in two cells? Then nobody gets anything by it. */
bool kw_invitation_record_held(const struct kw_record *record);

/* Is it of no use any more, held or ended? */
bool kw_invitation_record_over(const struct kw_record *record);

#endif
