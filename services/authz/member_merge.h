/* Members (partners and stations) as cells tell one another: which fields a record has, how each
 * merges, and what the merged record means. Key: the member's id. */
#ifndef KW_SERVICES_AUTHZ_MEMBER_MERGE_H
#define KW_SERVICES_AUTHZ_MEMBER_MERGE_H

#include "common/sync/record.h"

enum kw_member_field {
    KW_MEMBER_FIELD_KIND = 1,
    KW_MEMBER_FIELD_CREATED,
    KW_MEMBER_FIELD_STATUS, /* enum kw_member_status */
    KW_MEMBER_FIELD_SUSPENSIONS,
    KW_MEMBER_FIELD_REVOKE_ALL, /* how often each store revoked all grants of this member */
    KW_MEMBER_FIELD_PROFILE,    /* display name, contact, location: one group */
    KW_MEMBER_FIELD_REACH,      /* regions and products: one group */
    KW_MEMBER_FIELD_EPOCH,
    KW_MEMBER_FIELD_TRANSPORT_VERSION,
    KW_MEMBER_FIELD_CONFIRMED_VERSION,
    KW_MEMBER_FIELD_CERTIFICATE_EXPIRE,
    KW_MEMBER_FIELD_UPDATED,
    KW_MEMBER_FIELD_END_,
};

/* A higher number, from a later release, is taken as REVOKED. */
enum kw_member_status {
    KW_MEMBER_STATUS_ACTIVE = 1,
    KW_MEMBER_STATUS_REVOKED,
};

extern const struct kw_record_kind kw_member_record;

/* For good? */
bool kw_member_record_revoked(const struct kw_record *record);

/* May it do nothing, be it revoked or suspended? */
bool kw_member_record_stopped(const struct kw_record *record);

#endif
