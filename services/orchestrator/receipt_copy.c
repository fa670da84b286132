/* Ours, out of the receipt log; theirs, into kept_chains. */
#include "services/orchestrator/receipt_copy.h"

#include "common/audit/segment.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/sync/grow_set.h"
#include "common/sync/store_record.h"
#include "services/orchestrator/chain_table.h"
#include "services/orchestrator/kept_table.h"
#include "services/orchestrator/receipt_head_feed.h"

/* A chain's name is core ‖ stream. */
static void name_read(const uint8_t name[KW_LOG_NAME_LEN], struct kw_id *core, struct kw_id *stream)
{
    kw_copy(core->bytes, name, KW_ID_LEN);
    kw_copy(stream->bytes, name + KW_ID_LEN, KW_ID_LEN);
}

/* --- ours --- */

static struct kw_result chains(struct kw_tx *tx, const uint8_t after[KW_LOG_NAME_LEN],
                               struct kw_log_chain *list, size_t max, size_t *ret_count,
                               struct kw_error *err)
{
    struct kw_id core;
    struct kw_id stream;
    size_t count = 0;
    bool found = true;

    name_read(after, &core, &stream);
    while (count < max) {
        KW_TRY(kw_chain_next(tx, &core, &stream, &list[count].end, &found, err));
        if (!found) {
            break;
        }
        kw_copy(list[count].name, core.bytes, KW_ID_LEN);
        kw_copy(list[count].name + KW_ID_LEN, stream.bytes, KW_ID_LEN);
        count++;
    }
    *ret_count = count;
    return KW_OK;
}

/* A segment as it grows. */
struct gathering {
    struct kw_segment segment;
    struct kw_buf records;
};

static struct kw_result gather(void *context, struct kw_bytes record, bool *ret_more,
                               struct kw_error *err)
{
    struct gathering *gathering = context;

    return kw_segment_add(&gathering->segment, &gathering->records, record, ret_more, err);
}

static struct kw_result read_on(struct kw_tx *tx, const struct kw_log_ask *from, struct kw_buf *out,
                                struct kw_error *err)
{
    struct gathering g = {.segment = {.after = from->number}};
    struct kw_result result;

    name_read(from->name, &g.segment.core, &g.segment.stream);
    result = kw_chain_receipts(tx, g.segment.core, g.segment.stream, from->number,
                               KW_SEGMENT_RECEIPTS_MAX, gather, &g, err);
    if (kw_ok(result) && g.segment.count > 0) {
        result = kw_segment_encode(&g.segment, out, err);
    }
    kw_buf_done(&g.records);
    return result;
}

/* --- theirs --- */

static struct kw_result kept(struct kw_tx *tx, struct kw_bytes place,
                             const uint8_t name[KW_LOG_NAME_LEN], uint64_t *ret_end,
                             bool *ret_takes, struct kw_error *err)
{
    struct kw_kept_chain chain;
    struct kw_id core;
    struct kw_id stream;
    bool found;

    name_read(name, &core, &stream);
    KW_TRY(kw_kept_find(tx, place, core, stream, &chain, &found, err));
    *ret_end = chain.at.seq;
    *ret_takes = !chain.forked;
    return KW_OK;
}

/* A segment being judged. */
struct judging {
    struct kw_tx *tx;
    const struct kw_log_offer *offer;
    struct kw_arena *arena;
    struct kw_kept_chain chain; /* as it is kept; then with the segment */
    struct kw_segment segment;
    struct kw_hash *heads; /* after each of its receipts */
    enum kw_segment_verdict verdict;
};

/* Does it go through the heads that are signed for these numbers? */
static struct kw_result check_heads(struct judging *j, struct kw_error *err)
{
    const struct kw_segment *segment = &j->segment;
    struct kw_receipt_head_walk walk = {
        .core = segment->core, .stream = segment->stream, .seq = segment->after};
    struct kw_receipt_heads heads;
    bool any = true;

