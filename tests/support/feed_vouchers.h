/* Nodes of feed_fixture.h whose stores are vouched for: each has an owner, authz of a cell of its own, that believes the
 * first officer's orders, too. */
#ifndef KW_TESTS_SUPPORT_FEED_VOUCHERS_H
#define KW_TESTS_SUPPORT_FEED_VOUCHERS_H

#include "tests/support/feed_fixture.h"
#include "tests/support/lane_voucher.h"

/* By the node's number. */
extern struct voucher_owner *feed_owners[FEED_NODES_MAX];

/* Begins them at PKI_NOW_MS; they don't know one another. */
void feed_owners_init(struct feed_node *nodes, const char *const *cells, unsigned count);

/* kw_feed_admit. */
enum kw_lane_verdict feed_admit(struct feed_node *node, struct kw_bytes voucher);

/* kw_feed_vouch, which comes to this verdict. Lives until the test ends. */
struct kw_bytes feed_vouch(struct feed_node *node, enum kw_lane_verdict verdict);

/* As the owner of `node` could make it of anything. */
struct kw_bytes feed_made(const struct feed_node *node, struct kw_id life, uint64_t issued_ms);

/* The row of a store, as `node` has it, and its bytes. */
struct kw_record feed_row_of(struct feed_node *node, const struct feed_node *of);
struct kw_bytes feed_row_bytes(struct feed_node *node, const struct feed_node *of);

/* What a voucher says of its store's row. */
struct kw_record feed_change_of(struct kw_bytes voucher);

/* How many stores are known. */
int64_t feed_stores(struct feed_node *node);

#endif
