/* Reading fields. */
#include "common/sync/record_value.h"

#include "common/base/codec.h"

uint64_t kw_value_u64(struct kw_record_values *values, uint8_t number, uint64_t max)
{
    struct kw_reader r = KW_READER(kw_record_value(values->record, number));
    uint64_t value;

    if (r.rest.len == 0) {
        return 0;
    }
    value = kw_get_u64(&r);
    values->failed = values->failed || r.failed || r.rest.len != 0 || value > max;
    return value;
}

struct kw_id kw_value_id(struct kw_record_values *values, uint8_t number)
{
    struct kw_bytes value = kw_record_value(values->record, number);
    struct kw_id id = KW_ID_NONE;

    if (value.len == KW_ID_LEN) {
        kw_copy(id.bytes, value.data, KW_ID_LEN);
    }
    values->failed = values->failed || (value.len != 0 && value.len != KW_ID_LEN);
    return id;
}

struct kw_bytes kw_value_text(struct kw_record_values *values, uint8_t number)
{
    struct kw_bytes value = kw_record_value(values->record, number);

    values->failed = values->failed || !kw_is_text(value);
    return value;
}

bool kw_value_first(struct kw_record_values *values, uint8_t number, struct kw_first *ret_first)
{
    struct kw_bytes value = kw_record_value(values->record, number);

    *ret_first = (struct kw_first){0};
    if (value.len == 0) {
        return false;
    }
    values->failed =
        values->failed || !kw_first_read(value, ret_first) || ret_first->time_ms > INT64_MAX;
    return true;
}

struct kw_result kw_values_end(const struct kw_record_values *values, struct kw_error *err)
{
    KW_ENSURE(!values->failed, err, ENCODING_INVALID, "a field of a record holds something else");
    return KW_OK;
}
