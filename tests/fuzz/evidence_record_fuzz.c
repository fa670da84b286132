/* The records of evidence, without the file around them: the verifier is fed records (a byte of type, then the record
 * behind its length), so that what base64 hides from a mutator lies open.
 */
#include "tests/fuzz/cheap_verify.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct kw_verify_span span = {.exported_ms = UINT64_C(1767225660000)};
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_verify *verifier;
    uint64_t records = 0;
    size_t found;

    KW_FUZZ_MUST(kw_verify_new(kw_fuzz_evidence_trust(), &span, &verifier, NULL));
    while (input.rest.len > 0) {
        Keyward__V1__VerificationRecordType type =
            (Keyward__V1__VerificationRecordType)(kw_fuzz_u8(&input) % 8);

        KW_FUZZ_MUST(kw_verify_take(verifier, type, kw_fuzz_piece(&input), NULL));
        records++;
    }
    KW_FUZZ_MUST(kw_verify_end(verifier, records + 1, NULL));
    (void)kw_verify_findings(verifier, &found);
    KW_FUZZ_CHECK(found > 0); /* the count was wrong */
    kw_verify_free(verifier);
    return 0;
}
