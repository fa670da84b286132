/* Values of fields. */
#include "services/orchestrator/record_values.h"

#include "common/sync/first.h"

#define U32_LEN 4
#define U64_LEN 8

static uint64_t number(struct kw_bytes value)
{
    struct kw_reader r = KW_READER(value);

    return value.len == U32_LEN ? kw_get_u32(&r) : kw_get_u64(&r);
}

bool kw_value_is_time(uint64_t time_ms)
{
    return time_ms > 0 && time_ms <= INT64_MAX;
}

static bool is_first(struct kw_bytes value)
{
    struct kw_first first;

    return kw_first_read(value, &first) && kw_value_is_time(first.time_ms) && first.detail.len == 0;
}

static bool has_form(struct kw_bytes value, enum kw_value_form form)
{
    switch (form) {
    case KW_VALUE_ID:
        return value.len == KW_ID_LEN;
    case KW_VALUE_U32:
        return value.len == U32_LEN;
    case KW_VALUE_TIME:
        return value.len == U64_LEN && kw_value_is_time(number(value));
    case KW_VALUE_FIRST:
        return is_first(value);
    case KW_VALUE_TEXT:
        return value.len > 0 && kw_is_text(value);
    case KW_VALUE_ANY:
    default:
        return true;
    }
}

struct kw_result kw_values_check(const struct kw_record *record, const uint8_t *forms, size_t count,
                                 struct kw_error *err)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct kw_record_field *field = &record->fields[i];

        KW_ENSURE(field->number >= count ||
                      has_form(field->value, (enum kw_value_form)forms[field->number]),
                  err, ENCODING_INVALID, "field %u of table %u has no value of its form",
                  field->number, record->table);
    }
    return KW_OK;
}

struct kw_id kw_value_id(const struct kw_record *record, uint8_t field)
{
    struct kw_id id = KW_ID_NONE;

    (void)kw_id_from_bytes(kw_record_value(record, field), &id, NULL);
    return id;
}

uint32_t kw_value_u32(const struct kw_record *record, uint8_t field)
{
    return (uint32_t)number(kw_record_value(record, field));
}

uint64_t kw_value_time(const struct kw_record *record, uint8_t field)
{
    return number(kw_record_value(record, field)); /* a first begins with its time */
}

struct kw_result kw_value_text(struct kw_bytes text, struct kw_arena *arena, const char **ret_text,
                               struct kw_error *err)
{
    const char *copy = kw_arena_text(arena, (const char *)text.data, text.len);

    KW_ENSURE(copy != NULL, err, MEMORY, "a text of %zu bytes", text.len);
    *ret_text = copy;
    return KW_OK;
}

bool kw_values_there(const struct kw_record *record, const uint8_t *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!kw_record_has(record, fields[i])) {
            return false;
        }
    }
    return true;
}
