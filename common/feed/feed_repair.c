/* Repairing. */
#include "common/feed/feed_repair.h"

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_digests.h"

/* Lanes that are equal explain no difference; a damaged row is a fault whatever they are. */
static void tell(const struct kw_answer *answer, enum kw_row_news news, bool equal)
{
    bool fault = equal || news == KW_ROW_MENDED;

    kw_metric_add(KW_M_FEED_REPAIRED, fault ? "equal" : "apart", 1);
    if (fault) {
        KW_LOG(ERROR, "a row was set right by another store",
               KW_F_U64("table", answer->to.from.table),
               KW_F_HEX("store", kw_id_bytes(&answer->to.store)));
    }
}

static struct kw_result take_all(struct kw_feed *feed, struct kw_tx *tx,
                                 const struct kw_answer *answer, uint64_t wall_ms,
                                 size_t *ret_repaired, struct kw_error *err)
{
    uint8_t reach[KW_SHA256_LEN];
    enum kw_row_news news;
    bool equal;

    KW_TRY(kw_feed_reach(tx, reach, err));
    equal = kw_bytes_equal(KW_BYTES_OF(reach), KW_BYTES_OF(answer->reach));
    for (size_t i = 0; i < answer->count; i++) {
        KW_TRY(kw_feed_take_row(feed, tx, answer->to.store, answer->items[i], wall_ms, &news, err));
        if (news != KW_ROW_KNOWN) {
            tell(answer, news, equal);
            *ret_repaired += 1;
        }
    }
    return KW_OK;
}

struct kw_result kw_feed_repair(struct kw_feed *feed, struct kw_tx *tx, const struct kw_ask *ask,
                                const struct kw_answer *answer, uint64_t wall_ms,
                                enum kw_answer_verdict *ret_verdict, size_t *ret_repaired,
                                struct kw_error *err)
{
    *ret_repaired = 0;
    KW_TRY(kw_feed_judge_answer(feed, tx, ask, answer, ret_verdict, err));
    return *ret_verdict == KW_ANSWER_GOOD ? take_all(feed, tx, answer, wall_ms, ret_repaired, err)
                                          : KW_OK;
}
