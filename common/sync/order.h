/* The one total order of byte strings, and the joins that are nothing else: the lower of two, the
 * higher of two. A number written big-endian sorts as the number does, so a register whose value
 * begins with its time is merged by these alone. */
#ifndef KW_COMMON_SYNC_ORDER_H
#define KW_COMMON_SYNC_ORDER_H

#include "common/base/bytes.h"

/* Negative, zero, positive, as memcmp; a prefix is lower than what it begins. Public values only. */
int kw_bytes_order(struct kw_bytes a, struct kw_bytes b);

struct kw_bytes kw_bytes_lower(struct kw_bytes a, struct kw_bytes b);
struct kw_bytes kw_bytes_higher(struct kw_bytes a, struct kw_bytes b);

#endif
