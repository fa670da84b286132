/* Fields of a row, as its columns want them: numbers, ids, texts, first registers. Remembers the first
 * failure ("sticky"), so that it reads as a list of fields and is checked once, at the end. What an owner
 * says is made in common/feed/intent.h.
 */
#ifndef KW_COMMON_SYNC_RECORD_VALUE_H
#define KW_COMMON_SYNC_RECORD_VALUE_H

#include "common/base/arena.h"
#include "common/base/codec.h"
#include "common/sync/first.h"
#include "common/sync/record.h"

struct kw_record_values {
    const struct kw_record *record;
    struct kw_arena *arena; /* for texts; NULL: they are only looked at, and "" */
    enum kw_reason failed;  /* KW_E_NONE: not yet */
};

/* A field that is absent is 0, none, "", empty, and no failure. A number has 8 bytes. */
uint64_t kw_value_u64(struct kw_record_values *values, uint8_t number, uint64_t max);
struct kw_id kw_value_id(struct kw_record_values *values, uint8_t number);
const char *kw_value_text(struct kw_record_values *values, uint8_t number);

/* False: it is absent, and `ret_first` is zeroed. */
bool kw_value_first(struct kw_record_values *values, uint8_t number, struct kw_first *ret_first);

/* The value of a last-writer-wins register. False: it is absent. */
bool kw_value_lww(struct kw_record_values *values, uint8_t number, struct kw_reader *ret_value);

/* Bytes that are a part of a field: text, and the end of what was read. */
const char *kw_values_words(struct kw_record_values *values, struct kw_bytes bytes);
void kw_values_whole(struct kw_record_values *values, const struct kw_reader *r);

/* Something else that must be so. */
void kw_values_require(struct kw_record_values *values, bool condition);

/* Fails: ENCODING_INVALID (a value that is not what was read of it), MEMORY. */
struct kw_result kw_values_end(const struct kw_record_values *values, struct kw_error *err);

#endif
