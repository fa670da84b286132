/* Metrics: cells from many threads, bounded labels, and the exact text. */
#include "common/base/metrics.h"

#include "common/base/limits.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <stdio.h>

#define THREADS 4
#define ROUNDS  5000

static struct kw_buf text;

static void cleanup(void)
{
    kw_buf_done(&text);
}

TestSuite(metrics, .fini = cleanup);

/* True if the exposition has exactly this line. */
static bool has_line(const char *line)
{
    char wanted[256];

    kw_buf_clear(&text);
    cr_assert(kw_ok(kw_metrics_write(&text, NULL)));
    cr_assert(kw_ok(kw_buf_append(&text, KW_BYTES("", 1), NULL)));
    (void)snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    return strstr((const char *)text.data, wanted) != NULL;
}

Test(metrics, untouched_counter_is_zero_and_labelled_one_absent)
{
    cr_assert(has_line("keyward_receipts_issued_total 0"));
    cr_assert(has_line("# TYPE keyward_receipts_issued_total counter"));
    cr_assert(has_line("# HELP keyward_edge_connections Open connections of partners."));
    cr_assert(eq(ptr, strstr((const char *)text.data, "keyward_denials_total{"), NULL));
    cr_assert(eq(i64, kw_metric_value(KW_M_DENIALS, "x"), 0));
}

Test(metrics, counter_adds_by_label)
{
    kw_metric_add(KW_M_DENIALS, "quota", 2);
    kw_metric_add(KW_M_DENIALS, "grant", 1);
    kw_metric_add(KW_M_DENIALS, "quota", 3);
    cr_assert(has_line("keyward_denials_total{reason=\"quota\"} 5"));
    cr_assert(has_line("keyward_denials_total{reason=\"grant\"} 1"));
    cr_assert(eq(i64, kw_metric_value(KW_M_DENIALS, "quota"), 5));
}

Test(metrics, gauge_goes_up_and_down)
{
    kw_metric_set(KW_M_EDGE_CONNECTIONS, NULL, 7);
    kw_metric_add(KW_M_EDGE_CONNECTIONS, NULL, -2);
    cr_assert(has_line("keyward_edge_connections 5"));
}

Test(metrics, histogram_is_cumulative)
{
    kw_metric_observe(KW_M_RPC_SECONDS, "Get", 0.0001);
    kw_metric_observe(KW_M_RPC_SECONDS, "Get", 0.3);
    kw_metric_observe(KW_M_RPC_SECONDS, "Get", 60);
    cr_assert(has_line("keyward_rpc_handling_seconds_bucket{method=\"Get\",le=\"0.0001\"} 1"));
    cr_assert(has_line("keyward_rpc_handling_seconds_bucket{method=\"Get\",le=\"0.25\"} 1"));
    cr_assert(has_line("keyward_rpc_handling_seconds_bucket{method=\"Get\",le=\"0.5\"} 2"));
    cr_assert(has_line("keyward_rpc_handling_seconds_bucket{method=\"Get\",le=\"10\"} 2"));
    cr_assert(has_line("keyward_rpc_handling_seconds_bucket{method=\"Get\",le=\"+Inf\"} 3"));
    cr_assert(has_line("keyward_rpc_handling_seconds_sum{method=\"Get\"} 60.300100000"));
    cr_assert(has_line("keyward_rpc_handling_seconds_count{method=\"Get\"} 3"));
}

Test(metrics, label_values_are_escaped)
{
    kw_metric_add(KW_M_DENIALS, "a\"b\\c\nd", 1);
    cr_assert(has_line("keyward_denials_total{reason=\"a\\\"b\\\\c\\nd\"} 1"));
}

Test(metrics, long_label_values_are_cut)
{
    char label[200];

    memset(label, '"', sizeof(label));
    label[sizeof(label) - 1] = '\0';
    kw_metric_add(KW_M_DENIALS, label, 1);
    kw_metric_add(KW_M_DENIALS, label, 1);
    label[KW_METRIC_LABEL_SIZE - 1] = '\0';
    cr_assert(eq(i64, kw_metric_value(KW_M_DENIALS, label), 2));
    cr_assert(not(has_line("")), "and the text stays well formed");
}

Test(metrics, label_values_beyond_the_limit_are_other)
{
    for (int i = 0; i < KW_METRIC_LABELS_MAX + 10; i++) {
        char label[16];

        (void)snprintf(label, sizeof(label), "v%d", i);
        kw_metric_add(KW_M_DENIALS, label, 1);
    }
    cr_assert(has_line("keyward_denials_total{reason=\"v63\"} 1"));
    kw_metric_add(KW_M_DENIALS, "other", 1);
    cr_assert(has_line("keyward_denials_total{reason=\"other\"} 11"));
    cr_assert(eq(ptr, strstr((const char *)text.data, "\"v64\""), NULL));
}

static void *count_up(void *context)
{
    (void)context;
    for (int i = 0; i < ROUNDS; i++) {
        char label[16];

        (void)snprintf(label, sizeof(label), "v%d", i % 8);
        kw_metric_add(KW_M_DENIALS, label, 1);
        kw_metric_observe(KW_M_RPC_SECONDS, label, 0.001);
    }
    return NULL;
}

Test(metrics, nothing_is_lost_between_threads)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        cr_assert(eq(int, pthread_create(&threads[i], NULL, count_up, NULL), 0));
    }
    for (int i = 0; i < THREADS; i++) {
        cr_assert(eq(int, pthread_join(threads[i], NULL), 0));
    }
    for (int i = 0; i < 8; i++) {
        char label[16];

        (void)snprintf(label, sizeof(label), "v%d", i);
        cr_assert(eq(i64, kw_metric_value(KW_M_DENIALS, label), THREADS * ROUNDS / 8));
        cr_assert(eq(i64, kw_metric_value(KW_M_RPC_SECONDS, label), THREADS * ROUNDS / 8));
    }
}

Test(metrics, names_follow_the_conventions)
{
    for (int m = 0; m < KW_M_COUNT_; m++) {
        const struct kw_metric_row *row = kw_metric_row((enum kw_metric)m);
        const char *end = row->name + strlen(row->name) - strlen("_total");

        cr_assert(eq(int, strncmp(row->name, "keyward_", 8), 0), "%s", row->name);
        cr_assert(eq(int, row->kind == KW_METRIC_COUNTER, strcmp(end, "_total") == 0), "%s",
                  row->name);
    }
}
