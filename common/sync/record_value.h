/* Fields of a row, as its columns want them: numbers, ids, texts, first registers. Remembers the first
 * failure ("sticky"), so that it reads as a list of fields and is checked once, at the end. What an owner
 * says is made in common/feed/intent.h.
 */
#ifndef KW_COMMON_SYNC_RECORD_VALUE_H
#define KW_COMMON_SYNC_RECORD_VALUE_H

#include "common/base/id.h"
#include "common/sync/first.h"
#include "common/sync/record.h"

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
