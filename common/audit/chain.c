/* Issuing the next receipt of a chain, and reading a chain back. */
#include "common/audit/chain.h"

struct kw_result kw_chain_issue(struct kw_chain *chain, struct kw_receipt *receipt,
                                struct kw_buf *out, struct kw_error *err)
{
    size_t start = out->len;
    struct kw_hash head;
    struct kw_result result;

    receipt->core = chain->core;
    receipt->stream = chain->stream;
    receipt->seq = chain->seq + 1;
    receipt->prev = chain->head;
    result = kw_receipt_encode(receipt, out, err);
    if (kw_ok(result)) {
        result = kw_receipt_head(KW_BYTES(out->data + start, out->len - start), &head, err);
    }
    if (!kw_ok(result)) {
        out->len = start;
        return result;
    }
    chain->seq = receipt->seq;
    chain->head = head;
    return KW_OK;
}

const char *kw_chain_verdict_name(enum kw_chain_verdict verdict)
{
    static const char *const names[] = {
        [KW_CHAIN_OK] = "ok",
        [KW_CHAIN_UNCLEAN_END] = "unclean end",
        [KW_CHAIN_GAP] = "gap",
        [KW_CHAIN_ALTERED] = "altered",
    };

    return (unsigned)verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "unknown";
}

void kw_chain_verify_start(struct kw_chain_verifier *verifier, const struct kw_chain *start)
{
    *verifier = (struct kw_chain_verifier){.at = *start, .verdict = KW_CHAIN_OK};
}

static bool same_chain(const struct kw_chain_verifier *verifier, struct kw_id core,
                       struct kw_id stream)
{
    return kw_id_equal(verifier->at.core, core) && kw_id_equal(verifier->at.stream, stream);
}

static bool same_hash(const struct kw_hash *a, const struct kw_hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The first finding stays: what follows a fault can be judged no more. */
static enum kw_chain_verdict found(struct kw_chain_verifier *verifier,
                                   enum kw_chain_verdict verdict, uint64_t seq)
{
    if (verifier->verdict == KW_CHAIN_OK && verdict != KW_CHAIN_OK) {
        verifier->verdict = verdict;
        verifier->verdict_seq = seq;
    }
    return verifier->verdict;
}

static enum kw_chain_verdict judge_receipt(const struct kw_chain_verifier *verifier,
                                           const struct kw_receipt *receipt)
{
    if (verifier->closed || !same_chain(verifier, receipt->core, receipt->stream) ||
        receipt->seq <= verifier->at.seq) {
        return KW_CHAIN_ALTERED;
    }
    if (receipt->seq - verifier->at.seq > 1) {
        return KW_CHAIN_GAP;
    }
    return same_hash(&receipt->prev, &verifier->at.head) ? KW_CHAIN_OK : KW_CHAIN_ALTERED;
}

struct kw_result kw_chain_verify_receipt(struct kw_chain_verifier *verifier, struct kw_bytes record,
                                         enum kw_chain_verdict *ret_verdict, struct kw_error *err)
{
    struct kw_receipt receipt;
    struct kw_hash head;

    KW_TRY(kw_receipt_head(record, &head, err));
    if (!kw_ok(kw_receipt_decode(record, &receipt, NULL))) {
        *ret_verdict = found(verifier, KW_CHAIN_ALTERED, verifier->at.seq + 1);
        return KW_OK;
    }
    if (found(verifier, judge_receipt(verifier, &receipt), verifier->at.seq + 1) == KW_CHAIN_OK) {
        verifier->at.seq = receipt.seq;
        verifier->at.head = head;
    }
    *ret_verdict = verifier->verdict;
    return KW_OK;
}

static enum kw_chain_verdict judge_mark(const struct kw_chain_verifier *verifier,
                                        const struct kw_chain *mark)
{
    if (!same_chain(verifier, mark->core, mark->stream) || mark->seq < verifier->at.seq) {
        return KW_CHAIN_ALTERED;
    }
    if (mark->seq > verifier->at.seq) {
        return KW_CHAIN_GAP;
    }
    return same_hash(&mark->head, &verifier->at.head) ? KW_CHAIN_OK : KW_CHAIN_ALTERED;
}

enum kw_chain_verdict kw_chain_verify_mark(struct kw_chain_verifier *verifier,
                                           const struct kw_chain *mark)
{
    enum kw_chain_verdict verdict = judge_mark(verifier, mark);

    return found(verifier, verdict, verdict == KW_CHAIN_GAP ? verifier->at.seq + 1 : mark->seq);
}

enum kw_chain_verdict kw_chain_verify_checkpoint(struct kw_chain_verifier *verifier,
                                                 const struct kw_checkpoint *checkpoint)
{
    struct kw_chain mark = {.core = checkpoint->core,
                            .stream = checkpoint->stream,
                            .seq = checkpoint->seq,
                            .head = checkpoint->head};
    enum kw_chain_verdict verdict = kw_chain_verify_mark(verifier, &mark);

    if (verdict == KW_CHAIN_OK && checkpoint->closed) {
        verifier->closed = true;
    }
    return verdict;
}

enum kw_chain_verdict kw_chain_verify_end(const struct kw_chain_verifier *verifier)
{
    if (verifier->verdict == KW_CHAIN_OK && !verifier->closed) {
        return KW_CHAIN_UNCLEAN_END;
    }
    return verifier->verdict;
}
