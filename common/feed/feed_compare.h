/* What a store makes of another's answer about digests (feed_reply.h), and where to look further: roots, then children,
 * that are others; of a bucket the keys of rows to ask for.
 *
 * Read jobs. An answer is judged first (answer_check.h); what is not GOOD says nothing.
 */
#ifndef KW_COMMON_FEED_FEED_COMPARE_H
#define KW_COMMON_FEED_FEED_COMPARE_H

#include "common/feed/answer_check.h"
#include "common/feed/digest_node.h"
#include "common/feed/feed.h"

/* A question under a nonce of its own; kept until it is answered. `from` borrows. Fails: SYSTEM. */
struct kw_result kw_feed_ask(struct kw_id store, enum kw_ask_purpose purpose,
                             const struct kw_answer_place *from, struct kw_ask *ret_ask,
                             struct kw_error *err);

struct kw_feed_differences {
    bool same_reach; /* both were told the same: what differs is a fault */
    struct kw_digest_node
        nodes[KW_DIGEST_NODES_MAX]; /* to ask for; more than fit are found next time */
    size_t node_count;
    struct kw_bytes
        *keys; /* in the arena: of rows that are others there, as many as a question takes */
    size_t key_count;
};

/* Fails: the same. */
struct kw_result kw_feed_compare(const struct kw_feed *feed, struct kw_tx *tx,
                                 const struct kw_ask *ask, const struct kw_answer *answer,
                                 struct kw_arena *arena, enum kw_answer_verdict *ret_verdict,
                                 struct kw_feed_differences *ret_differences, struct kw_error *err);

#endif
