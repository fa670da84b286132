/* The metrics as Prometheus' text exposition format 0.0.4. */
#include "common/base/metrics_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_SIZE 256
/* Every byte of a label may need a backslash. */
#define ESCAPED_SIZE (2 * KW_METRIC_LABEL_SIZE)

static const char *const kind_names[] = {[KW_METRIC_COUNTER] = "counter",
                                         [KW_METRIC_GAUGE] = "gauge",
                                         [KW_METRIC_HISTOGRAM] = "histogram"};

/* The series being written, and how it calls itself: `name{label="value"`, without the closing
 * brace. */
struct subject {
    struct kw_buf *out;
    const struct kw_metric_row *row;
    const struct kw_metric_series *series;
    char value[ESCAPED_SIZE]; /* the label's value, escaped */
};

static __attribute__((format(printf, 3, 4))) struct kw_result
put(struct kw_buf *out, struct kw_error *err, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    KW_ENSURE(len >= 0 && (size_t)len < sizeof(line), err, INTERNAL, "a metric's line is too long");
    return kw_buf_append(out, KW_BYTES(line, (size_t)len), err);
}

static void escape(const char *text, char *escaped)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || *text == '\n') {
            *escaped++ = '\\';
        }
        *escaped++ = *text == '\n' ? 'n' : *text;
    }
    *escaped = '\0';
}

/* `name suffix {label="value",le="bound"}`, each part only where there is one. */
static struct kw_result put_name(const struct subject *s, const char *suffix, const char *bound,
                                 struct kw_error *err)
{
    bool has_label = s->row->label != NULL;

    KW_TRY(put(s->out, err, "%s%s", s->row->name, suffix));
    if (!has_label && bound == NULL) {
        return put(s->out, err, " ");
    }
    KW_TRY(put(s->out, err, "{"));
    if (has_label) {
        KW_TRY(put(s->out, err, "%s=\"%s\"%s", s->row->label, s->value, bound != NULL ? "," : ""));
    }
    if (bound != NULL) {
        KW_TRY(put(s->out, err, "le=\"%s\"", bound));
    }
    return put(s->out, err, "} ");
}

static struct kw_result put_bucket(const struct subject *s, size_t i, uint64_t total,
                                   struct kw_error *err)
{
    char bound[32] = "+Inf";

    if (i < KW_METRIC_BOUNDS) {
        (void)snprintf(bound, sizeof(bound), "%g", kw_metric_bounds_s[i]);
    }
    KW_TRY(put_name(s, "_bucket", bound, err));
    return put(s->out, err, "%" PRIu64 "\n", total);
}

/* The count is the sum of the buckets just read, so that a scrape is consistent in itself. */
static struct kw_result put_histogram(const struct subject *s, struct kw_error *err)
{
    uint64_t total = 0;
    uint64_t sum_ns = atomic_load_explicit(&s->series->sum_ns, memory_order_relaxed);

    for (size_t i = 0; i <= KW_METRIC_BOUNDS; i++) {
        total += atomic_load_explicit(&s->series->buckets[i], memory_order_relaxed);
        KW_TRY(put_bucket(s, i, total, err));
    }
    KW_TRY(put_name(s, "_sum", NULL, err));
    KW_TRY(put(s->out, err, "%" PRIu64 ".%09" PRIu64 "\n", sum_ns / 1000000000U,
               sum_ns % 1000000000U));
    KW_TRY(put_name(s, "_count", NULL, err));
    return put(s->out, err, "%" PRIu64 "\n", total);
}

static struct kw_result put_series(struct kw_buf *out, const struct kw_metric_row *row,
                                   const struct kw_metric_series *series, const char *label,
                                   struct kw_error *err)
{
    struct subject s = {.out = out, .row = row, .series = series};

    escape(label, s.value);
    if (row->kind == KW_METRIC_HISTOGRAM) {
        return put_histogram(&s, err);
    }
    KW_TRY(put_name(&s, "", NULL, err));
    return put(out, err, "%" PRId64 "\n",
               atomic_load_explicit(&series->value, memory_order_relaxed));
}

/* Help texts are as long as they need to be. */
static struct kw_result put_help(struct kw_buf *out, const struct kw_metric_row *row,
                                 struct kw_error *err)
{
    const char *const words[] = {"# HELP ", row->name, " ", row->help, "\n"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        KW_TRY(kw_buf_append(out, kw_bytes_str(words[i]), err));
    }
    return KW_OK;
}

static struct kw_result put_family(struct kw_buf *out, enum kw_metric metric, struct kw_error *err)
{
    const struct kw_metric_row *row = kw_metric_row(metric);
    struct kw_metric_family *family = kw_metric_family(metric);
    size_t count = atomic_load_explicit(&family->count, memory_order_acquire);

    KW_TRY(put_help(out, row, err));
    KW_TRY(put(out, err, "# TYPE %s %s\n", row->name, kind_names[row->kind]));
    /* A metric without label exists from the start, or a rate over its first event would see
     * nothing. */
    if (row->label == NULL && count == 0) {
        return put_series(out, row, &family->series[0], "", err);
    }
    for (size_t i = 0; i < count; i++) {
        KW_TRY(put_series(out, row, &family->series[i], family->series[i].label, err));
    }
    if (atomic_load_explicit(&family->other.value, memory_order_relaxed) != 0) {
        KW_TRY(put_series(out, row, &family->other, KW_METRIC_OTHER, err));
    }
    return KW_OK;
}

struct kw_result kw_metrics_write(struct kw_buf *out, struct kw_error *err)
{
    for (int metric = 0; metric < KW_M_COUNT_; metric++) {
        KW_TRY(put_family(out, (enum kw_metric)metric, err));
    }
    return KW_OK;
}
