/* Evidence files: the input as a file that `keyward verify` is given, with the root and checkpoint key of the honest
 * ones. JSON, base64 and all that the verifier concludes; signatures and chains are cheap_verify.c's, so that the code
 * behind them is reached. That a wrong signature is a finding is tests/unit/cli_verify_test.c's to show.
 */
#include "cli/evidence.h"
#include "tests/fuzz/cheap_verify.h"
#include "tests/fuzz/fuzz.h"

static void read_findings(struct kw_verify *verifier)
{
    size_t count;
    const struct kw_finding *findings = kw_verify_findings(verifier, &count);
    const struct kw_verify_chain *chains;
    char text[KW_CHAIN_TEXT_SIZE];

    for (size_t i = 0; i < count && i < KW_FINDINGS_MAX; i++) {
        KW_FUZZ_CHECK(findings[i].kind < KW_FINDING_KIND_COUNT_ && findings[i].text[0] != '\0');
        KW_FUZZ_CHECK(memchr(findings[i].text, 0, sizeof(findings[i].text)) != NULL);
        KW_FUZZ_CHECK(kw_finding_name(findings[i].kind)[0] != '\0');
    }
    chains = kw_verify_chains(verifier, &count);
    for (size_t i = 0; i < count; i++) {
        KW_FUZZ_CHECK(chains[i].head_count <= chains[i].receipts + 1);
        (void)kw_verify_chain_text(chains[i].verifier.at.core, chains[i].verifier.at.stream, text);
    }
    (void)kw_verify_fact_count(verifier);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_verify *verifier = NULL;
    struct kw_error err = {0};
    const char *path = kw_fuzz_file("evidence", KW_BYTES(data, size));

    if (kw_fuzz_accepted(kw_evidence_verify(path, kw_fuzz_evidence_trust(), &verifier, &err),
                         &err)) {
        read_findings(verifier);
        kw_verify_free(verifier);
    }
    return 0;
}
