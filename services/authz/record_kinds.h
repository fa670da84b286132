/* All kinds of records that authz exchanges with the authz of other cells. */
#ifndef KW_SERVICES_AUTHZ_RECORD_KINDS_H
#define KW_SERVICES_AUTHZ_RECORD_KINDS_H

#include "common/sync/record_kind.h"

extern const struct kw_record_kind *const kw_authz_record_kinds[];
extern const size_t kw_authz_record_kind_count;

#endif
