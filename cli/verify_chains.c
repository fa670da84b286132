/* Receipts in their chains, checkpoints over them, and the heads that authz once saw. */
#include "cli/verify_internal.h"

#include "common/audit/head.h"

#include <inttypes.h>
#include <stdlib.h>

/* Whoever exports and whoever makes receipts have a clock each. */
#define CLOCKS_APART_MS 2000U

/* A copy is so much behind, or it is incomplete. */
#define COPY_BEHIND_MS 60000U

static struct kw_verify_chain *chain_at(const struct kw_verify *v, size_t index)
{
    return kw_list_at(&v->chains, index);
}

static struct kw_verify_chain *chain_find(const struct kw_verify *v, struct kw_id core,
                                          struct kw_id stream)
{
    for (size_t i = 0; i < v->chains.count; i++) {
        struct kw_verify_chain *chain = chain_at(v, i);

        if (kw_id_equal(chain->verifier.at.core, core) &&
            kw_id_equal(chain->verifier.at.stream, stream)) {
            return chain;
        }
    }
    return NULL;
}

static struct kw_result head_add(struct kw_verify_chain *chain, struct kw_error *err)
{
    if (chain->head_count == chain->head_cap) {
        size_t cap = chain->head_cap == 0 ? 64 : 2 * chain->head_cap;
        struct kw_hash *heads = reallocarray(chain->heads, cap, sizeof(*heads));

        KW_ENSURE(heads != NULL, err, MEMORY, "heads");
        chain->heads = heads;
        chain->head_cap = cap;
    }
    chain->heads[chain->head_count++] = chain->verifier.at.head;
    return KW_OK;
}

/* A chain that starts behind this place, as the one that records are now of. */
static struct kw_result chain_begin(struct kw_verify *v, const struct kw_chain *start,
                                    struct kw_verify_chain **ret_chain, struct kw_error *err)
{
    struct kw_verify_chain chain = {.base = start->seq};

    kw_chain_verify_start(&chain.verifier, start);
    KW_TRY(kw_list_add(&v->chains, &chain, err));
    *ret_chain = chain_at(v, v->chains.count - 1);
    return head_add(*ret_chain, err);
}

/* Reports what was found in a chain, once. */
static struct kw_result chain_found(struct kw_verify *v, const struct kw_verify_chain *chain,
                                    enum kw_chain_verdict before, struct kw_error *err)
{
    const struct kw_chain_verifier *verifier = &chain->verifier;
    char text[KW_CHAIN_TEXT_SIZE];

    if (verifier->verdict == before) {
        return KW_OK;
    }
    (void)kw_verify_chain_text(verifier->at.core, verifier->at.stream, text);
    return verifier->verdict == KW_CHAIN_GAP
               ? kw_verify_found(v, err, KW_FINDING_RECEIPT_MISSING,
                                 "chain %s from number %" PRIu64, text, verifier->verdict_seq)
               : kw_verify_found(v, err, KW_FINDING_RECEIPT_ALTERED,
                                 "chain %s at or before number %" PRIu64, text,
                                 verifier->verdict_seq);
}

static struct kw_result receipt_chain(struct kw_verify *v, const struct kw_receipt *receipt,
                                      struct kw_verify_chain **ret_chain, struct kw_error *err)
{
    const struct kw_chain start = {.core = receipt->core, .stream = receipt->stream};

    *ret_chain = chain_find(v, receipt->core, receipt->stream);
    return *ret_chain != NULL ? KW_OK : chain_begin(v, &start, ret_chain, err);
}

static struct kw_result receipt_place(struct kw_verify *v, struct kw_verify_chain *chain,
                                      const struct kw_receipt *receipt, struct kw_bytes record,
                                      struct kw_error *err)
{
    enum kw_chain_verdict before = chain->verifier.verdict;
    enum kw_chain_verdict verdict;

