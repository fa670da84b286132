/* Checkpoints (KWK1) and witnessed heads (KWH1): both records are canonical. */
#include "common/audit/checkpoint.h"
#include "common/audit/head.h"
#include "tests/fuzz/fuzz.h"

static void checkpoint(struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_checkpoint checkpoint;
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_checkpoint_decode(record, &checkpoint, &err), &err)) {
        KW_FUZZ_MUST(kw_checkpoint_encode(&checkpoint, &again, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
    }
}

static void head(struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_witness witness;
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_head_decode(record, &witness, &err), &err)) {
        KW_FUZZ_MUST(kw_head_encode(&witness, &again, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    checkpoint(KW_BYTES(data, size));
    head(KW_BYTES(data, size));
    return 0;
}
