/* Grants as cells tell one another. Key: the grant's id. */
#ifndef KW_SERVICES_AUTHZ_GRANT_MERGE_H
#define KW_SERVICES_AUTHZ_GRANT_MERGE_H

#include "common/sync/record.h"

enum kw_grant_field {
    KW_GRANT_FIELD_PARTNER = 1,
    KW_GRANT_FIELD_SCOPE,
    KW_GRANT_FIELD_SCOPE_ID,
    KW_GRANT_FIELD_DEVICES, /* ids, ascending */
    KW_GRANT_FIELD_OPERATIONS,
    KW_GRANT_FIELD_PURPOSE,
    KW_GRANT_FIELD_START,
    KW_GRANT_FIELD_END,
    KW_GRANT_FIELD_MAX_OPERATIONS,
    KW_GRANT_FIELD_WINDOW,
    KW_GRANT_FIELD_REGIONS,
    KW_GRANT_FIELD_STRICT,
    KW_GRANT_FIELD_NO_CACHE,
    KW_GRANT_FIELD_JUSTIFICATION,
    KW_GRANT_FIELD_CREATED,
    KW_GRANT_FIELD_SEEN,    /* the partner's revoke_all, as known where it was granted */
    KW_GRANT_FIELD_REVOKED, /* since when, where first, and why in words */
    KW_GRANT_FIELD_END_,
};

extern const struct kw_record_kind kw_grant_record;

/* By itself, for good? */
bool kw_grant_record_revoked(const struct kw_record *grant);

/* Was a grant with this vector made in knowledge of every "revoke all" of its partner? */
bool kw_grant_knew(struct kw_bytes seen, struct kw_bytes revoke_all);

/* Does it stand, as far as revocations go: not revoked, its partner not stopped, and granted in
 * knowledge of every "revoke all" of that partner? */
bool kw_grant_record_stands(const struct kw_record *grant, const struct kw_record *partner);

#endif
