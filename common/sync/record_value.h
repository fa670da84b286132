/* Fields of records as owners have them: numbers, ids, texts, first registers. For an intent, a list of
 * what it says; for a row's columns, a list of what is read. Both sides remember the first failure, so
 * that it is looked for once, at the end.
 *
 *     struct kw_record_maker make = kw_record_maker(&kw_grant_record, kw_id_bytes(&id), arena);
 *
 *     kw_make_id(&make, KW_GRANT_FIELD_PARTNER, partner);
 *     kw_make_u64(&make, KW_GRANT_FIELD_START, start_ms);
 *     KW_TRY(kw_record_made(&make, err));                       make.record is the intent
 */
#ifndef KW_COMMON_SYNC_RECORD_VALUE_H
#define KW_COMMON_SYNC_RECORD_VALUE_H

#include "common/base/arena.h"
#include "common/base/codec.h"
#include "common/sync/first.h"
#include "common/sync/record.h"

struct kw_record_maker {
    struct kw_record record;
    const struct kw_record_kind *kind;
    struct kw_arena *arena;
    enum kw_reason failed; /* KW_E_NONE: not yet */
};

/* `key` is borrowed. */
struct kw_record_maker kw_record_maker(const struct kw_record_kind *kind, struct kw_bytes key,
                                       struct kw_arena *arena);

/* What says nothing (0, none, empty) is left out. Bytes and texts are borrowed. */
void kw_make_u64(struct kw_record_maker *make, uint8_t number, uint64_t value);
void kw_make_id(struct kw_record_maker *make, uint8_t number, struct kw_id id);
void kw_make_bytes(struct kw_record_maker *make, uint8_t number, struct kw_bytes bytes);
void kw_make_text(struct kw_record_maker *make, uint8_t number, const char *text);

/* What was written to `buf`, copied; a writer that failed is a failure. */
void kw_make_written(struct kw_record_maker *make, uint8_t number, const struct kw_writer *w);

void kw_make_first(struct kw_record_maker *make, uint8_t number, const struct kw_first *first);

/* Of a vector, the entry of one store. 0: nothing. */
void kw_make_count(struct kw_record_maker *make, uint8_t number, struct kw_id store,
                   uint64_t count);

/* One suspension, with `marks` of enum kw_suspension_mark. */
void kw_make_suspension(struct kw_record_maker *make, uint8_t number, struct kw_id suspension,
                        unsigned marks);

/* Fails: MEMORY, ARGUMENT_INVALID (no field of the kind, or no value of its rule). */
struct kw_result kw_record_made(const struct kw_record_maker *make, struct kw_error *err);

/* --- reading --- */

struct kw_record_values {
    const struct kw_record *record;
    bool failed;
};

/* A field that is absent is 0, none, empty, "" and no failure. */
uint64_t kw_value_u64(struct kw_record_values *values, uint8_t number, uint64_t max);
struct kw_id kw_value_id(struct kw_record_values *values, uint8_t number);
struct kw_bytes kw_value_text(struct kw_record_values *values, uint8_t number);

/* False: it is absent, and `ret_first` is zeroed. */
bool kw_value_first(struct kw_record_values *values, uint8_t number, struct kw_first *ret_first);

/* Fails: ENCODING_INVALID (a value that is not what was read of it). */
struct kw_result kw_values_end(const struct kw_record_values *values, struct kw_error *err);

#endif
