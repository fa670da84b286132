/* Chains: what the verifier says of whole, cut, gapped, altered and unclosed ones, and of
 * checkpoints. */
#include "tests/unit/audit_test_support.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum {
    LENGTH = 6
};

/* A chain of six receipts; heads[n] is the head after n of them. */
static struct kw_chain start = {.core = {{1}}, .stream = {{2}}};
static struct kw_buf records[LENGTH];
static struct kw_chain heads[LENGTH + 1];

static void issue(struct kw_chain *chain, uint8_t number, struct kw_buf *out)
{
    struct kw_receipt receipt = {.id = {{number}},
                                 .time_ms = VECTOR_TIME + number,
                                 .region = kw_bytes_str("eu-1"),
                                 .cell = kw_bytes_str("a"),
                                 .capsule = kw_bytes_str("capsule"),
                                 .signer = kw_bytes_str("certificate")};

    cr_assert(kw_ok(kw_chain_issue(chain, &receipt, out, NULL)));
}

static void set_up(void)
{
    struct kw_chain chain = start;

    heads[0] = chain;
    for (uint8_t i = 0; i < LENGTH; i++) {
        issue(&chain, (uint8_t)(i + 1), &records[i]);
        heads[i + 1] = chain;
    }
}

static void tear_down(void)
{
    for (size_t i = 0; i < LENGTH; i++) {
        kw_buf_done(&records[i]);
    }
}

TestSuite(chain, .init = set_up, .fini = tear_down);

static enum kw_chain_verdict feed(struct kw_chain_verifier *verifier, size_t index)
{
    enum kw_chain_verdict verdict;

    cr_assert(
        kw_ok(kw_chain_verify_receipt(verifier, kw_buf_bytes(&records[index]), &verdict, NULL)));
    return verdict;
}

static enum kw_chain_verdict feed_range(struct kw_chain_verifier *verifier, size_t from, size_t to)
{
    enum kw_chain_verdict verdict = KW_CHAIN_OK;

    for (size_t i = from; i < to; i++) {
        verdict = feed(verifier, i);
    }
    return verdict;
}

static enum kw_chain_verdict feed_checkpoint(struct kw_chain_verifier *verifier,
                                             const struct kw_chain *at, bool closed)
{
    struct kw_checkpoint checkpoint = {
        .core = at->core, .stream = at->stream, .seq = at->seq, .head = at->head, .closed = closed};

    return kw_chain_verify_checkpoint(verifier, &checkpoint);
}

Test(chain, a_whole_chain_with_a_close_is_ok)
{
    struct kw_chain_verifier verifier;

    kw_chain_verify_start(&verifier, &start);
    cr_assert_eq(feed_range(&verifier, 0, 3), KW_CHAIN_OK);
    cr_assert_eq(kw_chain_verify_mark(&verifier, &heads[3]), KW_CHAIN_OK);
    cr_assert_eq(feed_checkpoint(&verifier, &heads[3], false), KW_CHAIN_OK);
    cr_assert_eq(feed_range(&verifier, 3, LENGTH), KW_CHAIN_OK);
    cr_assert_eq(feed_checkpoint(&verifier, &heads[LENGTH], true), KW_CHAIN_OK);
    cr_assert_eq(kw_chain_verify_end(&verifier), KW_CHAIN_OK);
}

Test(chain, without_a_close_it_ends_uncleanly_and_is_no_tampering)
{
    struct kw_chain_verifier verifier;

    kw_chain_verify_start(&verifier, &start);
    cr_assert_eq(feed_range(&verifier, 0, LENGTH), KW_CHAIN_OK);
    cr_assert_eq(kw_chain_verify_mark(&verifier, &heads[LENGTH]), KW_CHAIN_OK);
    cr_assert_eq(kw_chain_verify_end(&verifier), KW_CHAIN_UNCLEAN_END);
}

Test(chain, receipts_beyond_the_last_mark_are_no_tampering)
{
    struct kw_chain_verifier verifier;

    kw_chain_verify_start(&verifier, &start);
    cr_assert_eq(feed_range(&verifier, 0, 4), KW_CHAIN_OK);
    cr_assert_eq(kw_chain_verify_mark(&verifier, &heads[4]), KW_CHAIN_OK);
    cr_assert_eq(feed_range(&verifier, 4, LENGTH), KW_CHAIN_OK);
    cr_assert_eq(kw_chain_verify_end(&verifier), KW_CHAIN_UNCLEAN_END);
}

