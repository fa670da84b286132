/* Authz's copy of disabling facts, as cells tell one another. Key: device ‖ key version ‖ kind u8 ‖
 * suspension. */
#ifndef KW_SERVICES_AUTHZ_DISABLED_MERGE_H
#define KW_SERVICES_AUTHZ_DISABLED_MERGE_H

#include "common/sync/record.h"

enum kw_disabled_field {
    KW_DISABLED_FIELD_STATEMENT = 1, /* KWF1 */
    KW_DISABLED_FIELD_END_,
};

extern const struct kw_record_kind kw_disabled_record;

#endif
