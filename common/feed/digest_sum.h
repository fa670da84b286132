/* Sums of digests, mod 2^256: a set of rows as one number, to which a row can be added, or from which
 * it can be taken, without a look at the others. And the bucket a row is counted in.
 *
 * Two honest stores that differ have different sums, but for luck of 2^-256. Nobody is asked to trust
 * a sum: who makes up rows could make up their sum, too.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_DIGEST_SUM_H
#define KW_COMMON_FEED_DIGEST_SUM_H

#include "common/base/bytes.h"
#include "common/crypto/digest.h"

void kw_sum_add(uint8_t sum[KW_SHA256_LEN], const uint8_t digest[KW_SHA256_LEN]);
void kw_sum_take(uint8_t sum[KW_SHA256_LEN], const uint8_t digest[KW_SHA256_LEN]);

/* The first 12 bits of the key's digest: 0 … KW_DIGEST_BUCKETS - 1. Fails: CRYPTO, MEMORY. */
struct kw_result kw_bucket_of(struct kw_bytes key, uint16_t *ret_bucket, struct kw_error *err);

#endif
