/* The tree of digests (feed_digests.h): its nodes, and what they are called in a question.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_DIGEST_NODE_H
#define KW_COMMON_FEED_DIGEST_NODE_H

#include "common/base/bytes.h"
#include "common/base/limits.h"

#define KW_DIGEST_FAN    16U
#define KW_DIGEST_LEVELS 3U

struct kw_digest_node {
    uint16_t table;
    uint8_t level;  /* 0: the root; KW_DIGEST_LEVELS: a bucket */
    uint16_t index; /* below 16 ^ level; its children are index × 16 … index × 16 + 15 */
};

/* How many buckets it has; 0: there is no such node. */
uint32_t kw_digest_span(struct kw_digest_node node);

struct kw_digest_node kw_digest_child(struct kw_digest_node node, unsigned child);

/* Its name: level u8 ‖ index u16. */
#define KW_DIGEST_NAME_LEN 3U
void kw_digest_name(struct kw_digest_node node, uint8_t ret_name[KW_DIGEST_NAME_LEN]);

/* The node with this name; of a bucket also the key of a row behind it, `*ret_after`. False: there is none. */
bool kw_digest_named(uint16_t table, struct kw_bytes name, struct kw_digest_node *ret_node,
                     struct kw_bytes *ret_after);

#endif
