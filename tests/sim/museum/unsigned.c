/* Bug: a batch is believed without its signature. */
#include "common/feed/lane_head.h"

struct kw_result __wrap_kw_lane_head_verify(const struct kw_lane_head *head, struct kw_error *err);

struct kw_result __wrap_kw_lane_head_verify(const struct kw_lane_head *head, struct kw_error *err)
{
    (void)head;
    (void)err;
    return KW_OK;
}
