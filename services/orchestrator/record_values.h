/* What fields of records hold, in the forms that the orchestrator's tables have: checked when a
 * change comes, and read when columns are written from it. Pure. */
#ifndef KW_SERVICES_ORCHESTRATOR_RECORD_VALUES_H
#define KW_SERVICES_ORCHESTRATOR_RECORD_VALUES_H

#include "common/base/id.h"
#include "common/sync/record.h"

enum kw_value_form {
    KW_VALUE_ANY = 0, /* whoever reads it looks for himself */
    KW_VALUE_ID,
    KW_VALUE_U32,
    KW_VALUE_TIME,  /* u64, milliseconds since 1970, not 0 */
    KW_VALUE_FIRST, /* first.h, with such a time and without detail */
    KW_VALUE_TEXT,  /* UTF-8 without NUL, not empty */
};

/* Has every field that is there its form? `forms` by field number; what is beyond may have any.
 * Fails: ENCODING_INVALID. */
struct kw_result kw_values_check(const struct kw_record *record, const uint8_t *forms, size_t count,
                                 struct kw_error *err);

/* Of a field of that form; none, 0, empty, where it is absent. Times are that of the first. */
struct kw_id kw_value_id(const struct kw_record *record, uint8_t field);
uint32_t kw_value_u32(const struct kw_record *record, uint8_t field);
uint64_t kw_value_time(const struct kw_record *record, uint8_t field);

/* Copied into the arena, with a NUL. Fails: MEMORY. */
struct kw_result kw_value_text(struct kw_bytes text, struct kw_arena *arena, const char **ret_text,
                               struct kw_error *err);

/* Is this a time that a column can hold, and that has happened? */
bool kw_value_is_time(uint64_t time_ms);

/* Are all these fields there? Rows may come in pieces, from several lanes; columns are written once
 * they are whole. */
bool kw_values_there(const struct kw_record *record, const uint8_t *fields, size_t count);

#endif
