/* The offline verifier: silent over good evidence, and a name for each way of spoiling it. */
#include "tests/unit/cli_verify_support.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct evidence e;
static struct kw_verify_span span = {.exported_ms = EVIDENCE_TIME + 60000};

static void set_up(void)
{
    evidence_init(&e);
}

static void tear_down(void)
{
    evidence_done(&e);
}

TestSuite(verify, .init = set_up, .fini = tear_down);

/* Place of the `nth` record of this type. */
static size_t place(Keyward__V1__VerificationRecordType type, size_t nth)
{
    size_t i = 0;

    while (e.records[i].type != type || nth-- > 0) {
        i++;
    }
    return i;
}

static void expect_none(void)
{
    struct kw_verify *verify = evidence_verify(&e, &span);
    size_t count;
    const struct kw_finding *findings = kw_verify_findings(verify, &count);

    cr_expect_eq(count, 0, "%s: %s", count > 0 ? kw_finding_name(findings[0].kind) : "",
                 count > 0 ? findings[0].text : "");
    kw_verify_free(verify);
}

static void expect(enum kw_finding_kind kind)
{
    struct kw_verify *verify = evidence_verify(&e, &span);

    cr_expect(evidence_found(verify, kind), "not found: %s", kw_finding_name(kind));
    kw_verify_free(verify);
}

static enum kw_chain_verdict verdict(void)
{
    struct kw_verify *verify = evidence_verify(&e, &span);
    size_t count;
    const struct kw_verify_chain *chains = kw_verify_chains(verify, &count);
    enum kw_chain_verdict found = kw_chain_verify_end(&chains[0].verifier);

    cr_expect_eq(count, 1);
    cr_expect_eq(chains[0].vouched_to, 6);
    kw_verify_free(verify);
    return found;
}

Test(verify, closed_chain_is_good)
{
    evidence_whole(&e, true);
    expect_none();
    cr_expect_eq(verdict(), KW_CHAIN_OK);
}

Test(verify, chain_without_close_is_an_unclean_end_and_no_tampering)
{
    evidence_whole(&e, false);
    expect_none();
    cr_expect_eq(verdict(), KW_CHAIN_UNCLEAN_END);
}

/* --- what another cell kept --- */

/* Of six receipts the last two, over which a head is signed, were not copied. */
static void copy_short(void)
{
    evidence_whole(&e, false);
    evidence_remove(&e, place(RECEIPT, 5));
    evidence_remove(&e, place(RECEIPT, 4));
    span.copy = true;
}

static uint64_t signed_to(uint64_t *ret_vouched)
{
    struct kw_verify *verify = evidence_verify(&e, &span);
    size_t count;
    const struct kw_verify_chain *chains = kw_verify_chains(verify, &count);
    uint64_t found = chains[0].signed_to;

    *ret_vouched = chains[0].vouched_to;
    kw_verify_free(verify);
    return found;
}

Test(verify, a_copy_that_ends_before_a_signed_head_says_so)
{
    uint64_t vouched;

    copy_short();
    expect_none(); /* the head is younger than a minute: the rest may be on its way */
    cr_expect_eq(signed_to(&vouched), 6);
    cr_expect_eq(vouched, 3);
}

Test(verify, a_copy_that_stays_behind_a_signed_head_is_incomplete)
{
    copy_short();
    span.exported_ms = EVIDENCE_TIME + 6020 + 60000;
    expect(KW_FINDING_TAIL_MISSING);
    span.exported_ms--;
    expect_none();
}

Test(verify, what_is_no_copy_must_not_end_before_a_signed_head)
{
    copy_short();
    span.copy = false;
    expect(KW_FINDING_RECEIPT_MISSING);
}

Test(verify, a_copy_is_judged_like_any_evidence)
{
    evidence_whole(&e, true);
    span.copy = true;
    expect_none();
    evidence_remove(&e, place(RECEIPT, 1));
    expect(KW_FINDING_RECEIPT_MISSING);
}

/* --- stretches --- */

Test(verify, stretch_that_starts_at_a_checkpoint)
{
    evidence_whole(&e, true);
    for (int i = 0; i < 3; i++) {
        evidence_remove(&e, place(RECEIPT, 0));
        evidence_remove(&e, place(FACT, 0));
    }
    span.start_ms = EVIDENCE_TIME + 3500;
    expect_none();
    cr_expect_eq(verdict(), KW_CHAIN_OK);
}

