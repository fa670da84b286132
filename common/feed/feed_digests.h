/* Do two stores hold the same rows? Of each table there are 4,096 buckets, the leaves of a tree of
 * 16 × 16 × 16; a node's digest is the sum over its rows (digest_sum.h). Two stores compare roots, and
 * where they differ the children, three times, then the rows of a bucket: what they then ask for is
 * little, however large the table is (feed_repair.h).
 *
 *     table's root ── 16 children ── 256 ── 4,096 buckets ── (key, digest) of each row
 *
 * A bucket's sum is kept in the transaction that changes a row, so it is that of the rows that are
 * there, and reading a root looks at no row. What a disk did to a row behind our back it does not
 * show; that is looked for by feed_scrub.h.
 *
 * Read jobs.
 */
#ifndef KW_COMMON_FEED_FEED_DIGESTS_H
#define KW_COMMON_FEED_FEED_DIGESTS_H

#include "common/feed/digest_node.h"
#include "common/feed/feed.h"

/* Fails: as the store, ARGUMENT_INVALID (no such node). */
struct kw_result kw_feed_digest(struct kw_tx *tx, struct kw_digest_node node,
                                uint8_t ret_digest[KW_SHA256_LEN], struct kw_error *err);

/* Fails: the same; ARGUMENT_INVALID (also: a bucket, which has none). */
struct kw_result kw_feed_digest_children(struct kw_tx *tx, struct kw_digest_node node,
                                         uint8_t ret_digests[KW_DIGEST_FAN][KW_SHA256_LEN],
                                         struct kw_error *err);

/* The rows of a bucket, by key, those after `after`, in the arena; zeros are the digest of one that is
 * known to be damaged. Fails: as the store, MEMORY. */
struct kw_row_digest {
    struct kw_bytes key;
    uint8_t digest[KW_SHA256_LEN];
};
struct kw_result kw_feed_digest_rows(struct kw_tx *tx, uint16_t table, uint16_t bucket,
                                     struct kw_bytes after, struct kw_arena *arena,
                                     struct kw_row_digest *rows, size_t max, size_t *ret_count,
                                     struct kw_error *err);

/* Of one row. Fails: as the store. */
struct kw_result kw_feed_row_digest(struct kw_tx *tx, uint16_t table, struct kw_bytes key,
                                    uint8_t ret_digest[KW_SHA256_LEN], bool *ret_found,
                                    struct kw_error *err);

/* What is held of all lanes, as one digest: how far each is, which values wait for our clock, and which
 * changes went ahead of their lane and were not said in ours since. While it is the same in two stores,
 * the same was said to both, so rows that differ then are a fault.
 * Fails: as the store, CRYPTO, MEMORY. */
struct kw_result kw_feed_reach(struct kw_tx *tx, uint8_t ret_reach[KW_SHA256_LEN],
                               struct kw_error *err);

#endif
