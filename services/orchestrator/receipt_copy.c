/* Ours, out of the receipt log; theirs, into kept_chains. */
#include "services/orchestrator/receipt_copy.h"

#include "common/audit/segment.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/feed_alarm.h"
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

static const char not_kept[] = "receipts of another cell are not kept";

static struct kw_result kept(struct kw_tx *tx, struct kw_bytes place,
                             const uint8_t name[KW_LOG_NAME_LEN], uint64_t *ret_end,
                             bool *ret_takes, struct kw_error *err)
{
    struct kw_kept_chain chain;
    struct kw_id core;
    struct kw_id stream;

    name_read(name, &core, &stream);
    KW_TRY(kw_kept_find(tx, place, core, stream, &chain, err));
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
    bool contested; /* there is another head for one of its numbers, says whoever says so */
};

/* A look at the heads that are said to be signed for its numbers. */
struct looking {
    struct kw_receipt_head_walk walk;
    bool ends;
    size_t len; /* what was read of them */
};

/* The next one, in an arena of its own: any member may have made its row large. */
static struct kw_result look_at_head(struct judging *j, struct looking *l, struct kw_arena *arena,
                                     struct kw_error *err)
{
    const struct kw_segment *segment = &j->segment;
    struct kw_receipt_heads heads;
    bool any;

    KW_TRY(kw_receipt_heads_next(j->tx, &l->walk, arena, &heads, &any, err));
    l->len += kw_arena_used(arena);
    l->ends = !any || l->walk.seq > segment->after + segment->count;
    j->contested =
        !l->ends &&
        !kw_set_has(heads.heads, KW_BYTES_OF(j->heads[l->walk.seq - segment->after - 1].bytes));
    return KW_OK;
}

/* Does it go through them? We can't verify whose they are, as `keyward verify` does, so it is no more than told. */
static struct kw_result look_at_heads(struct judging *j, struct kw_error *err)
{
    struct looking l = {.walk = {j->segment.core, j->segment.stream, j->segment.after}};

    while (!l.ends && !j->contested && l.len < KW_KEPT_HEADS_LEN) {
        struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
        struct kw_result result;

        KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a head");
        result = look_at_head(j, &l, arena, err);
        kw_arena_free(arena);
        KW_TRY(result);
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
    return j->verdict == KW_SEGMENT_GOOD ? look_at_heads(j, err) : KW_OK;
}

/* All are counted; who hands over nothing but such must not fill the log. */
static void tell(const struct kw_log_offer *offer, const char *verdict, const char *message)
{
    kw_metric_add(KW_M_RECEIPT_SEGMENTS, verdict, 1);
    if (message != NULL && kw_feed_may_alarm(offer->feed, offer->now_ms)) {
        kw_log_write(KW_LOG_ERROR, message,
                     (const struct kw_log_field[]){
                         KW_F_STR("verdict", verdict),
                         KW_F_HEX("chain", KW_BYTES_OF(offer->asked->name)),
                     },
                     2);
    }
}

/* Is there room for so much more among what is kept of that store? */
static struct kw_result has_room(struct judging *j, const struct kw_receipt_copy_options *options,
                                 size_t more, bool *ret_room, struct kw_error *err)
{
    struct kw_kept_sum sum;
    bool many;

    KW_TRY(kw_kept_sum(j->tx, j->offer->store, &sum, err));
    many = !j->chain.stored && sum.chains >= KW_KEPT_CHAINS_MAX;
    *ret_room = !many && sum.len + more + KW_KEPT_CHAIN_COST <= options->len_max;
    if (!*ret_room) {
        kw_metric_add(KW_M_LIMITS_REACHED, many ? "receipt_chains_kept" : "receipts_kept", 1);
    }
    return KW_OK;
}

static struct kw_result take(struct judging *j, const struct kw_receipt_copy_options *options,
                             struct kw_error *err)
{
    const struct kw_kept_giver giver = {j->offer->place, j->offer->store};
    bool room;

    KW_TRY(has_room(j, options, j->offer->segment.len, &room, err));
    if (!room) {
        tell(j->offer, "full", not_kept);
        return KW_OK;
    }
    j->chain.len += j->offer->segment.len;
    KW_TRY(kw_kept_add(j->tx, &giver, &j->chain, j->offer->segment, err));
    if (j->contested) {
        tell(j->offer, "contested", "receipts of another cell are kept, but another head is said");
    } else {
        tell(j->offer, kw_segment_verdict_name(j->verdict), NULL);
    }
    return KW_OK;
}

/* With the answer that shows it, if there is room for that. */
static struct kw_result stop(struct judging *j, const struct kw_receipt_copy_options *options,
                             struct kw_error *err)
{
    const struct kw_kept_giver giver = {j->offer->place, j->offer->store};
    bool room;

    KW_TRY(kw_kept_fork(j->tx, j->offer->place, &j->chain, err));
    KW_TRY(has_room(j, options, j->offer->evidence.len, &room, err));
    return room ? kw_kept_evidence(j->tx, &giver, &j->chain, j->offer->evidence, err) : KW_OK;
}

/* What is kept stays as it is. A first receipt has nothing before it, so what forks is stored. */
static struct kw_result refuse(struct judging *j, const struct kw_receipt_copy_options *options,
                               struct kw_error *err)
{
    tell(j->offer, kw_segment_verdict_name(j->verdict), not_kept);
    return j->verdict == KW_SEGMENT_FORKED ? stop(j, options, err) : KW_OK;
}

static struct kw_result keep(const void *context, struct kw_tx *tx,
                             const struct kw_log_offer *offer, struct kw_arena *arena,
                             struct kw_error *err)
{
    struct judging j = {.tx = tx, .offer = offer, .arena = arena};
    struct kw_id core;
    struct kw_id stream;

    name_read(offer->asked->name, &core, &stream);
    KW_TRY(kw_kept_find(tx, offer->place, core, stream, &j.chain, err));
    if (j.chain.forked || j.chain.at.seq != offer->asked->number) {
        return KW_OK; /* asked before that was so */
    }
    KW_TRY(judge(&j, err));
    return j.verdict == KW_SEGMENT_GOOD ? take(&j, context, err) : refuse(&j, context, err);
}

struct kw_feed_log kw_receipt_copies(const struct kw_receipt_copy_options *options)
{
    return (struct kw_feed_log){
        .chains = chains, .read = read_on, .kept = kept, .keep = keep, .context = options};
}