/* With the checkpoint over it left in place, and everything behind it whole. */
static void remove_front(void)
{
    evidence_whole(&e, true);
    for (int i = 0; i < 3; i++) {
        evidence_remove(&e, place(RECEIPT, 0));
        evidence_remove(&e, place(FACT, 0));
    }
}

Test(verify, front_missing)
{
    remove_front();
    expect(KW_FINDING_RECEIPT_MISSING);
}

/* The stretch begins before the checkpoint: what it vouches for should be here. */
Test(verify, front_missing_of_a_stretch)
{
    remove_front();
    span.start_ms = EVIDENCE_TIME + 2500;
    expect(KW_FINDING_RECEIPT_MISSING);
}

Test(verify, front_missing_that_authz_saw)
{
    struct kw_chain seen;

    evidence_receipt(&e, 1);
    seen = e.chain;
    evidence_done(&e);
    evidence_init(&e);
    remove_front();
    evidence_head(&e, &seen);
    expect(KW_FINDING_RECEIPT_MISSING);
}

Test(verify, receipt_missing_in_the_middle)
{
    evidence_whole(&e, true);
    evidence_remove(&e, place(RECEIPT, 1));
    expect(KW_FINDING_RECEIPT_MISSING);
}

Test(verify, receipt_missing_before_a_checkpoint)
{
    evidence_whole(&e, true);
    evidence_remove(&e, place(RECEIPT, 5));
    expect(KW_FINDING_RECEIPT_MISSING);
}

Test(verify, receipt_changed)
{
    struct kw_buf *record;
    struct kw_receipt receipt;

    evidence_whole(&e, true);
    record = &e.records[place(RECEIPT, 1)].bytes;
    cr_assert(kw_ok(kw_receipt_decode(kw_buf_bytes(record), &receipt, NULL)));
    record->data[record->len - 1] ^= 1; /* the last byte of what was delivered */
    expect(KW_FINDING_RECEIPT_ALTERED);
}

Test(verify, last_receipt_changed_before_its_checkpoint)
{
    struct kw_buf *record;

    evidence_whole(&e, true);
    record = &e.records[place(RECEIPT, 5)].bytes;
    record->data[record->len - 1] ^= 1;
    expect(KW_FINDING_RECEIPT_ALTERED);
}

Test(verify, receipt_that_is_none)
{
    evidence_whole(&e, true);
    e.records[place(RECEIPT, 1)].bytes.len -= 1;
    expect(KW_FINDING_RECEIPT_ALTERED);
}

/* Everything made anew without the second receipt, but the checkpoints are the HSM's. */
Test(verify, chain_rewritten_under_the_old_checkpoint)
{
    struct kw_chain true_chain;

    evidence_whole(&e, true);
    true_chain = e.chain;
    evidence_done(&e);
    evidence_init(&e);
    for (uint8_t i = 1; i <= 6; i++) {
        evidence_receipt(&e, i == 2 ? 7 : i);
    }
    evidence_checkpoint(&e, &true_chain, true, &e.checkpoint);
    expect(KW_FINDING_RECEIPT_ALTERED);
}

Test(verify, checkpoint_by_another_key)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key other = {0};

    evidence_whole(&e, false);
    cr_assert(kw_ok(kw_private_key_generate(&other, KW_CURVE_P384, NULL)));
    evidence_checkpoint(&e, &e.chain, true, &other);
    expect(KW_FINDING_CHECKPOINT_FORGED);
    cr_expect_eq(verdict(), KW_CHAIN_UNCLEAN_END, "a forged close closes nothing");
}

Test(verify, checkpoint_changed)
{
    evidence_whole(&e, true);
    e.records[place(CHECKPOINT, 0)].bytes.data[50] ^= 1; /* in its head */
    expect(KW_FINDING_CHECKPOINT_FORGED);
}

