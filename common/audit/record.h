/* What the records of this folder share. Internal to common/audit. */
#ifndef KW_COMMON_AUDIT_RECORD_H
#define KW_COMMON_AUDIT_RECORD_H

#include "common/base/codec.h"

#define KW_MAGIC_LEN 4

/* Takes the four letters that name a record's type and version; false when they are others. */
bool kw_record_starts(struct kw_reader *r, const char *magic);

/* A text of 1 … `max` bytes, as a `str` may hold it. */
bool kw_record_text(struct kw_bytes text, size_t max);

/* Turns whatever was found wrong with a capsule into CAPSULE_INVALID, with what was found as the
 * message; success, MEMORY and CRYPTO, which say nothing about the capsule, pass. `inner` is the
 * detail that belongs to `result`. */
struct kw_result kw_record_refuse_capsule(struct kw_result result, const struct kw_error *inner,
                                          struct kw_error *err);

#endif
