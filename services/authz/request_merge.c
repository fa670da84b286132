/* Requests, of which authz keeps what ends at authz. */
#include "services/authz/request_merge.h"

const struct kw_record_kind kw_authz_request_record = {.table = KW_TABLE_AUTHZ_REQUESTS,
                                                       .name = "authz requests",
                                                       KW_RECORD_FIELDS(kw_request_fields),
                                                       .large = {KW_REQUEST_FIELD_ANSWER}};
