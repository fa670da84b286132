/* The list, by table number. */
#include "services/authz/feed_tables.h"

#include "common/sync/store_record.h"
#include "services/authz/certificate_merge.h"
#include "services/authz/certificate_table.h"
#include "services/authz/disabled_merge.h"
#include "services/authz/disabled_table.h"
#include "services/authz/grant_merge.h"
#include "services/authz/grant_table.h"
#include "services/authz/invitation_merge.h"
#include "services/authz/invitation_table.h"
#include "services/authz/member_merge.h"
#include "services/authz/member_table.h"
#include "services/authz/quota_merge.h"
#include "services/authz/quota_table.h"
#include "services/authz/request_merge.h"
#include "services/authz/request_table.h"

const struct kw_feed_table kw_authz_feed_tables[] = {
    {.kind = &kw_store_record, .disables = kw_store_record_fences},
    {.kind = &kw_member_record,
     .check = kw_member_check,
     .disables = kw_member_disables,
     .project = kw_member_project},
    {.kind = &kw_certificate_record,
     .check = kw_certificate_check,
     .disables = kw_certificate_disables,
     .project = kw_certificate_project},
    {.kind = &kw_invitation_record,
     .check = kw_invitation_check,
     .disables = kw_invitation_disables,
     .project = kw_invitation_project},
    {.kind = &kw_grant_record,
     .check = kw_grant_check,
     .disables = kw_grant_disables,
     .project = kw_grant_project},
    {.kind = &kw_quota_record, .check = kw_quota_check, .project = kw_quota_project},
    {.kind = &kw_authz_request_record, .check = kw_request_check, .project = kw_request_project},
    {.kind = &kw_disabled_record,
     .check = kw_disabled_check,
     .disables = kw_disabled_disables,
     .project = kw_disabled_project},
};

const size_t kw_authz_feed_table_count =
    sizeof(kw_authz_feed_tables) / sizeof(kw_authz_feed_tables[0]);
