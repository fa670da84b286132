/* Reading fields. */
#include "common/sync/record_value.h"

#include "common/sync/lww.h"

static void note(struct kw_record_values *values, enum kw_reason reason)
{
    if (values->failed == KW_E_NONE) {
        values->failed = reason;
    }
}

void kw_values_require(struct kw_record_values *values, bool condition)
{
    if (!condition) {
        note(values, KW_E_ENCODING_INVALID);
    }
}

void kw_values_whole(struct kw_record_values *values, const struct kw_reader *r)
{
    kw_values_require(values, !r->failed && r->rest.len == 0);
}

uint64_t kw_value_u64(struct kw_record_values *values, uint8_t number, uint64_t max)
{
    struct kw_reader r = KW_READER(kw_record_value(values->record, number));
    uint64_t value;

    if (r.rest.len == 0) {
        return 0;
    }
    value = kw_get_u64(&r);
    kw_values_whole(values, &r);
    kw_values_require(values, value <= max);
    return value;
}

struct kw_id kw_value_id(struct kw_record_values *values, uint8_t number)
{
    struct kw_reader r = KW_READER(kw_record_value(values->record, number));
    struct kw_id id = KW_ID_NONE;

    if (r.rest.len > 0) {
        kw_get_copy(&r, id.bytes, KW_ID_LEN);
        kw_values_whole(values, &r);
    }
    return id;
}

const char *kw_values_words(struct kw_record_values *values, struct kw_bytes bytes)
{
    const char *text = "";

    kw_values_require(values, kw_is_text(bytes));
    if (values->arena != NULL && bytes.len > 0) {
        text = kw_arena_text(values->arena, (const char *)bytes.data, bytes.len);
    }
    if (text == NULL) {
        note(values, KW_E_MEMORY);
        return "";
    }
    return text;
}

const char *kw_value_text(struct kw_record_values *values, uint8_t number)
{
    return kw_values_words(values, kw_record_value(values->record, number));
}

bool kw_value_first(struct kw_record_values *values, uint8_t number, struct kw_first *ret_first)
{
    *ret_first = (struct kw_first){0};
    if (!kw_record_has(values->record, number)) {
        return false;
    }
    kw_values_require(values, kw_first_read(kw_record_value(values->record, number), ret_first) &&
                                  ret_first->time_ms <= INT64_MAX);
    return true;
}

bool kw_value_lww(struct kw_record_values *values, uint8_t number, struct kw_reader *ret_value)
{
    struct kw_lww lww = {0};

    if (!kw_record_has(values->record, number)) {
        return false;
    }
    kw_values_require(values, kw_lww_read(kw_record_value(values->record, number), &lww));
    *ret_value = KW_READER(lww.value);
    return true;
}

struct kw_result kw_values_end(const struct kw_record_values *values, struct kw_error *err)
{
    KW_ENSURE(values->failed != KW_E_MEMORY, err, MEMORY, "the fields of a row");
    KW_ENSURE(values->failed == KW_E_NONE, err, ENCODING_INVALID,
              "a field of a row holds something else");
    return KW_OK;
}
