/* Nodes and their names. */
#include "common/feed/digest_node.h"

#define BYTE 8U

uint32_t kw_digest_span(struct kw_digest_node node)
{
    uint32_t buckets = KW_DIGEST_BUCKETS;

    if (node.level > KW_DIGEST_LEVELS) {
        return 0;
    }
    for (unsigned i = 0; i < node.level; i++) {
        buckets /= KW_DIGEST_FAN;
    }
    return node.index < KW_DIGEST_BUCKETS / buckets ? buckets : 0;
}

struct kw_digest_node kw_digest_child(struct kw_digest_node node, unsigned child)
{
    return (struct kw_digest_node){.table = node.table,
                                   .level = (uint8_t)(node.level + 1),
                                   .index = (uint16_t)(node.index * KW_DIGEST_FAN + child)};
}

void kw_digest_name(struct kw_digest_node node, uint8_t ret_name[KW_DIGEST_NAME_LEN])
{
    ret_name[0] = node.level;
    ret_name[1] = (uint8_t)(node.index >> BYTE);
    ret_name[2] = (uint8_t)node.index;
}

bool kw_digest_named(uint16_t table, struct kw_bytes name, struct kw_digest_node *ret_node,
                     struct kw_bytes *ret_after)
{
    if (name.len < KW_DIGEST_NAME_LEN) {
        return false;
    }
    *ret_node = (struct kw_digest_node){.table = table,
                                        .level = name.data[0],
                                        .index = (uint16_t)(name.data[1] << BYTE | name.data[2])};
    *ret_after = KW_BYTES(name.data + KW_DIGEST_NAME_LEN, name.len - KW_DIGEST_NAME_LEN);
    return kw_digest_span(*ret_node) > 0 &&
           (ret_after->len == 0 || ret_node->level == KW_DIGEST_LEVELS);
}