/* A new core's first capsule tells what authz had seen of the old core's chain. */
static void restart_with_witness(const struct kw_chain *seen)
{
    struct kw_chain next = {.core = {{8}}, .stream = {{2}}};
    struct kw_capsule capsule = evidence_capsule(9);

    capsule.witness =
        (struct kw_witness){.core = seen->core, .stream = seen->stream, .seq = seen->seq};
    kw_copy(capsule.witness.head, seen->head.bytes, KW_SHA256_LEN);
    evidence_receipt_of(&e, &capsule, &e.authz, &next);
}

Test(verify, witness_that_agrees)
{
    evidence_whole(&e, true);
    restart_with_witness(&e.chain);
    expect_none();
}

Test(verify, tail_missing)
{
    evidence_whole(&e, false);
    restart_with_witness(&e.chain);
    evidence_remove(&e, place(CHECKPOINT, 1));
    evidence_remove(&e, place(RECEIPT, 5));
    expect(KW_FINDING_TAIL_MISSING);
}

/* Nobody came after: only authz knows. */
Test(verify, tail_missing_of_the_last_chain)
{
    evidence_whole(&e, true);
    evidence_head(&e, &e.chain);
    expect_none();
    evidence_remove(&e, place(CHECKPOINT, 1));
    evidence_remove(&e, place(RECEIPT, 5));
    expect(KW_FINDING_TAIL_MISSING);
}

/* However many chains authz has seen, and in whatever order it tells of them. */
Test(verify, heads_of_many_chains)
{
    struct kw_chain chains[3] = {{.core = {{21}}, .stream = {{2}}},
                                 {.core = {{22}}, .stream = {{2}}},
                                 {.core = {{23}}, .stream = {{2}}}};

    evidence_whole(&e, true);
    for (uint8_t i = 0; i < 3; i++) {
        struct kw_capsule capsule = evidence_capsule((uint8_t)(10 + i));

        evidence_receipt_of(&e, &capsule, &e.authz, &chains[i]);
    }
    evidence_head(&e, &chains[2]);
    evidence_head(&e, &e.chain);
    evidence_head(&e, &chains[0]);
    evidence_head(&e, &chains[1]);
    expect_none();
    evidence_remove(&e, place(RECEIPT, 7));
    expect(KW_FINDING_TAIL_MISSING);
}

Test(verify, head_that_is_none)
{
    evidence_whole(&e, true);
    evidence_head(&e, &e.chain);
    e.records[place(HEAD, 0)].bytes.len -= 1;
    expect(KW_FINDING_RECEIPT_ALTERED);
}

Test(verify, whole_chain_missing)
{
    struct kw_chain gone = {.core = {{77}}, .stream = {{2}}, .seq = 4};

    evidence_whole(&e, true);
    restart_with_witness(&gone);
    expect(KW_FINDING_TAIL_MISSING);
}

Test(verify, witness_of_another_head)
{
    struct kw_chain other;

    evidence_whole(&e, true);
    other = e.chain;
    other.head.bytes[0] ^= 1;
    restart_with_witness(&other);
    expect(KW_FINDING_RECEIPT_ALTERED);
}

Test(verify, capsule_by_a_foreign_ca)
{
    struct pki_fixture foreign;
    struct pki_pair authz;
    struct kw_capsule capsule = evidence_capsule(7);

    evidence_whole(&e, false);
    pki_fixture_init(&foreign);
    authz = evidence_authz(&foreign, "a");
    evidence_receipt_of(&e, &capsule, &authz, &e.chain);
    expect(KW_FINDING_CAPSULE_FORGED);
    pki_pair_done(&authz);
    pki_fixture_done(&foreign);
}

/* An issuing CA of the attacker's own, put among the evidence, vouches for nobody. */
Test(verify, capsule_by_a_ca_that_came_with_the_evidence)
{
    struct pki_fixture foreign;
    struct pki_pair authz;
    struct kw_capsule capsule = evidence_capsule(7);

    pki_fixture_init(&foreign);
    evidence_certificate(&e, &foreign.issuing.certificate);
    evidence_whole(&e, false);
    expect_none();
    authz = evidence_authz(&foreign, "a");
    evidence_receipt_of(&e, &capsule, &authz, &e.chain);
    expect(KW_FINDING_CAPSULE_FORGED);
    pki_pair_done(&authz);
    pki_fixture_done(&foreign);
}

