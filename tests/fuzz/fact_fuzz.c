/* Facts (KWF1): the record is canonical, and a fact alone never makes a key usable. */
#include "common/lifecycle/fact.h"
#include "common/lifecycle/state.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_key_state state = {0};
    struct kw_key_state twice;
    struct kw_error err = {0};
    struct kw_fact fact;

    if (!kw_fuzz_accepted(kw_fact_decode(KW_BYTES(data, size), &fact, &err), &err)) {
        return 0;
    }
    KW_FUZZ_MUST(kw_fact_encode(&fact, &again, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), KW_BYTES(data, size)));
    KW_FUZZ_MUST(kw_state_add(&state, &fact, NULL));
    KW_FUZZ_CHECK(kw_state_phase(&state) != KW_PHASE_ACTIVE);
    twice = state;
    KW_FUZZ_MUST(kw_state_add(&twice, &fact, NULL));
    KW_FUZZ_CHECK(kw_state_equal(&state, &twice));
    return 0;
}
