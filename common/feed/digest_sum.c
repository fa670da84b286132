/* Numbers of 256 bits, the highest byte first. */
#include "common/feed/digest_sum.h"

void kw_sum_add(uint8_t sum[KW_SHA256_LEN], const uint8_t digest[KW_SHA256_LEN])
{
    unsigned carry = 0;

    for (size_t i = KW_SHA256_LEN; i-- > 0;) {
        carry += (unsigned)sum[i] + digest[i];
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

void kw_sum_take(uint8_t sum[KW_SHA256_LEN], const uint8_t digest[KW_SHA256_LEN])
{
    unsigned borrow = 0;

    for (size_t i = KW_SHA256_LEN; i-- > 0;) {
        unsigned less = (unsigned)digest[i] + borrow;

        borrow = sum[i] < less ? 1 : 0;
        sum[i] = (uint8_t)(sum[i] - less);
    }
}

struct kw_result kw_bucket_of(struct kw_bytes key, uint16_t *ret_bucket, struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_sha256(key, digest, err));
    *ret_bucket = (uint16_t)(digest[0] << 4 | digest[1] >> 4);
    return KW_OK;
}
