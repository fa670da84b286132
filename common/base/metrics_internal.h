/* Between the cells (metrics.c) and their text (metrics_write.c). */
#ifndef KW_COMMON_BASE_METRICS_INTERNAL_H
#define KW_COMMON_BASE_METRICS_INTERNAL_H

#include "common/base/limits.h"
#include "common/base/metrics.h"

#include <stdatomic.h>

#define KW_METRIC_BOUNDS 16 /* of a histogram; one bucket more takes what lies above the last */

#define KW_METRIC_OTHER "other" /* the label value that takes what is beyond the limit */

struct kw_metric_series {
    char label[KW_METRIC_LABEL_SIZE]; /* written once, before the series is published */
    _Atomic int64_t value; /* counter or gauge; of a histogram the number of observations */
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t buckets[KW_METRIC_BOUNDS + 1];
};

struct kw_metric_family {
    atomic_size_t count; /* series in use; only grows */
    struct kw_metric_series series[KW_METRIC_LABELS_MAX];
    struct kw_metric_series other;
};

extern const double kw_metric_bounds_s[KW_METRIC_BOUNDS];

struct kw_metric_family *kw_metric_family(enum kw_metric metric);

#endif
