/* The list, by table number. */
#include "services/authz/record_kinds.h"

#include "common/sync/store_record.h"
#include "services/authz/certificate_merge.h"
#include "services/authz/disabled_merge.h"
#include "services/authz/grant_merge.h"
#include "services/authz/invitation_merge.h"
#include "services/authz/member_merge.h"
#include "services/authz/quota_merge.h"
#include "services/authz/request_merge.h"

const struct kw_record_kind *const kw_authz_record_kinds[] = {
    &kw_store_record, &kw_member_record, &kw_certificate_record,   &kw_invitation_record,
    &kw_grant_record, &kw_quota_record,  &kw_authz_request_record, &kw_disabled_record,
};

const size_t kw_authz_record_kind_count =
    sizeof(kw_authz_record_kinds) / sizeof(kw_authz_record_kinds[0]);
