/* The order of merged states, "says at least as much as": written a second time, from what each
 * rule means and not from how the product joins, so that a join can be held against it. */
#ifndef KW_TESTS_SUPPORT_MERGE_ORDER_H
#define KW_TESTS_SUPPORT_MERGE_ORDER_H

#include "common/sync/record.h"

/* Does `b` say everything that `a` says? */
bool record_within(const struct kw_record *a, const struct kw_record *b);

#endif
