/* Orders of an officer, for tests. Everything lives until the test ends. */
#ifndef KW_TESTS_SUPPORT_LANE_ORDER_H
#define KW_TESTS_SUPPORT_LANE_ORDER_H

#include "common/feed/order.h"

/* The first officer's key, and who believes it. */
const struct kw_private_key *order_officer(void);
const struct kw_order_trust *order_trust(void);

/* A version vector of one lane. */
struct kw_bytes order_honours(struct kw_id lane, uint64_t seq);

/* Signed with any key. */
struct kw_bytes order_signed(const struct kw_order *order, const struct kw_private_key *key);

/* The officer's, about one store: fenced at `fence`, cut off, or its life drained. */
struct kw_bytes order_fence(struct kw_id mesh, struct kw_id store, struct kw_bytes fence,
                            uint64_t issued_ms);
struct kw_bytes order_cut(struct kw_id mesh, struct kw_id store, uint64_t issued_ms);
struct kw_bytes order_drain(struct kw_id mesh, struct kw_id store, struct kw_id life,
                            uint64_t issued_ms);

#endif
