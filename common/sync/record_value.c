/* Fields, one by one. */
#include "common/sync/record_value.h"

#include "common/sync/suspension_set.h"
#include "common/sync/version_vector.h"

#define NUMBER_LEN 8

struct kw_record_maker kw_record_maker(const struct kw_record_kind *kind, struct kw_bytes key,
                                       struct kw_arena *arena)
{
    return (struct kw_record_maker){
        .record = {.table = kind->table, .key = key}, .kind = kind, .arena = arena};
}

static void note(struct kw_record_maker *make, struct kw_result result)
{
    if (make->failed == KW_E_NONE) {
        make->failed = result.reason;
    }
}

void kw_make_bytes(struct kw_record_maker *make, uint8_t number, struct kw_bytes bytes)
{
    if (bytes.len > 0) {
        note(make, kw_record_set(&make->record, make->kind, number, bytes, NULL));
    }
}

void kw_make_text(struct kw_record_maker *make, uint8_t number, const char *text)
{
    kw_make_bytes(make, number, kw_bytes_str(text));
}

static void put_copy(struct kw_record_maker *make, uint8_t number, struct kw_bytes bytes)
{
    struct kw_bytes copy = KW_BYTES_NONE;

    note(make, kw_arena_copy(make->arena, bytes, &copy, NULL));
    kw_make_bytes(make, number, copy);
}

void kw_make_u64(struct kw_record_maker *make, uint8_t number, uint64_t value)
{
    uint8_t bytes[NUMBER_LEN];

    kw_be64_store(bytes, value);
    if (value != 0) {
        put_copy(make, number, KW_BYTES_OF(bytes));
    }
}

void kw_make_id(struct kw_record_maker *make, uint8_t number, struct kw_id id)
{
    if (!kw_id_is_none(id)) {
        put_copy(make, number, kw_id_bytes(&id));
    }
}

void kw_make_written(struct kw_record_maker *make, uint8_t number, const struct kw_writer *w)
{
    note(make, kw_writer_end(w, NULL));
    put_copy(make, number, kw_buf_bytes(w->out));
}

void kw_make_first(struct kw_record_maker *make, uint8_t number, const struct kw_first *first)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_first(&w, first);
    kw_make_written(make, number, &w);
}

void kw_make_count(struct kw_record_maker *make, uint8_t number, struct kw_id store, uint64_t count)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    if (count != 0) {
        kw_put_vector_entry(&w, store, count);
        kw_make_written(make, number, &w);
    }
}

void kw_make_suspension(struct kw_record_maker *make, uint8_t number, struct kw_id suspension,
                        unsigned marks)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_suspension(&w, suspension, marks);
    kw_make_written(make, number, &w);
}

struct kw_result kw_record_made(const struct kw_record_maker *make, struct kw_error *err)
{
    KW_ENSURE(make->failed == KW_E_NONE || make->failed == KW_E_MEMORY, err, ARGUMENT_INVALID,
              "a record of %s that is none", make->kind->name);
    KW_ENSURE(make->failed == KW_E_NONE, err, MEMORY, "a record of %s", make->kind->name);
    return KW_OK;
}

/* --- reading --- */

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
