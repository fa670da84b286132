/* What fields of records hold, in the forms that the orchestrator's tables have: checked when a
 * change comes, and read when columns are written from it. Pure. */
#ifndef KW_SERVICES_ORCHESTRATOR_FIELD_FORMS_H
#define KW_SERVICES_ORCHESTRATOR_FIELD_FORMS_H

#include "common/base/id.h"
#include "common/sync/record.h"

enum kw_field_form {
    KW_FORM_ANY = 0, /* whoever reads it looks for himself */
    KW_FORM_ID,
    KW_FORM_U32,
    KW_FORM_TIME,  /* u64, milliseconds since 1970, not 0 */
    KW_FORM_FIRST, /* first.h, with such a time and without detail */
    KW_FORM_TEXT,  /* UTF-8 without NUL, not empty */
};

/* Has every field that is there its form? `forms` by field number; what is beyond may have any.
 * Fails: ENCODING_INVALID. */
struct kw_result kw_forms_check(const struct kw_record *record, const uint8_t *forms, size_t count,
                                struct kw_error *err);

/* Of a field of that form; none, 0, empty, where it is absent. Times are that of the first. */
struct kw_id kw_form_id(const struct kw_record *record, uint8_t field);
uint32_t kw_form_u32(const struct kw_record *record, uint8_t field);
uint64_t kw_form_time(const struct kw_record *record, uint8_t field);

/* Copied into the arena, with a NUL. Fails: MEMORY. */
struct kw_result kw_form_text(struct kw_bytes text, struct kw_arena *arena, const char **ret_text,
                              struct kw_error *err);

/* Is this a time that a column can hold, and that has happened? */
bool kw_form_is_time(uint64_t time_ms);

/* Are all these fields there? Rows may come in pieces, from several lanes; columns are written once
 * they are whole. */
bool kw_fields_there(const struct kw_record *record, const uint8_t *fields, size_t count);

#endif
