/* What a service of this machine shows at /metrics. */
#ifndef KW_CLI_METRICS_PAGE_H
#define KW_CLI_METRICS_PAGE_H

#include "common/base/metrics.h"

/* Appends the page of the service whose metrics have this port of 127.0.0.1, with a NUL. Blocks for a
 * few seconds at most. Fails: PEER_UNAVAILABLE, MEMORY. */
struct kw_result kw_metrics_page_read(int port, struct kw_buf *ret_page, struct kw_error *err);

/* The value that a page has for a metric with this value of its label. */
bool kw_metrics_page_find(const char *page, enum kw_metric metric, const char *label,
                          int64_t *ret_value);

#endif
