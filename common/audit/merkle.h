/* Merkle trees of RFC 6962 §2.1 with SHA-256: one signature for everything that waits, one short
 * path each. Pure. */
#ifndef KW_COMMON_AUDIT_MERKLE_H
#define KW_COMMON_AUDIT_MERKLE_H

#include "common/base/limits.h"
#include "common/crypto/digest.h"

#define KW_MERKLE_PATH_MAX 6 /* log2(KW_SEAL_BATCH_MAX) */

struct kw_hash {
    uint8_t bytes[KW_SHA256_LEN];
};

/* A tree with all its nodes, level by level from the leaves. Plain data (4 KiB): on the stack, owns
 * nothing. */
struct kw_merkle {
    size_t leaf_count;
    struct kw_hash nodes[2 * KW_SEAL_BATCH_MAX + KW_MERKLE_PATH_MAX];
};

/* The siblings from a leaf up to the root. */
struct kw_merkle_path {
    uint32_t leaf_index;
    uint32_t leaf_count;
    size_t length;
    struct kw_hash siblings[KW_MERKLE_PATH_MAX];
};

/* SHA-256(0x00 ‖ data). Fails: CRYPTO, MEMORY. */
struct kw_result kw_merkle_leaf(struct kw_bytes data, struct kw_hash *ret_leaf,
                                struct kw_error *err);

/* The tree over `count` pieces of data. Fails: ARGUMENT_INVALID (none, or more than
 * KW_SEAL_BATCH_MAX), CRYPTO, MEMORY. */
struct kw_result kw_merkle_build(struct kw_merkle *tree, const struct kw_bytes *data, size_t count,
                                 struct kw_error *err);

/* Points into the tree. */
const struct kw_hash *kw_merkle_root(const struct kw_merkle *tree);

/* The path of leaf `index` < leaf_count. */
void kw_merkle_path(const struct kw_merkle *tree, uint32_t index, struct kw_merkle_path *ret_path);

/* The root that `leaf` and `path` lead to. Fails: ENCODING_INVALID (index or count out of range, or
 * not as many siblings as this place in a tree of this size has), CRYPTO, MEMORY. */
struct kw_result kw_merkle_climb(const struct kw_hash *leaf, const struct kw_merkle_path *path,
                                 struct kw_hash *ret_root, struct kw_error *err);

#endif
