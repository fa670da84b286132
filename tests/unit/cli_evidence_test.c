/* Files of evidence: read back as they were exported, and not judged when incomplete. */
#include "tests/unit/cli_verify_support.h"

#include "cli/evidence.h"
#include "cli/json.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <unistd.h>

static struct evidence e;
static char path[] = "/tmp/kw-evidence-XXXXXX";

static void set_up(void)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    (void)close(fd);
    evidence_init(&e);
    evidence_whole(&e, true);
}

static void tear_down(void)
{
    (void)unlink(path);
    evidence_done(&e);
}

TestSuite(evidence, .init = set_up, .fini = tear_down);

static void line(json_t *json, FILE *out)
{
    cr_assert_eq(json_dumpf(json, out, JSON_COMPACT), 0);
    (void)fputc('\n', out);
    json_decref(json);
}

/* As `receipt export` writes it; `end` NULL: broken off. */
static void file_write(const char *head, const char *end)
{
    FILE *out = fopen(path, "w");

    (void)fprintf(out, "%s\n", head);
    for (size_t i = 0; i < e.count; i++) {
        Keyward__V1__VerificationRecord record = KEYWARD__V1__VERIFICATION_RECORD__INIT;

        record.type = e.records[i].type;
        record.encoded = (ProtobufCBinaryData){e.records[i].bytes.len, e.records[i].bytes.data};
        line(kw_json_from_message(&record.base), out);
    }
    if (end != NULL) {
        (void)fprintf(out, "%s\n", end);
    }
    (void)fclose(out);
}

static struct kw_result verify(struct kw_verify **ret_verify)
{
    struct kw_verify_trust trust = {kw_buf_bytes(&e.root_pem), kw_spki_bytes(&e.checkpoint_spki),
                                    PKI_DOMAIN};

    return kw_evidence_verify(path, &trust, ret_verify, NULL);
}

static void expect_refused(void)
{
    struct kw_verify *v = NULL;

    cr_expect_eq(verify(&v).reason, KW_E_CONFIG_INVALID);
}

#define FIRST_LINE "{\"exportTime\":\"2030-01-01T00:00:00.5Z\"}"

Test(evidence, whole_file)
{
    struct kw_verify *v = NULL;
    size_t findings;
    size_t chains;

    file_write(FIRST_LINE, "{\"records\":12}");
    cr_assert(kw_ok(verify(&v)));
    (void)kw_verify_findings(v, &findings);
    cr_expect_eq(findings, 0);
    cr_expect_eq(kw_verify_chains(v, &chains)[0].receipts, 6);
    cr_expect_eq(kw_verify_fact_count(v), 3);
    kw_verify_free(v);
}

Test(evidence, record_taken_out_or_put_in)
{
    struct kw_verify *v = NULL;

    file_write(FIRST_LINE, "{\"records\":13}");
    cr_assert(kw_ok(verify(&v)));
    cr_expect(evidence_found(v, KW_FINDING_RECORD_COUNT));
    kw_verify_free(v);
}

Test(evidence, broken_off)
{
    file_write(FIRST_LINE, NULL);
    expect_refused();
}

Test(evidence, goes_on_behind_its_end)
{
    file_write(FIRST_LINE, "{\"records\":12}\n{\"records\":12}");
    expect_refused();
}

Test(evidence, another_file)
{
    file_write("{}", "{\"records\":12}");
    expect_refused();
    file_write("keys:", NULL);
    expect_refused();
    (void)unlink(path);
    expect_refused();
}

Test(evidence, record_of_no_type)
{
    file_write(FIRST_LINE "\n{\"type\":\"X\",\"encoded\":\"AAAA\"}", "{\"records\":13}");
    expect_refused();
}

Test(evidence, record_that_is_no_base64)
{
    file_write(FIRST_LINE "\n{\"type\":\"VERIFICATION_RECORD_TYPE_FACT\",\"encoded\":\"A!==\"}",
               "{\"records\":13}");
    expect_refused();
}