Test(verify, capsule_by_another_cells_authz)
{
    struct pki_pair authz = evidence_authz(&e.pki, "b");
    struct kw_capsule capsule = evidence_capsule(7);

    evidence_whole(&e, false);
    evidence_receipt_of(&e, &capsule, &authz, &e.chain);
    expect(KW_FINDING_CAPSULE_FORGED);
    pki_pair_done(&authz);
}

Test(verify, capsule_for_another_cell)
{
    struct kw_capsule capsule = evidence_capsule(7);

    evidence_whole(&e, false);
    capsule.cell = kw_bytes_str("b");
    evidence_receipt_of(&e, &capsule, &e.authz, &e.chain);
    expect(KW_FINDING_CAPSULE_MISFIT);
}

Test(verify, capsule_that_lives_too_long)
{
    struct kw_capsule capsule = evidence_capsule(7);

    evidence_whole(&e, false);
    capsule.not_after_ms = capsule.issued_ms + 3600000;
    evidence_receipt_of(&e, &capsule, &e.authz, &e.chain);
    expect(KW_FINDING_CAPSULE_MISFIT);
}

Test(verify, capsule_used_twice)
{
    evidence_whole(&e, false);
    evidence_receipt(&e, 3);
    expect(KW_FINDING_CAPSULE_REUSED);
}

Test(verify, fact_changed)
{
    evidence_whole(&e, true);
    e.records[place(FACT, 1)].bytes.data[20] = 99; /* its kind */
    expect(KW_FINDING_FACT_ALTERED);
}

Test(verify, enabling_fact_without_mac)
{
    evidence_whole(&e, true);
    e.records[place(FACT, 1)].bytes.len -= 16;
    expect(KW_FINDING_FACT_ALTERED);
}

Test(verify, enabling_fact_without_receipt)
{
    evidence_whole(&e, true);
    evidence_fact(&e, KW_FACT_ACTIVATED, 4, 33);
    expect(KW_FINDING_FACT_UNBACKED);
}

/* A capsule of authz's, which knew that the key had been suspended. */
static void receipt_with_suspension(void)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    struct kw_capsule capsule = evidence_capsule(7);
    struct kw_fact fact;

    evidence_fact_record(KW_FACT_SUSPENDED, 1, 0, &record);
    cr_assert(kw_ok(kw_fact_decode(kw_buf_bytes(&record), &fact, NULL)));
    cr_assert(kw_ok(kw_capsule_disabled_add(&capsule, &list, &fact, NULL)));
    capsule.operation = KW_OPERATION_READ;
    evidence_receipt_of(&e, &capsule, &e.authz, &e.chain);
}

Test(verify, disabling_fact_deleted_on_one_side)
{
    evidence_whole(&e, false);
    receipt_with_suspension();
    expect(KW_FINDING_FACT_MISSING);
}

Test(verify, key_delivered_although_suspended)
{
    evidence_whole(&e, true);
    evidence_fact(&e, KW_FACT_SUSPENDED, 1, 0);
    expect(KW_FINDING_KEY_USED_WHEN_STOPPED);
}

Test(verify, key_delivered_while_the_suspension_came)
{
    evidence_whole(&e, true);
    evidence_fact(&e, KW_FACT_SUSPENDED, 5, 0);
    expect_none();
}

Test(verify, key_delivered_after_the_suspension_was_lifted)
{
    evidence_whole(&e, true);
    evidence_fact(&e, KW_FACT_SUSPENDED, 0, 0);
    evidence_fact(&e, KW_FACT_LIFTED, 1, 1);
    expect_none();
}

Test(verify, key_delivered_although_destroyed)
{
    evidence_whole(&e, true);
    evidence_fact(&e, KW_FACT_DESTROYED, 1, 0);
    expect(KW_FINDING_KEY_USED_WHEN_STOPPED);
}

Test(verify, trust_that_is_none)
{
    const struct kw_verify_trust trust = {kw_bytes_str("no PEM"), kw_spki_bytes(&e.checkpoint_spki),
                                          PKI_DOMAIN};
    struct kw_verify *verify = NULL;

    cr_expect_eq(kw_verify_new(&trust, &span, &verify, NULL).reason, KW_E_CONFIG_INVALID);
}
