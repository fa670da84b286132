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

/* As `receipt export` writes it, of the records from `first` on; `end` NULL: broken off. */
static void file_write_from(size_t first, const char *to, const char *head, const char *end)
{
    FILE *out = fopen(to, "w");

    (void)fprintf(out, "%s\n", head);
    for (size_t i = first; i < e.count; i++) {
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

static void file_write(const char *head, const char *end)
{
    file_write_from(0, path, head, end);
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

/* --- of several cells --- */

#define FACTS      3 /* the last records: each cell's export has them */
#define OTHER_LINE "{\"exportTime\":\"2030-01-01T00:00:09Z\"}"

/* Ours, whole, and another cell's, which has the facts alone. */
static struct kw_result verify_both(const char *other_head, const char *other_end,
                                    struct kw_bytes keys, struct kw_verify **ret_verify)
{
    struct kw_verify_trust trust = {kw_buf_bytes(&e.root_pem), keys, PKI_DOMAIN};
    char other[sizeof(path) + 8];
    const char *const paths[] = {path, other};
    struct kw_result result;

    (void)snprintf(other, sizeof(other), "%s.other", path);
    file_write(FIRST_LINE, "{\"records\":12}");
    file_write_from(e.count - FACTS, other, other_head, other_end);
    result = kw_evidence_verify_all(paths, 2, &trust, ret_verify, NULL);
    (void)unlink(other);
    return result;
}

static size_t found_in_both(const char *other_end, struct kw_bytes keys)
{
    struct kw_verify *v = NULL;
    size_t findings;

    cr_assert(kw_ok(verify_both(OTHER_LINE, other_end, keys, &v)));
    (void)kw_verify_findings(v, &findings);
    cr_expect_eq(kw_verify_fact_count(v), FACTS, "each counts once");
    kw_verify_free(v);
    return findings;
}

Test(evidence, a_fact_may_have_its_receipt_in_another_cell)
{
    cr_expect_eq(found_in_both("{\"records\":3}", kw_spki_bytes(&e.checkpoint_spki)), 0);
}

Test(evidence, a_record_is_missed_in_either_file)
{
    cr_expect_eq(found_in_both("{\"records\":4}", kw_spki_bytes(&e.checkpoint_spki)), 1);
}

Test(evidence, each_region_has_a_checkpoint_key_of_its_own)
{
    KW_SCOPED(kw_buf_done) struct kw_buf keys = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key other = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key other_public = {0};
    struct kw_spki spki;

    cr_assert(kw_ok(kw_private_key_generate(&other, KW_CURVE_P384, NULL)));
    cr_assert(kw_ok(kw_private_key_public(&other, &other_public, NULL)));
    cr_assert(kw_ok(kw_public_key_spki(&other_public, &spki, NULL)));
    cr_assert(kw_ok(kw_buf_append(&keys, kw_spki_bytes(&spki), NULL)));
    cr_expect_eq(found_in_both("{\"records\":3}", kw_buf_bytes(&keys)), 2, "of another alone");
    cr_assert(kw_ok(kw_buf_append(&keys, kw_spki_bytes(&e.checkpoint_spki), NULL)));
    cr_expect_eq(found_in_both("{\"records\":3}", kw_buf_bytes(&keys)), 0);
}

Test(evidence, keys_that_are_none_are_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf keys = {0};
    struct kw_verify *v = NULL;

    cr_expect_eq(verify_both(OTHER_LINE, "{\"records\":3}", KW_BYTES_NONE, &v).reason,
                 KW_E_CONFIG_INVALID);
    cr_assert(kw_ok(kw_buf_append(&keys, kw_spki_bytes(&e.checkpoint_spki), NULL)));
    cr_assert(kw_ok(kw_buf_append(&keys, KW_BYTES("\x30\x05", 2), NULL)));
    cr_expect_eq(verify_both(OTHER_LINE, "{\"records\":3}", kw_buf_bytes(&keys), &v).reason,
                 KW_E_CONFIG_INVALID);
}

Test(evidence, exports_of_different_times_are_not_one)
{
    struct kw_verify *v = NULL;

    cr_expect_eq(verify_both("{\"startTime\":\"2029-01-01T00:00:00Z\","
                             "\"exportTime\":\"2030-01-01T00:00:09Z\"}",
                             "{\"records\":3}", kw_spki_bytes(&e.checkpoint_spki), &v)
                     .reason,
                 KW_E_CONFIG_INVALID);
    cr_expect_eq(verify_both(OTHER_LINE, NULL, kw_spki_bytes(&e.checkpoint_spki), &v).reason,
                 KW_E_CONFIG_INVALID, "broken off");
}
