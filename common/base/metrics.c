/* The metrics' cells. Each metric has a fixed array of series, one for each label value, in order
 * of first use. */
#include "common/base/metrics.h"

#include "common/base/limits.h"
#include "common/base/metrics_internal.h"

#include <assert.h>
#include <pthread.h>

static const struct kw_metric_row rows[KW_M_COUNT_] = {
#define KW_METRIC(id, kind, name, label, help) [KW_M_##id] = {name, KW_METRIC_##kind, label, help},
#include "common/base/metrics.def"
#undef KW_METRIC
};

const double kw_metric_bounds_s[KW_METRIC_BOUNDS] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                     0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                                     1,      2.5,     5,      10};

/* Protects the adding of series. Reading goes without: `count` is published after the label is
 * written. */
static pthread_mutex_t add_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct kw_metric_family families[KW_M_COUNT_];

const struct kw_metric_row *kw_metric_row(enum kw_metric metric)
{
    assert(metric < KW_M_COUNT_);
    return &rows[metric];
}

struct kw_metric_family *kw_metric_family(enum kw_metric metric)
{
    return &families[metric];
}

static struct kw_metric_series *find(struct kw_metric_family *family, const char *label)
{
    size_t count = atomic_load_explicit(&family->count, memory_order_acquire);

    if (strcmp(label, KW_METRIC_OTHER) == 0) {
        return &family->other;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(family->series[i].label, label) == 0) {
            return &family->series[i];
        }
    }
    return NULL;
}

/* Under the mutex; another thread may have been first. */
static struct kw_metric_series *add(struct kw_metric_family *family, const char *label)
{
    struct kw_metric_series *series = find(family, label);
    size_t count = atomic_load_explicit(&family->count, memory_order_relaxed);

    if (series != NULL) {
        return series;
    }
    if (count == KW_METRIC_LABELS_MAX) {
        return &family->other;
    }
    series = &family->series[count];
    kw_copy(series->label, label, strlen(label) + 1);
    atomic_store_explicit(&family->count, count + 1, memory_order_release);
    return series;
}

static struct kw_metric_series *series_of(enum kw_metric metric, const char *label)
{
    struct kw_metric_family *family = &families[metric];
    char key[KW_METRIC_LABEL_SIZE] = "";
    struct kw_metric_series *series;

    assert((label == NULL) == (rows[metric].label == NULL));
    if (label != NULL) {
        kw_copy(key, label, strnlen(label, sizeof(key) - 1));
    }
    series = find(family, key);
    if (series == NULL) {
        (void)pthread_mutex_lock(&add_mutex);
        series = add(family, key);
        (void)pthread_mutex_unlock(&add_mutex);
    }
    return series;
}

void kw_metric_add(enum kw_metric metric, const char *label, int64_t n)
{
    assert(rows[metric].kind == KW_METRIC_GAUGE ||
           (rows[metric].kind == KW_METRIC_COUNTER && n >= 0));
    (void)atomic_fetch_add_explicit(&series_of(metric, label)->value, n, memory_order_relaxed);
}

void kw_metric_set(enum kw_metric metric, const char *label, int64_t value)
{
    assert(rows[metric].kind == KW_METRIC_GAUGE);
    atomic_store_explicit(&series_of(metric, label)->value, value, memory_order_relaxed);
}

/* Buckets are kept apart and added up when written, so that an observation touches three cells. */
void kw_metric_observe(enum kw_metric metric, const char *label, double seconds)
{
    struct kw_metric_series *series = series_of(metric, label);
    size_t bucket = 0;

    assert(rows[metric].kind == KW_METRIC_HISTOGRAM && seconds >= 0);
    while (bucket < KW_METRIC_BOUNDS && seconds > kw_metric_bounds_s[bucket]) {
        bucket++;
    }
    (void)atomic_fetch_add_explicit(&series->buckets[bucket], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&series->sum_ns, (uint64_t)(seconds * 1e9),
                                    memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&series->value, 1, memory_order_relaxed);
}

int64_t kw_metric_value(enum kw_metric metric, const char *label)
{
    struct kw_metric_series *series = find(&families[metric], label != NULL ? label : "");

    return series != NULL ? atomic_load_explicit(&series->value, memory_order_relaxed) : 0;
}
