/* All kinds of records that an orchestrator exchanges with the orchestrators of other cells. */
#ifndef KW_SERVICES_ORCHESTRATOR_RECORD_KINDS_H
#define KW_SERVICES_ORCHESTRATOR_RECORD_KINDS_H

#include "common/sync/record_kind.h"

extern const struct kw_record_kind *const kw_orch_record_kinds[];
extern const size_t kw_orch_record_kind_count;

#endif
