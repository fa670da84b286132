/* Records on the wire, `KWM1`. What is let in here is merged without a further question, so every
 * value is looked at, also of fields that nobody here knows. */
#include "common/sync/record.h"

#include "common/base/codec.h"

#define MAGIC "KWM1"

struct kw_result kw_record_encode(const struct kw_record *record, struct kw_buf *out,
                                  struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_u16(&w, record->table);
    kw_put_var(&w, record->key);
    for (size_t i = 0; i < record->count; i++) {
        const struct kw_record_field *field = &record->fields[i];

        kw_put_u8(&w, field->number);
        kw_put_u8(&w, (uint8_t)field->rule);
        kw_put_u32(&w, (uint32_t)field->value.len);
        kw_put_raw(&w, field->value);
    }
    return kw_writer_end(&w, err);
}

static void get_row(struct kw_reader *r, uint16_t *ret_table, struct kw_bytes *ret_key)
{
    if (!kw_bytes_equal(kw_get_raw(r, strlen(MAGIC)), kw_bytes_str(MAGIC))) {
        r->failed = true;
    }
    *ret_table = kw_get_u16(r);
    *ret_key = kw_get_var(r);
    if (ret_key->len == 0 || ret_key->len > KW_RECORD_KEY_LEN_MAX) {
        r->failed = true;
    }
}

bool kw_record_peek(struct kw_bytes encoded, uint16_t *ret_table, struct kw_bytes *ret_key)
{
    struct kw_reader r = KW_READER(encoded);

    get_row(&r, ret_table, ret_key);
    return !r.failed;
}

static bool has_its_rule(const struct kw_record_kind *kind, const struct kw_record_field *field)
{
    const struct kw_field_kind *known = kw_record_kind_field(kind, field->number);

    return known == NULL || known->rule == field->rule;
}

/* What is wrong with a field, or NULL. */
static const char *fault(const struct kw_record_kind *kind, const struct kw_record_field *field,
                         uint8_t last)
{
    if (field->number <= last || field->number > KW_RECORD_FIELDS_MAX) {
        return "out of order";
    }
    if (field->value.len > kw_record_kind_field_max(kind, field->number)) {
        return "too long";
    }
    return kw_rule_valid(field->rule, field->value) ? NULL : "not a value of its rule";
}

static struct kw_result read_field(struct kw_reader *r, const struct kw_record_kind *kind,
                                   uint8_t last, struct kw_record_field *ret_field,
                                   struct kw_error *err)
{
    struct kw_record_field field = {0};
    const char *wrong;

    field.number = kw_get_u8(r);
    field.rule = (enum kw_rule)kw_get_u8(r);
    field.value = kw_get_raw(r, kw_get_u32(r));
    KW_ENSURE(!r->failed, err, ENCODING_INVALID, "%s record: truncated", kind->name);
    wrong = fault(kind, &field, last);
    KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "%s record, field %u (%s): %s", kind->name,
              field.number, kw_rule_name(field.rule), wrong);
    *ret_field = field;
    return KW_OK;
}

/* `ret_dropped`: of fields under another rule, which are left out; NULL: they are refused. */
static struct kw_result decode(const struct kw_record_kind *kind, struct kw_bytes encoded,
                               struct kw_record *ret_record, size_t *ret_dropped,
                               struct kw_error *err)
{
    struct kw_reader r = KW_READER(encoded);
    struct kw_record_field field = {0};
    struct kw_record record = {0};

    get_row(&r, &record.table, &record.key);
    KW_ENSURE(!r.failed && record.table == kind->table, err, ENCODING_INVALID, "not a %s record",
              kind->name);
    while (r.rest.len > 0) {
        KW_TRY(read_field(&r, kind, field.number, &field, err));
        if (has_its_rule(kind, &field)) {
            record.fields[record.count++] = field;
            continue;
        }
        KW_ENSURE(ret_dropped != NULL, err, ENCODING_INVALID,
                  "%s record, field %u (%s): another merge rule", kind->name, field.number,
                  kw_rule_name(field.rule));
        *ret_dropped += 1;
    }
    *ret_record = record;
    return KW_OK;
}

struct kw_result kw_record_decode(const struct kw_record_kind *kind, struct kw_bytes encoded,
                                  struct kw_record *ret_record, struct kw_error *err)
{
    return decode(kind, encoded, ret_record, NULL, err);
}

struct kw_result kw_record_decode_stored(const struct kw_record_kind *kind, struct kw_bytes encoded,
                                         struct kw_record *ret_record, size_t *ret_dropped,
                                         struct kw_error *err)
{
    *ret_dropped = 0;
    return decode(kind, encoded, ret_record, ret_dropped, err);
}
