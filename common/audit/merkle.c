/* RFC 6962 trees, built level by level: pairing from the left and carrying a last odd node up
 * unchanged gives the same tree as the RFC's recursion, with every node hashed once. */
#include "common/audit/merkle.h"

static const uint8_t leaf_prefix = 0x00;
static const uint8_t node_prefix = 0x01;

struct kw_result kw_merkle_leaf(struct kw_bytes data, struct kw_hash *ret_leaf,
                                struct kw_error *err)
{
    struct kw_bytes parts[] = {KW_BYTES(&leaf_prefix, 1), data};

    return kw_sha256_list(parts, sizeof(parts) / sizeof(parts[0]), ret_leaf->bytes, err);
}

static struct kw_result node(const struct kw_hash *left, const struct kw_hash *right,
                             struct kw_hash *ret_node, struct kw_error *err)
{
    struct kw_bytes parts[] = {KW_BYTES(&node_prefix, 1), KW_BYTES_OF(left->bytes),
                               KW_BYTES_OF(right->bytes)};

    return kw_sha256_list(parts, sizeof(parts) / sizeof(parts[0]), ret_node->bytes, err);
}

static size_t parents(size_t nodes)
{
    return (nodes + 1) / 2;
}

static struct kw_result build_level(const struct kw_hash *below, size_t count,
                                    struct kw_hash *level, struct kw_error *err)
{
    for (size_t i = 0; i + 1 < count; i += 2) {
        KW_TRY(node(&below[i], &below[i + 1], &level[i / 2], err));
    }
    if (count % 2 == 1) {
        level[count / 2] = below[count - 1];
    }
    return KW_OK;
}

struct kw_result kw_merkle_build(struct kw_merkle *tree, const struct kw_bytes *data, size_t count,
                                 struct kw_error *err)
{
    struct kw_hash *level = tree->nodes;

    KW_ENSURE(count >= 1 && count <= KW_SEAL_BATCH_MAX, err, ARGUMENT_INVALID, "%zu leaves", count);
    for (size_t i = 0; i < count; i++) {
        KW_TRY(kw_merkle_leaf(data[i], &level[i], err));
    }
    for (size_t n = count; n > 1; n = parents(n)) {
        KW_TRY(build_level(level, n, level + n, err));
        level += n;
    }
    tree->leaf_count = count;
    return KW_OK;
}

const struct kw_hash *kw_merkle_root(const struct kw_merkle *tree)
{
    const struct kw_hash *level = tree->nodes;

    for (size_t n = tree->leaf_count; n > 1; n = parents(n)) {
        level += n;
    }
    return level;
}

void kw_merkle_path(const struct kw_merkle *tree, uint32_t index, struct kw_merkle_path *ret_path)
{
    const struct kw_hash *level = tree->nodes;
    size_t place = index;

    *ret_path =
        (struct kw_merkle_path){.leaf_index = index, .leaf_count = (uint32_t)tree->leaf_count};
    for (size_t n = tree->leaf_count; n > 1; n = parents(n)) {
        size_t sibling = place ^ 1U;

        if (sibling < n) {
            ret_path->siblings[ret_path->length++] = level[sibling];
        }
        level += n;
        place /= 2;
    }
}

struct kw_result kw_merkle_climb(const struct kw_hash *leaf, const struct kw_merkle_path *path,
                                 struct kw_hash *ret_root, struct kw_error *err)
{
    struct kw_hash at = *leaf;
    size_t place = path->leaf_index;
    size_t used = 0;

    KW_ENSURE(path->leaf_count <= KW_SEAL_BATCH_MAX && path->leaf_index < path->leaf_count &&
                  path->length <= KW_MERKLE_PATH_MAX,
              err, ENCODING_INVALID, "no such leaf");
    for (size_t n = path->leaf_count; n > 1; n = parents(n)) {
        if ((place ^ 1U) < n) {
            const struct kw_hash *sibling = &path->siblings[used];

            KW_ENSURE(used < path->length, err, ENCODING_INVALID, "path is too short");
            KW_TRY(place % 2 == 0 ? node(&at, sibling, &at, err) : node(sibling, &at, &at, err));
            used++;
        }
        place /= 2;
    }
    KW_ENSURE(used == path->length, err, ENCODING_INVALID, "path is too long");
    *ret_root = at;
    return KW_OK;
}
