/* Trace context: a traceparent that is accepted is written as the same ids; one that is not starts a new trace. */
#include "common/observe/trace.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes text = KW_BYTES(data, size);
    struct kw_error err = {0};
    struct kw_trace trace;
    struct kw_trace again;
    struct kw_trace own;
    char written[KW_TRACE_TEXT_SIZE];
    bool accepted = kw_fuzz_accepted(kw_trace_parse(text, &trace, &err), &err);

    KW_FUZZ_MUST(kw_trace_accept(text, &own, NULL));
    if (!accepted) {
        return 0;
    }
    KW_FUZZ_CHECK(kw_bytes_equal(KW_BYTES_OF(own.trace_id), KW_BYTES_OF(trace.trace_id)));
    KW_FUZZ_CHECK(!kw_bytes_equal(KW_BYTES_OF(own.span_id), KW_BYTES_OF(trace.span_id)));
    KW_FUZZ_MUST(kw_trace_parse(kw_bytes_str(kw_trace_text(&trace, written)), &again, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(KW_BYTES_OF(again.trace_id), KW_BYTES_OF(trace.trace_id)) &&
                  kw_bytes_equal(KW_BYTES_OF(again.span_id), KW_BYTES_OF(trace.span_id)) &&
                  again.sampled == trace.sampled);
    return 0;
}
