/* Requests, of which the orchestrator keeps what ends at the orchestrator. */
#include "services/orchestrator/request_merge.h"

const struct kw_record_kind kw_orch_request_record = {.table = KW_TABLE_ORCH_REQUESTS,
                                                      .name = "orchestrator requests",
                                                      KW_RECORD_FIELDS(kw_request_fields),
                                                      .large = {KW_REQUEST_FIELD_ANSWER}};
