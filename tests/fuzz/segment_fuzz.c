/* Segments of receipts (KWX1), and what a keeper of the chain makes of them: the record is canonical, what is good leads from
 * what is kept to what it says, and nothing else moves it.
 *
 * Input: a record. */
#include "common/audit/segment.h"
#include "common/base/limits.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct kw_segment *segment)
{
    static struct kw_hash heads[KW_SEGMENT_RECEIPTS_MAX];
    static const struct kw_segment_place place = {{(const uint8_t *)"eu-1", 4},
                                                  {(const uint8_t *)"a", 1}};
    struct kw_chain at = {.core = segment->core, .stream = segment->stream, .seq = segment->after};
    const struct kw_chain before = at;
    enum kw_segment_verdict verdict = KW_SEGMENT_VERDICT_END_;

    KW_FUZZ_MUST(kw_segment_check(segment, &place, &at, heads, &verdict, NULL));
    KW_FUZZ_CHECK(verdict >= KW_SEGMENT_GOOD && verdict < KW_SEGMENT_VERDICT_END_);
    KW_FUZZ_CHECK(verdict != KW_SEGMENT_UNASKED);
    KW_FUZZ_CHECK(at.seq == before.seq + (verdict == KW_SEGMENT_GOOD ? segment->count : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_segment segment;
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_segment_decode(KW_BYTES(data, size), &segment, &err), &err)) {
        return 0;
    }
    KW_FUZZ_CHECK(segment.count > 0 && segment.count <= KW_SEGMENT_RECEIPTS_MAX);
    KW_FUZZ_MUST(kw_segment_encode(&segment, &again, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), KW_BYTES(data, size)));
    check(&segment);
    return 0;
}