    while (j->verdict == KW_SEGMENT_GOOD) {
        KW_TRY(kw_receipt_heads_next(j->tx, &walk, j->arena, &heads, &any, err));
        if (!any || walk.seq > segment->after + segment->count) {
            break;
        }
        if (!kw_set_has(heads.heads, KW_BYTES_OF(j->heads[walk.seq - segment->after - 1].bytes))) {
            j->verdict = KW_SEGMENT_FORKED;
        }
    }
    return KW_OK;
}

static struct kw_result judge(struct judging *j, struct kw_error *err)
{
    const struct kw_segment_place place = {j->offer->region, j->offer->cell};

    j->verdict = KW_SEGMENT_BROKEN;
    if (!kw_ok(kw_segment_decode(j->offer->segment, &j->segment, NULL))) {
        return KW_OK;
    }
    j->heads = kw_arena_alloc(j->arena, j->segment.count * sizeof(*j->heads));
    KW_ENSURE(j->heads != NULL, err, MEMORY, "the heads of a segment");
    KW_TRY(kw_segment_check(&j->segment, &place, &j->chain.at, j->heads, &j->verdict, err));
    return j->verdict == KW_SEGMENT_GOOD ? check_heads(j, err) : KW_OK;
}

static void tell(const struct kw_log_offer *offer, const char *verdict)
{
    kw_metric_add(KW_M_RECEIPT_SEGMENTS, verdict, 1);
    if (strcmp(verdict, kw_segment_verdict_name(KW_SEGMENT_GOOD)) != 0) {
        KW_LOG(ERROR, "receipts of another cell are not kept", KW_F_STR("verdict", verdict),
               KW_F_HEX("chain", KW_BYTES_OF(offer->asked->name)));
    }
}

/* Is there room for it among what is kept of that cell? */
static struct kw_result has_room(struct judging *j, const struct kw_receipt_copy_options *options,
                                 bool *ret_room, struct kw_error *err)
{
    uint64_t len;

    KW_TRY(kw_kept_len(j->tx, j->offer->place, &len, err));
    *ret_room = len + j->offer->segment.len + KW_KEPT_CHAIN_COST <= options->len_max;
    if (!*ret_room) {
        kw_metric_add(KW_M_LIMITS_REACHED, "receipts_kept", 1);
        tell(j->offer, "full");
    }
    return KW_OK;
}

static struct kw_result take(struct judging *j, const struct kw_receipt_copy_options *options,
                             struct kw_error *err)
{
    bool room;

    KW_TRY(has_room(j, options, &room, err));
    if (!room) {
        return KW_OK;
    }
    j->chain.len += j->offer->segment.len;
    KW_TRY(
        kw_kept_add(j->tx, j->offer->place, &j->chain, j->offer->segment, j->offer->now_ms, err));
    tell(j->offer, kw_segment_verdict_name(j->verdict));
    return KW_OK;
}

/* What is kept stays as it is. */
static struct kw_result refuse(struct judging *j, const struct kw_kept_chain *before,
                               struct kw_error *err)
{
    tell(j->offer, kw_segment_verdict_name(j->verdict));
    return j->verdict == KW_SEGMENT_FORKED ? kw_kept_fork(j->tx, j->offer->place, before,
                                                          j->offer->evidence, j->offer->now_ms, err)
                                           : KW_OK;
}

static struct kw_result keep(const void *context, struct kw_tx *tx,
                             const struct kw_log_offer *offer, struct kw_arena *arena,
                             struct kw_error *err)
{
    struct judging j = {.tx = tx, .offer = offer, .arena = arena};
    struct kw_kept_chain before;
    struct kw_id core;
    struct kw_id stream;
    bool found;

    name_read(offer->asked->name, &core, &stream);
    KW_TRY(kw_kept_find(tx, offer->place, core, stream, &before, &found, err));
    if (before.forked || before.at.seq != offer->asked->number) {
        return KW_OK; /* asked before that was so */
    }
    j.chain = before;
    KW_TRY(judge(&j, err));
    return j.verdict == KW_SEGMENT_GOOD ? take(&j, context, err) : refuse(&j, &before, err);
}

struct kw_feed_log kw_receipt_copies(const struct kw_receipt_copy_options *options)
{
    return (struct kw_feed_log){
        .chains = chains, .read = read_on, .kept = kept, .keep = keep, .context = options};
}
