/* W3C trace context: what is read, what is refused, and what is carried on. */
#include "common/base/random.h"
#include "common/observe/trace.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"
#define SPAN_ID  "b7ad6b7169203331"
#define GOOD     "00-" TRACE_ID "-" SPAN_ID "-01"

static struct kw_trace trace;
static char text[KW_TRACE_TEXT_SIZE];

static void all_zero(void *out, size_t len)
{
    memset(out, 0, len);
}

Test(trace, round_trips)
{
    cr_assert(kw_ok(kw_trace_parse(kw_bytes_str(GOOD), &trace, NULL)));
    cr_assert(trace.sampled);
    cr_assert(eq(str, kw_trace_text(&trace, text), GOOD));
}

Test(trace, other_flags_are_dropped)
{
    cr_assert(kw_ok(kw_trace_parse(kw_bytes_str("00-" TRACE_ID "-" SPAN_ID "-fe"), &trace, NULL)));
    cr_assert(eq(str, kw_trace_text(&trace, text), "00-" TRACE_ID "-" SPAN_ID "-00"));
}

Test(trace, later_versions_are_read_by_what_is_known)
{
    cr_assert(kw_ok(kw_trace_parse(kw_bytes_str("01-" TRACE_ID "-" SPAN_ID "-01"), &trace, NULL)));
    cr_assert(
        kw_ok(kw_trace_parse(kw_bytes_str("fe-" TRACE_ID "-" SPAN_ID "-01-more"), &trace, NULL)));
    cr_assert(eq(str, kw_trace_text(&trace, text), GOOD));
}

Test(trace, malformed_ones_are_refused)
{
    const char *bad[] = {
        "",
        "00",
        "ff-" TRACE_ID "-" SPAN_ID "-01",
        "00-" TRACE_ID "-" SPAN_ID "-01-more",
        "00-" TRACE_ID "-" SPAN_ID "-1",
        "00-" TRACE_ID "-" SPAN_ID "-0x",
        "0g-" TRACE_ID "-" SPAN_ID "-01",
        "01-" TRACE_ID "-" SPAN_ID "-01.more",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN_ID "-01",
        "00-00000000000000000000000000000000-" SPAN_ID "-01",
        "00-" TRACE_ID "-0000000000000000-01",
        "00_" TRACE_ID "-" SPAN_ID "-01",
        "00-" TRACE_ID SPAN_ID "--01",
        " " GOOD,
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(eq(int, kw_trace_parse(kw_bytes_str(bad[i]), &trace, NULL).reason,
                     KW_E_ARGUMENT_INVALID),
                  "%s", bad[i]);
    }
}

Test(trace, nul_inside_is_refused)
{
    char hostile[] = GOOD;

    hostile[10] = '\0';
    cr_assert(eq(int, kw_trace_parse(KW_BYTES(hostile, strlen(GOOD)), &trace, NULL).reason,
                 KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, kw_trace_parse(KW_BYTES_NONE, &trace, NULL).reason, KW_E_ARGUMENT_INVALID));
}

Test(trace, child_stays_in_the_trace)
{
    struct kw_trace child;

    cr_assert(kw_ok(kw_trace_parse(kw_bytes_str(GOOD), &trace, NULL)));
    cr_assert(kw_ok(kw_trace_child(&trace, &child, NULL)));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(child.trace_id), KW_BYTES_OF(trace.trace_id)));
    cr_assert(not(kw_bytes_equal(KW_BYTES_OF(child.span_id), KW_BYTES_OF(trace.span_id))));
    cr_assert(child.sampled);
}

Test(trace, accepting_starts_anew_where_there_is_none)
{
    cr_assert(kw_ok(kw_trace_accept(kw_bytes_str("nonsense"), &trace, NULL)));
    cr_assert(not(trace.sampled));
    cr_assert(eq(int, strncmp(kw_trace_text(&trace, text), "00-" TRACE_ID, 35) == 0, 0));
    cr_assert(kw_ok(kw_trace_parse(kw_bytes_str(text), &trace, NULL)));
    cr_assert(kw_ok(kw_trace_accept(kw_bytes_str(GOOD), &trace, NULL)));
    cr_assert(eq(int, strncmp(kw_trace_text(&trace, text), "00-" TRACE_ID, 35), 0));
}

Test(trace, ids_are_never_zero)
{
    kw_random_replace(all_zero);
    cr_assert(kw_ok(kw_trace_new(&trace, NULL)));
    cr_assert(kw_ok(kw_trace_parse(kw_bytes_str(kw_trace_text(&trace, text)), &trace, NULL)));
}
