/* The list, by table number. */
#include "services/authz/feed_tables.h"

#include "common/sync/store_record.h"
#include "services/authz/certificate_merge.h"
#include "services/authz/disabled_merge.h"
#include "services/authz/grant_merge.h"
#include "services/authz/invitation_merge.h"
#include "services/authz/member_merge.h"
#include "services/authz/quota_merge.h"
#include "services/authz/request_merge.h"

const struct kw_feed_table kw_authz_feed_tables[] = {
    {.kind = &kw_store_record},
    {.kind = &kw_member_record},
    {.kind = &kw_certificate_record},
    {.kind = &kw_invitation_record},
    {.kind = &kw_grant_record},
    {.kind = &kw_quota_record},
    {.kind = &kw_authz_request_record},
    {.kind = &kw_disabled_record},
};

const size_t kw_authz_feed_table_count =
    sizeof(kw_authz_feed_tables) / sizeof(kw_authz_feed_tables[0]);
