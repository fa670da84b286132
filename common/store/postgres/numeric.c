/* PostgreSQL's sum() of whole numbers is a NUMERIC: this reads one as the whole number it is.
 *
 * Its form (src/backend/utils/adt/numeric.c, numeric_send): 16 bits each of count of digits, weight
 * of the first, sign, scale; then the digits, to the base 10000.
 */
#include "common/store/postgres/postgres.h"

#include <stddef.h>

#define HEAD_LEN 8U
#define BASE     10000
#define NEGATIVE 0x4000U

static uint16_t word_at(struct kw_bytes bytes, size_t index)
{
    return (uint16_t)(bytes.data[2 * index] << 8 | bytes.data[2 * index + 1]);
}

/* As negative, where there is room for one more. False: too large. */
static bool add_digit(int64_t *number, uint16_t digit)
{
    return !__builtin_mul_overflow(*number, BASE, number) &&
           !__builtin_sub_overflow(*number, (int64_t)digit, number);
}

bool kw_pg_numeric(struct kw_bytes bytes, int64_t *ret_number)
{
    int count = bytes.len >= HEAD_LEN ? word_at(bytes, 0) : 0;
    int whole =
        bytes.len >= HEAD_LEN ? (int16_t)word_at(bytes, 1) + 1 : 0; /* digits before the point */
    uint16_t sign = bytes.len >= HEAD_LEN ? word_at(bytes, 2) : NEGATIVE + 1;
    int64_t number = 0;

    if ((sign != 0 && sign != NEGATIVE) || count > whole ||
        bytes.len != HEAD_LEN + 2U * (size_t)count) {
        return false; /* infinite, or no whole number */
    }
    for (int i = 0; i < whole; i++) {
        if (!add_digit(&number, i < count ? word_at(bytes, 4U + (size_t)i) : 0)) {
            return false;
        }
    }
    if (sign != NEGATIVE && number == INT64_MIN) {
        return false;
    }
    *ret_number = sign == NEGATIVE ? number : -number;
    return true;
}
