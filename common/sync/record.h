/* Records: one row of a replicated table as it travels between cells, and its merge.
 *
 * A record has a table, a key, and fields with a rule each (rule.h). A field that is absent says
 * nothing, so a record may hold as little as the one field that changed: what a cell intends and
 * what it hears are merged by the same function. Merging is pure: two records in, one out, no clock
 * and no I/O; it does not even ask the table which fields it has.
 *
 * Encoded `KWM1` ‖ table u16 ‖ key var ‖ fields: number u8 ‖ rule u8 ‖ length u32 ‖ value, ascending
 * by number. There is one encoding of a state, so equal states have equal digests.
 */
#ifndef KW_COMMON_SYNC_RECORD_H
#define KW_COMMON_SYNC_RECORD_H

#include "common/base/limits.h"
#include "common/sync/conflict.h"
#include "common/sync/record_kind.h"

struct kw_record_field {
    uint8_t number; /* 1 … KW_RECORD_FIELDS_MAX */
    enum kw_rule rule;
    struct kw_bytes value;
};

/* Plain data; everything borrows. */
struct kw_record {
    uint16_t table;
    struct kw_bytes key;
    size_t count;
    struct kw_record_field fields[KW_RECORD_FIELDS_MAX]; /* ascending by number */
};

/* The field with this number, or NULL. */
const struct kw_record_field *kw_record_find(const struct kw_record *record, uint8_t number);

/* Its value; empty where it is absent. */
struct kw_bytes kw_record_value(const struct kw_record *record, uint8_t number);

/* Is the field there? What OR and FIRST have to say. */
bool kw_record_has(const struct kw_record *record, uint8_t number);

/* A MAX; 0 where it is absent. */
uint64_t kw_record_u64(const struct kw_record *record, uint8_t number);

/* Sets a field of this kind, which is added, or replaced, with a value that borrows. Fails:
 * ARGUMENT_INVALID (no field of the kind, or no value of its rule). */
struct kw_result kw_record_set(struct kw_record *record, const struct kw_record_kind *kind,
                               uint8_t number, struct kw_bytes value, struct kw_error *err);

/* What both say together. `ret_record` borrows from both and from the arena; `conflicts` may be
 * NULL. Fails: ARGUMENT_INVALID (two different keys or tables), ENCODING_INVALID (one field, two
 * rules: somebody's release is broken), MEMORY. */
struct kw_result kw_record_merge(const struct kw_record *ours, const struct kw_record *theirs,
                                 struct kw_arena *arena, struct kw_conflicts *conflicts,
                                 struct kw_record *ret_record, struct kw_error *err);

/* Appends the encoding. Fails: MEMORY. */
struct kw_result kw_record_encode(const struct kw_record *record, struct kw_buf *out,
                                  struct kw_error *err);

/* Which row an encoded record says that it is of; nothing else of it is looked at. False: it is no
 * record. `ret_key` borrows. */
bool kw_record_peek(struct kw_bytes encoded, uint16_t *ret_table, struct kw_bytes *ret_key);

/* Reads a record strictly; fields the kind does not know are kept. `ret_record` borrows from
 * `encoded`. Fails: ENCODING_INVALID (truncated, another table, out of order, a value its rule does
 * not have, or that is too long for its field, a known field under another rule, a rule that is none). */
struct kw_result kw_record_decode(const struct kw_record_kind *kind, struct kw_bytes encoded,
                                  struct kw_record *ret_record, struct kw_error *err);

/* The same of a row that an earlier release stored, which let any rule in for a field it did not know:
 * known fields under another rule are left out, `ret_dropped` of them. */
struct kw_result kw_record_decode_stored(const struct kw_record_kind *kind, struct kw_bytes encoded,
                                         struct kw_record *ret_record, size_t *ret_dropped,
                                         struct kw_error *err);

#endif
