/* What becomes of a batch that was judged: one row each. */
#include "services/replicator/core/replicator_internal.h"

static const enum kw_answer answers[KW_LANE_VERDICT_END_] = {
    [KW_LANE_NEWS] = KW_ANSWER_ACK,       [KW_LANE_KNOWN] = KW_ANSWER_ACK,
    [KW_LANE_GAP] = KW_ANSWER_NEED,       [KW_LANE_FORK] = KW_ANSWER_NONE,
    [KW_LANE_OTHER_MESH] = KW_ANSWER_CUT, [KW_LANE_STRANGER] = KW_ANSWER_NONE,
    [KW_LANE_FENCED] = KW_ANSWER_NONE,    [KW_LANE_UNSIGNED] = KW_ANSWER_CUT,
    [KW_LANE_BROKEN] = KW_ANSWER_CUT,     [KW_LANE_STOPPED] = KW_ANSWER_NONE,
};

enum kw_answer kw_answer_to(enum kw_lane_verdict verdict)
{
    return verdict < KW_LANE_VERDICT_END_ ? answers[verdict] : KW_ANSWER_NONE;
}
