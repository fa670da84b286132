/* Metrics: counters, gauges and histograms, all named in metrics.def, written in Prometheus' text
 * format.
 *
 * Updates come from any thread and never block on one another once a label value is known. A metric
 * keeps at most KW_METRIC_LABELS_MAX label values; what comes after them counts as "other", so that
 * nobody outside can make a process grow by inventing values.
 */
#ifndef KW_COMMON_BASE_METRICS_H
#define KW_COMMON_BASE_METRICS_H

#include "common/base/bytes.h"

enum kw_metric {
#define KW_METRIC(id, kind, name, label, help) KW_M_##id,
#include "common/base/metrics.def"
#undef KW_METRIC
    KW_M_COUNT_
};

enum kw_metric_kind {
    KW_METRIC_COUNTER,
    KW_METRIC_GAUGE,
    KW_METRIC_HISTOGRAM
};

/* One row of metrics.def. */
struct kw_metric_row {
    const char *name;
    enum kw_metric_kind kind;
    const char *label; /* name of the label, or NULL */
    const char *help;
};

const struct kw_metric_row *kw_metric_row(enum kw_metric metric);

/* In all of these `label` is the label's value, copied; NULL exactly for metrics without one. Any
 * thread. */

/* Adds to a counter (n >= 0) or a gauge. */
void kw_metric_add(enum kw_metric metric, const char *label, int64_t n);

/* Sets a gauge. */
void kw_metric_set(enum kw_metric metric, const char *label, int64_t value);

/* Counts one duration in a histogram. */
void kw_metric_observe(enum kw_metric metric, const char *label, double seconds);

/* The present value of a counter or gauge, the number of observations of a histogram; 0 if never
 * touched. */
int64_t kw_metric_value(enum kw_metric metric, const char *label);

/* Appends everything in Prometheus' text exposition format 0.0.4. Fails: MEMORY. */
struct kw_result kw_metrics_write(struct kw_buf *out, struct kw_error *err);

#endif
