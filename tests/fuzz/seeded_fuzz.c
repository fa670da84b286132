/* A parser with a bug, to show that the runner finds one: a list of named values, `count u8`, then for each a name
 * (u8 length) and a value (u16 length). With KW_FUZZ_SEEDED the length of a value named "k" is taken on trust, unless
 * it comes first. Without, the same code is right. Not built with the others: seeded.sh does, both ways.
 */
#include "common/base/codec.h"
#include "tests/fuzz/fuzz.h"

#define VALUE_SIZE 24

/* What a value's length is allowed to be; the planted bug is here. */
static bool fits(size_t len, bool trusted)
{
#ifdef KW_FUZZ_SEEDED
    return len <= VALUE_SIZE || trusted;
#else
    (void)trusted;
    return len <= VALUE_SIZE;
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_reader r = KW_READER(KW_BYTES(data, size));
    uint8_t value[VALUE_SIZE];
    uint8_t count = kw_get_u8(&r);

    for (unsigned i = 0; i < count && !r.failed; i++) {
        struct kw_bytes name = kw_get_raw(&r, kw_get_u8(&r));
        struct kw_bytes content = kw_get_var(&r);

        if (!fits(content.len, i > 0 && kw_bytes_equal(name, kw_bytes_str("k")))) {
            return 0;
        }
        kw_copy(value, content.data, content.len);
    }
    return 0;
}
