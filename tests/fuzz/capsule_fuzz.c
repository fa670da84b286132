/* Capsules (KWC1): what is accepted encodes to the very bytes it came from, and its facts fold. */
#include "common/audit/capsule.h"
#include "tests/fuzz/fuzz.h"

static void fold(const struct kw_capsule *capsule)
{
    struct kw_reader list = KW_READER(capsule->disabled);
    struct kw_key_state state = {0};
    struct kw_error err = {0};
    struct kw_fact fact;

    for (unsigned i = 0; i < capsule->disabled_count; i++) {
        KW_FUZZ_MUST(kw_fact_decode(kw_get_var(&list), &fact, NULL));
        KW_FUZZ_CHECK(!kw_fact_kind_enabling(fact.kind));
        (void)kw_fuzz_accepted(kw_capsule_disabled_fold(capsule, fact.key, &state, &err), &err);
        KW_FUZZ_CHECK(kw_state_phase(&state) != KW_PHASE_ACTIVE);
        state = (struct kw_key_state){0};
    }
    KW_FUZZ_CHECK(!list.failed && list.rest.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_capsule capsule;
    struct kw_error err = {0};
    enum kw_actor actor;

    if (!kw_fuzz_accepted(kw_capsule_decode(KW_BYTES(data, size), &capsule, &err), &err)) {
        return 0;
    }
    KW_FUZZ_MUST(kw_capsule_encode(&capsule, &again, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), KW_BYTES(data, size)));
    fold(&capsule);
    (void)kw_fuzz_accepted(kw_capsule_actor(&capsule, &actor, &err), &err);
    return 0;
}
