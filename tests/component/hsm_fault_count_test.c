/* What the HSM is really asked, counted by the shim, is what a worker reports and what docs/performance.md says. */
#include "common/base/clock.h"
#include "common/base/file.h"
#include "tests/component/hsm_fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define PAGE_MAX (1024U * 1024U)

TestSuite(hsm_fault_count, .init = fault_up, .fini = fault_down, .timeout = 300);

/* The functions that stats.h counts, as the shim names them. */
static const enum p11_function shims[] = {
#define SHIM_FUNCTION(name) [KW_C_##name] = P11_##name,
    KW_HSM_FUNCTIONS(SHIM_FUNCTION)
#undef SHIM_FUNCTION
};

struct counts {
    uint64_t shim[KW_C_COUNT_];
    uint64_t stats[KW_C_COUNT_];
};

static struct counts counts_now(void)
{
    struct counts counts;
    struct kw_hsm_stats stats;

    kw_hsm_pool_stats(fault.pool, &stats);
    for (int f = 0; f < KW_C_COUNT_; f++) {
        counts.shim[f] = p11_fault_calls(&fault.p11, shims[f]);
        counts.stats[f] = stats.calls[f];
    }
    return counts;
}

static struct counts difference(const struct counts *a, const struct counts *b)
{
    struct counts counts;

    for (int f = 0; f < KW_C_COUNT_; f++) {
        counts.shim[f] = b->shim[f] - a->shim[f];
        counts.stats[f] = b->stats[f] - a->stats[f];
    }
    return counts;
}

/* The calls of one request, with no probe among them: a probe is another request that was served. */
static struct counts counts_of(const struct kw_hsm_request *request)
{
    struct counts before;
    struct counts after;
    uint64_t served;

    do {
        FAULT_UNTIL(fault.pool->workers[0].in_flight.items == 0);
        before = counts_now();
        served = fault.pool->stats.requests;
        cr_assert(eq(int, fault_ask(request), KW_E_NONE));
        FAULT_UNTIL(fault.pool->workers[0].in_flight.items == 0);
        after = counts_now();
    } while (fault.pool->stats.requests != served + 1);
    return difference(&before, &after);
}

static bool by_libp11(enum kw_hsm_op op)
{
    return op == KW_HSM_ISSUE_CERTIFICATE || op == KW_HSM_SIGN_CHECKPOINT;
}

/* libp11 calls on its own; so many calls of a signature are its. */
static uint64_t expected(enum kw_hsm_op op, const struct counts *counts, int f)
{
    return by_libp11(op) && (f == KW_C_Sign || f == KW_C_SignInit) ? counts->shim[f] - 1
                                                                   : counts->shim[f];
}

Test(hsm_fault_count, workers_report_what_the_hsm_was_asked)
{
    fault_pool_start(1);
    for (size_t i = 0; i < FAULT_OPS; i++) {
        enum kw_hsm_op op = fault.ops[i].op;
        struct counts counts;

        cr_assert(eq(int, fault_ask(&fault.ops[i]), KW_E_NONE));
        counts = counts_of(&fault.ops[i]);
        for (int f = 0; f < KW_C_COUNT_; f++) {
            if (by_libp11(op) && f != KW_C_Sign && f != KW_C_SignInit) {
                continue; /* how libp11 looks for keys is its business */
            }
            cr_assert(eq(u64, counts.stats[f], expected(op, &counts, f)), "%s: %s",
                      kw_hsm_op_name(op), kw_hsm_function_name((enum kw_hsm_function)f));
        }
    }
}

/* All a worker ever did, its start included, is in its first reports; only what libp11 did is not. */
Test(hsm_fault_count, a_worker_s_start_is_counted)
{
    struct counts counts;

    fault_pool_start(1);
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_NONE));
    FAULT_UNTIL(fault.pool->workers[0].in_flight.items == 0);
    counts = counts_now();
    for (int f = 0; f < KW_C_COUNT_; f++) {
        cr_assert(eq(u64, counts.stats[f], counts.shim[f]), "%s",
                  kw_hsm_function_name((enum kw_hsm_function)f));
    }
}

/* The line that the bench writes: "21 calls: 1 × C_CreateObject, …". */
static const char *bench_line(struct kw_buf *page)
{
    const char *line;

    cr_assert(kw_ok(kw_file_read(KW_SOURCE_DIR "/docs/performance.md", PAGE_MAX, page, NULL)));
    cr_assert(kw_ok(kw_buf_append(page, KW_BYTES("", 1), NULL)));
    line = strstr((const char *)page->data, "### HSM: one GetDeviceAccess");
    line = line != NULL ? strstr(line, " calls: ") : NULL;
    cr_assert(line != NULL, "docs/performance.md has no list of HSM calls");
    while (line[-1] != '\n') {
        line--;
    }
    return line;
}

/* How often the line has this function; 0 when not at all. */
static uint64_t bench_count(const char *line, const char *function)
{
    const char *end = strchr(line, '\n');
    char pattern[64];
    const char *at;

    (void)snprintf(pattern, sizeof(pattern), " × %s", function);
    for (at = strstr(line, pattern); at != NULL && at < end; at = strstr(at + 1, pattern)) {
        const char *after = at + strlen(pattern);

        if (*after == ',' || *after == '.') {
            while (at[-1] >= '0' && at[-1] <= '9') {
                at--;
            }
            return strtoull(at, NULL, 10);
        }
    }
    return 0;
}

/* A released key has three enabling facts: the bench's FACTS. */
Test(hsm_fault_count, a_derivation_costs_what_the_bench_says)
{
    KW_SCOPED(kw_buf_done) struct kw_buf page = {0};
    struct kw_hsm_fact facts[3] = {fault.fact, fault.fact, fault.fact};
    struct kw_hsm_request request = fault.ops[1];
    const char *line = bench_line(&page);
    struct counts counts;
    uint64_t sum = 0;

    request.derive.facts = facts;
    request.derive.fact_count = 3;
    fault_pool_start(1);
    cr_assert(eq(int, fault_ask(&request), KW_E_NONE));
    counts = counts_of(&request);
    for (int f = 0; f < KW_C_COUNT_; f++) {
        const char *name = kw_hsm_function_name((enum kw_hsm_function)f);

        cr_assert(eq(u64, counts.shim[f], bench_count(line, name)), "%s", name);
        sum += counts.shim[f];
    }
    cr_assert(eq(u64, sum, strtoull(line, NULL, 10)));
}