    KW_TRY(kw_chain_verify_receipt(&chain->verifier, record, &verdict, err));
    if (verdict != KW_CHAIN_OK) {
        return chain_found(v, chain, before, err);
    }
    chain->first = chain->first == 0 ? receipt->seq : chain->first;
    chain->newest_ms = receipt->time_ms > chain->newest_ms ? receipt->time_ms : chain->newest_ms;
    return head_add(chain, err);
}

struct kw_result kw_verify_receipt(struct kw_verify *v, struct kw_bytes record,
                                   struct kw_error *err)
{
    struct kw_verify_chain *chain = NULL;
    struct kw_receipt receipt;

    if (!kw_ok(kw_receipt_decode(record, &receipt, NULL))) {
        return kw_verify_found(v, err, KW_FINDING_RECEIPT_ALTERED, "a receipt that cannot be read");
    }
    KW_TRY(receipt_chain(v, &receipt, &chain, err));
    chain->receipts++;
    KW_TRY(receipt_place(v, chain, &receipt, record, err));
    return kw_verify_capsule(v, &receipt, err);
}

/* A stretch may begin behind a checkpoint from before its time, which vouches for what it leaves
 * out. Any other chain is here from its beginning: a checkpoint does not stand for receipts that
 * should be here. */
static struct kw_chain chain_start(const struct kw_verify *v,
                                   const struct kw_checkpoint *checkpoint)
{
    struct kw_chain start = {.core = checkpoint->core, .stream = checkpoint->stream};

    if (checkpoint->time_ms < v->span.start_ms) {
        start.seq = checkpoint->seq;
        start.head = checkpoint->head;
    }
    return start;
}

/* A head is signed for more than was copied. Of a cell that lives the rest is on its way. */
static struct kw_result tail_judge(struct kw_verify *v, struct kw_verify_chain *chain,
                                   const struct kw_checkpoint *checkpoint, struct kw_error *err)
{
    char text[KW_CHAIN_TEXT_SIZE];

    chain->signed_to = checkpoint->seq;
    if (checkpoint->time_ms + COPY_BEHIND_MS > v->span.exported_ms) {
        return KW_OK;
    }
    return kw_verify_found(v, err, KW_FINDING_TAIL_MISSING,
                           "chain %s: a head is signed at number %" PRIu64
                           ", the copy ends at %" PRIu64,
                           kw_verify_chain_text(checkpoint->core, checkpoint->stream, text),
                           checkpoint->seq, chain->verifier.at.seq);
}

static struct kw_result
checkpoint_place(struct kw_verify *v, const struct kw_checkpoint *checkpoint, struct kw_error *err)
{
    const struct kw_chain start = chain_start(v, checkpoint);
    struct kw_verify_chain *chain = chain_find(v, checkpoint->core, checkpoint->stream);
    enum kw_chain_verdict before;

    if (chain == NULL) {
        KW_TRY(chain_begin(v, &start, &chain, err));
    }
    if (v->span.copy && checkpoint->seq > chain->verifier.at.seq) {
        return tail_judge(v, chain, checkpoint, err);
    }
    before = chain->verifier.verdict;
    chain->checkpoints++;
    if (kw_chain_verify_checkpoint(&chain->verifier, checkpoint) == KW_CHAIN_OK) {
        chain->vouched_to = checkpoint->seq;
        return KW_OK;
    }
    return chain_found(v, chain, before, err);
}

static bool is_signed(const struct kw_verify *v, const struct kw_checkpoint *checkpoint)
{
    for (size_t i = 0; i < v->checkpoint_count; i++) {
        if (kw_ok(kw_checkpoint_verify(checkpoint, &v->checkpoints[i], NULL))) {
            return true;
        }
    }
    return false;
}

struct kw_result kw_verify_checkpoint_record(struct kw_verify *v, struct kw_bytes record,
                                             struct kw_error *err)
{
    struct kw_checkpoint checkpoint;
    char text[KW_CHAIN_TEXT_SIZE];

