/* Forms of fields. */
#include "services/orchestrator/field_forms.h"

#include "common/sync/first.h"

#define U32_LEN 4
#define U64_LEN 8

static uint64_t number(struct kw_bytes value)
{
    struct kw_reader r = KW_READER(value);

    return value.len == U32_LEN ? kw_get_u32(&r) : kw_get_u64(&r);
}

bool kw_form_is_time(uint64_t time_ms)
{
    return time_ms > 0 && time_ms <= INT64_MAX;
}

static bool is_first(struct kw_bytes value)
{
    struct kw_first first;

    return kw_first_read(value, &first) && kw_form_is_time(first.time_ms) && first.detail.len == 0;
}

static bool has_form(struct kw_bytes value, enum kw_field_form form)
{
    switch (form) {
    case KW_FORM_ID:
        return value.len == KW_ID_LEN;
    case KW_FORM_U32:
        return value.len == U32_LEN;
    case KW_FORM_TIME:
        return value.len == U64_LEN && kw_form_is_time(number(value));
    case KW_FORM_FIRST:
        return is_first(value);
    case KW_FORM_TEXT:
        return value.len > 0 && kw_is_text(value);
    case KW_FORM_ANY:
    default:
        return true;
    }
}

struct kw_result kw_forms_check(const struct kw_record *record, const uint8_t *forms, size_t count,
                                struct kw_error *err)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct kw_record_field *field = &record->fields[i];

        KW_ENSURE(field->number >= count ||
                      has_form(field->value, (enum kw_field_form)forms[field->number]),
                  err, ENCODING_INVALID, "field %u of table %u has no value of its form",
                  field->number, record->table);
    }
    return KW_OK;
}

struct kw_id kw_form_id(const struct kw_record *record, uint8_t field)
{
    struct kw_id id = KW_ID_NONE;

    (void)kw_id_from_bytes(kw_record_value(record, field), &id, NULL);
    return id;
}

uint32_t kw_form_u32(const struct kw_record *record, uint8_t field)
{
    return (uint32_t)number(kw_record_value(record, field));
}

uint64_t kw_form_time(const struct kw_record *record, uint8_t field)
{
    return number(kw_record_value(record, field)); /* a first begins with its time */
}

struct kw_result kw_form_text(struct kw_bytes text, struct kw_arena *arena, const char **ret_text,
                              struct kw_error *err)
{
    const char *copy = kw_arena_text(arena, (const char *)text.data, text.len);

    KW_ENSURE(copy != NULL, err, MEMORY, "a text of %zu bytes", text.len);
    *ret_text = copy;
    return KW_OK;
}

bool kw_fields_there(const struct kw_record *record, const uint8_t *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!kw_record_has(record, fields[i])) {
            return false;
        }
    }
    return true;
}
