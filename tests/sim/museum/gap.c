/* Bug: a batch is applied over changes that are missing: numbers that grow are taken for numbers without
 * a hole. */
#include "common/feed/lane_check.h"

struct kw_result __real_kw_lane_check(const struct kw_lane_held *held,
                                      const struct kw_lane_batch *batch,
                                      struct kw_lane_finding *ret_finding, struct kw_error *err);
struct kw_result __wrap_kw_lane_check(const struct kw_lane_held *held,
                                      const struct kw_lane_batch *batch,
                                      struct kw_lane_finding *ret_finding, struct kw_error *err);

struct kw_result __wrap_kw_lane_check(const struct kw_lane_held *held,
                                      const struct kw_lane_batch *batch,
                                      struct kw_lane_finding *ret_finding, struct kw_error *err)
{
    struct kw_lane_held there = *held;

    if (batch->from.seq > held->point.seq) {
        there.point = batch->from;
    }
    return __real_kw_lane_check(&there, batch, ret_finding, err);
}
