/* Table feed_digests: of each bucket of each table the sum of its rows' digests, in parts, one for each
 * writer of this database: what that writer added, less what it took away. So writers do not wait for
 * one another, and the parts add up to the rows that are there. */
#ifndef KW_COMMON_FEED_DIGEST_TABLE_H
#define KW_COMMON_FEED_DIGEST_TABLE_H

#include "common/crypto/digest.h"
#include "common/store/store.h"

/* All of these fail as the store does, INTERNAL included where what is stored has a wrong length. */

/* Adds to our part. Fails also: STORE_UNAVAILABLE (somebody else writes as this writer). */
struct kw_result kw_digest_add(struct kw_tx *tx, uint32_t writer, uint16_t table, uint16_t bucket,
                               const uint8_t more[KW_SHA256_LEN], struct kw_error *err);

/* A walk over the parts of the buckets from `first` to before `end`, by bucket. One at a time. */
struct kw_result kw_digest_walk(struct kw_tx *tx, uint16_t table, uint16_t first, uint16_t end,
                                struct kw_stmt **ret_walk, struct kw_error *err);

/* The same of one bucket, whose parts nobody else changes before the transaction ends. */
struct kw_result kw_digest_lock(struct kw_tx *tx, uint16_t table, uint16_t bucket,
                                struct kw_stmt **ret_walk, struct kw_error *err);

struct kw_digest_part {
    uint16_t bucket;
    uint32_t writer;
    uint8_t sum[KW_SHA256_LEN];
};
struct kw_result kw_digest_next(struct kw_stmt *walk, struct kw_digest_part *ret_part,
                                bool *ret_any, struct kw_error *err);

#endif
