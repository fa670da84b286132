/* Status details: what a caller is told about an error, as google.rpc.Status (AIP-193).
 *
 * Always exactly one ErrorInfo{reason of errors.def, domain "keyward"}; BadRequest when a field is
 * to blame; RetryInfo when waiting helps; RequestInfo when the request is known. */
#ifndef KW_SERVICES_GATEWAY_STATUS_DETAILS_H
#define KW_SERVICES_GATEWAY_STATUS_DETAILS_H

#include "common/base/bytes.h"

#define KW_ERROR_DOMAIN "keyward"

struct kw_status_details {
    enum kw_reason reason;      /* not KW_E_NONE */
    const char *field;          /* of the request; NULL or "": none */
    const char *description;    /* for the caller; NULL or "": the reason's text */
    uint32_t retry_after_ms;    /* 0: not said by who refused */
    struct kw_bytes request_id; /* may be empty */
};

/* The text of the status: the description, or else the reason's. */
const char *kw_status_message(const struct kw_status_details *details);

/* Appends the google.rpc.Status. Any thread. Fails: MEMORY. */
struct kw_result kw_status_details_append(const struct kw_status_details *details,
                                          struct kw_buf *out, struct kw_error *err);

/* The edge's `describe`: for the errors that it makes itself. */
void kw_status_describe(enum kw_reason reason, struct kw_buf *details, void *context);

#endif
