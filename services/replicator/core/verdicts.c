/* What becomes of a batch that was judged: one row each. */
#include "services/replicator/core/replicator_internal.h"

static const enum kw_reply replies[KW_LANE_VERDICT_END_] = {
    [KW_LANE_NEWS] = KW_REPLY_ACK,       [KW_LANE_KNOWN] = KW_REPLY_ACK,
    [KW_LANE_GAP] = KW_REPLY_NEED,       [KW_LANE_FORK] = KW_REPLY_NONE,
    [KW_LANE_OTHER_MESH] = KW_REPLY_CUT, [KW_LANE_STRANGER] = KW_REPLY_NONE,
    [KW_LANE_FENCED] = KW_REPLY_NONE,    [KW_LANE_UNSIGNED] = KW_REPLY_CUT,
    [KW_LANE_BROKEN] = KW_REPLY_CUT,     [KW_LANE_STOPPED] = KW_REPLY_NONE,
    [KW_LANE_WAITS] = KW_REPLY_NONE,
};

enum kw_reply kw_reply_to(enum kw_lane_verdict verdict)
{
    return verdict < KW_LANE_VERDICT_END_ ? replies[verdict] : KW_REPLY_NONE;
}