    if (!kw_ok(kw_checkpoint_decode(record, &checkpoint, NULL))) {
        return kw_verify_found(v, err, KW_FINDING_CHECKPOINT_FORGED,
                               "a checkpoint that cannot be read");
    }
    if (!is_signed(v, &checkpoint)) {
        return kw_verify_found(v, err, KW_FINDING_CHECKPOINT_FORGED,
                               "chain %s number %" PRIu64 ": not signed by the checkpoint key",
                               kw_verify_chain_text(checkpoint.core, checkpoint.stream, text),
                               checkpoint.seq);
    }
    return checkpoint_place(v, &checkpoint, err);
}

struct kw_result kw_verify_head(struct kw_verify *v, struct kw_bytes record, struct kw_error *err)
{
    struct kw_verify_witness seen = {0};

    return kw_ok(kw_head_decode(record, &seen.witness, NULL))
               ? kw_list_add(&v->witnesses, &seen, err)
               : kw_verify_found(v, err, KW_FINDING_RECEIPT_ALTERED, "a head that cannot be read");
}

/* The head that authz saw must be the one we see. What a later export would show need not be here.
 */
static struct kw_result witness_judge(struct kw_verify *v, const struct kw_verify_witness *seen,
                                      struct kw_error *err)
{
    const struct kw_witness *witness = &seen->witness;
    const struct kw_verify_chain *chain = chain_find(v, witness->core, witness->stream);
    char text[KW_CHAIN_TEXT_SIZE];
    bool settled = seen->time_ms + CLOCKS_APART_MS <= v->span.exported_ms;

    (void)kw_verify_chain_text(witness->core, witness->stream, text);
    if (chain == NULL) {
        return v->span.start_ms == 0 && v->span.end_ms == 0 && settled
                   ? kw_verify_found(v, err, KW_FINDING_TAIL_MISSING,
                                     "chain %s: authz saw number %" PRIu64 ", nothing is here",
                                     text, witness->seq)
                   : KW_OK;
    }
    if (chain->verifier.verdict != KW_CHAIN_OK || witness->seq < chain->base) {
        return KW_OK; /* reported already; or before a stretch, which alone has a base */
    }
    if (witness->seq > chain->verifier.at.seq) {
        return v->span.end_ms == 0 && settled
                   ? kw_verify_found(v, err, KW_FINDING_TAIL_MISSING,
                                     "chain %s: authz saw number %" PRIu64 ", it ends at %" PRIu64,
                                     text, witness->seq, chain->verifier.at.seq)
                   : KW_OK;
    }
    return kw_bytes_equal(KW_BYTES_OF(chain->heads[witness->seq - chain->base].bytes),
                          KW_BYTES_OF(witness->head))
               ? KW_OK
               : kw_verify_found(v, err, KW_FINDING_RECEIPT_ALTERED,
                                 "chain %s: authz saw another head at number %" PRIu64, text,
                                 witness->seq);
}

static struct kw_result reuse_judge(struct kw_verify *v, struct kw_error *err)
{
    kw_list_sort(&v->capsules, kw_verify_by_id);
    for (size_t i = 1; i < v->capsules.count; i++) {
        if (kw_verify_by_id(kw_list_at(&v->capsules, i - 1), kw_list_at(&v->capsules, i)) == 0) {
            char text[2 * KW_ID_LEN + 1];

            kw_hex(KW_BYTES(kw_list_at(&v->capsules, i), KW_ID_LEN), text);
            KW_TRY(kw_verify_found(v, err, KW_FINDING_CAPSULE_REUSED, "capsule %s", text));
        }
    }
    return KW_OK;
}

struct kw_result kw_verify_chains_end(struct kw_verify *v, struct kw_error *err)
{
    for (size_t i = 0; i < v->witnesses.count; i++) {
        KW_TRY(witness_judge(v, kw_list_at(&v->witnesses, i), err));
    }
    return reuse_judge(v, err);
}