Test(chain, a_receipt_deleted_in_the_middle_is_a_gap)
{
    struct kw_chain_verifier verifier;

    kw_chain_verify_start(&verifier, &start);
    cr_assert_eq(feed_range(&verifier, 0, 2), KW_CHAIN_OK);
    cr_assert_eq(feed(&verifier, 3), KW_CHAIN_GAP);
    cr_assert_eq(verifier.verdict_seq, 3);
    cr_assert_eq(feed(&verifier, 2), KW_CHAIN_GAP);
    cr_assert_eq(kw_chain_verify_end(&verifier), KW_CHAIN_GAP);
}

Test(chain, a_tail_deleted_before_a_witnessed_head_is_a_gap)
{
    struct kw_chain_verifier verifier;

    kw_chain_verify_start(&verifier, &start);
    cr_assert_eq(feed_range(&verifier, 0, 4), KW_CHAIN_OK);
    cr_assert_eq(kw_chain_verify_mark(&verifier, &heads[5]), KW_CHAIN_GAP);
    cr_assert_eq(verifier.verdict_seq, 5);
    cr_assert_eq(kw_chain_verify_end(&verifier), KW_CHAIN_GAP);
}

Test(chain, a_close_after_fewer_receipts_than_it_says_is_a_gap)
{
    struct kw_chain_verifier verifier;

    kw_chain_verify_start(&verifier, &start);
    cr_assert_eq(feed_range(&verifier, 0, 4), KW_CHAIN_OK);
    cr_assert_eq(feed_checkpoint(&verifier, &heads[LENGTH], true), KW_CHAIN_GAP);
    cr_assert_eq(kw_chain_verify_end(&verifier), KW_CHAIN_GAP);
}

/* By the next receipt's prev, or, for the last one, by a mark. */
Test(chain, no_byte_of_a_receipt_can_change)
{
    for (size_t i = 0; i < records[2].len; i++) {
        struct kw_chain_verifier verifier;

        records[2].data[i] ^= 1;
        kw_chain_verify_start(&verifier, &start);
        cr_assert_neq(feed_range(&verifier, 0, 4), KW_CHAIN_OK, "byte %zu", i);
        kw_chain_verify_start(&verifier, &start);
        (void)feed_range(&verifier, 0, 3);
        cr_assert_neq(kw_chain_verify_mark(&verifier, &heads[3]), KW_CHAIN_OK, "byte %zu", i);
        records[2].data[i] ^= 1;
    }
}

Test(chain, a_receipt_rewritten_whole_is_found_by_the_next)
{
    KW_SCOPED(kw_buf_done) struct kw_buf forged = {0};
    struct kw_chain_verifier verifier;
    struct kw_chain chain = heads[2];
    enum kw_chain_verdict verdict;

    issue(&chain, 99, &forged);
    kw_chain_verify_start(&verifier, &start);
    (void)feed_range(&verifier, 0, 2);
    cr_assert(kw_ok(kw_chain_verify_receipt(&verifier, kw_buf_bytes(&forged), &verdict, NULL)));
    cr_assert_eq(verdict, KW_CHAIN_OK);
    cr_assert_eq(feed(&verifier, 3), KW_CHAIN_ALTERED);
    cr_assert_eq(verifier.verdict_seq, 4);
}

Test(chain, a_repeated_receipt_one_of_another_chain_and_one_after_the_close_are_found)
{
    KW_SCOPED(kw_buf_done) struct kw_buf foreign = {0};
    struct kw_chain other = heads[2];
    struct kw_chain_verifier verifier;
    enum kw_chain_verdict verdict;

    kw_chain_verify_start(&verifier, &start);
    (void)feed_range(&verifier, 0, 2);
    cr_assert_eq(feed(&verifier, 1), KW_CHAIN_ALTERED);
    other.stream = (struct kw_id){{3}};
    issue(&other, 3, &foreign);
    kw_chain_verify_start(&verifier, &start);
    (void)feed_range(&verifier, 0, 2);
    cr_assert(kw_ok(kw_chain_verify_receipt(&verifier, kw_buf_bytes(&foreign), &verdict, NULL)));
    cr_assert_eq(verdict, KW_CHAIN_ALTERED);
    kw_chain_verify_start(&verifier, &start);
    (void)feed_range(&verifier, 0, 2);
    cr_assert_eq(feed_checkpoint(&verifier, &heads[2], true), KW_CHAIN_OK);
    cr_assert_eq(feed(&verifier, 2), KW_CHAIN_ALTERED);
}

