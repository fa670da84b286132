/* Helpers of the records: the first letters, texts, and one name for every fault of a capsule. */
#include "common/audit/record.h"

bool kw_record_starts(struct kw_reader *r, const char *magic)
{
    return kw_bytes_equal(kw_get_raw(r, KW_MAGIC_LEN), KW_BYTES(magic, KW_MAGIC_LEN));
}

bool kw_record_text(struct kw_bytes text, size_t max)
{
    return text.len > 0 && text.len <= max && kw_is_text(text);
}

struct kw_result kw_record_refuse_capsule(struct kw_result result, const struct kw_error *inner,
                                          struct kw_error *err)
{
    if (kw_ok(result)) {
        return result;
    }
    if (result.reason == KW_E_MEMORY || result.reason == KW_E_CRYPTO) {
        if (err != NULL) {
            *err = *inner;
        }
        return result;
    }
    KW_FAIL(err, CAPSULE_INVALID, "%s", inner->message);
}
