/* Facts about keys as cells tell one another. Key: key version ‖ kind u8 ‖ suspension. */
#ifndef KW_SERVICES_ORCHESTRATOR_FACT_MERGE_H
#define KW_SERVICES_ORCHESTRATOR_FACT_MERGE_H

#include "common/sync/record.h"

enum kw_fact_field {
    KW_FACT_FIELD_STATEMENT = 1, /* KWF1 var ‖ MAC var ‖ justification var */
    KW_FACT_FIELD_END_,
};

extern const struct kw_record_kind kw_fact_record;

#endif