Test(chain, a_mark_with_another_head_chain_or_an_earlier_number_is_found)
{
    struct kw_chain_verifier verifier;
    struct kw_chain mark = heads[2];

    kw_chain_verify_start(&verifier, &start);
    (void)feed_range(&verifier, 0, 2);
    mark.head.bytes[0] ^= 1;
    cr_assert_eq(kw_chain_verify_mark(&verifier, &mark), KW_CHAIN_ALTERED);
    mark = heads[2];
    mark.core = (struct kw_id){{3}};
    kw_chain_verify_start(&verifier, &start);
    (void)feed_range(&verifier, 0, 2);
    cr_assert_eq(kw_chain_verify_mark(&verifier, &mark), KW_CHAIN_ALTERED);
    kw_chain_verify_start(&verifier, &start);
    (void)feed_range(&verifier, 0, 2);
    cr_assert_eq(kw_chain_verify_mark(&verifier, &heads[1]), KW_CHAIN_ALTERED);
}

Test(chain, a_stretch_is_verified_from_a_checkpoint_on)
{
    struct kw_chain_verifier verifier;

    kw_chain_verify_start(&verifier, &heads[3]);
    cr_assert_eq(feed_range(&verifier, 3, LENGTH), KW_CHAIN_OK);
    cr_assert_eq(kw_chain_verify_mark(&verifier, &heads[LENGTH]), KW_CHAIN_OK);
}

Test(chain, a_receipt_that_cannot_be_written_leaves_the_chain_where_it_was)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_chain chain = heads[3];
    struct kw_receipt receipt = {.id = {{1}}};

    cr_assert_eq(kw_chain_issue(&chain, &receipt, &out, NULL).reason, KW_E_ARGUMENT_INVALID);
    cr_assert_eq(chain.seq, 3);
    cr_assert_eq(out.len, 0);
}

Test(chain, verdicts_have_names)
{
    cr_assert_str_eq(kw_chain_verdict_name(KW_CHAIN_UNCLEAN_END), "unclean end");
    cr_assert_str_eq(kw_chain_verdict_name((enum kw_chain_verdict)9), "unknown");
}

/* ---- checkpoints ---- */

Test(checkpoint, no_byte_can_change)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    cr_assert(
        kw_ok(kw_public_key_from_spki(&key, vector_string(vectors("checkpoint_spki")), NULL)));
    cr_assert(kw_ok(kw_buf_append(&record, vector_record("checkpoints", 0), NULL)));
    for (size_t i = 0; i < record.len; i++) {
        struct kw_checkpoint checkpoint;

        record.data[i] ^= 1;
        cr_assert_not(kw_ok(kw_checkpoint_decode(kw_buf_bytes(&record), &checkpoint, NULL)) &&
                          kw_ok(kw_checkpoint_verify(&checkpoint, &key, NULL)),
                      "byte %zu", i);
        record.data[i] ^= 1;
    }
}

Test(checkpoint, another_key_or_curve_does_not_verify_it)
{
    enum kw_curve curves[] = {KW_CURVE_P256, KW_CURVE_P384};
    struct kw_checkpoint checkpoint;

    cr_assert(kw_ok(kw_checkpoint_decode(vector_record("checkpoints", 0), &checkpoint, NULL)));
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
        KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};

        cr_assert(kw_ok(kw_private_key_generate(&key, curves[i], NULL)));
        cr_assert(kw_ok(kw_private_key_public(&key, &public, NULL)));
        cr_assert_eq(kw_checkpoint_verify(&checkpoint, &public, NULL).reason,
                     KW_E_SIGNATURE_INVALID);
    }
}

Test(checkpoint, without_a_signature_there_is_no_record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_checkpoint checkpoint = {.seq = 1};

    cr_assert_eq(kw_checkpoint_encode(&checkpoint, &out, NULL).reason, KW_E_ARGUMENT_INVALID);
}
