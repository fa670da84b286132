/* What every table file uses: columns copied into a call's arena. */
#ifndef KW_COMMON_STORE_ROW_H
#define KW_COMMON_STORE_ROW_H

#include "common/base/arena.h"
#include "common/store/store.h"

/* A column's bytes or text, copied into the arena. Fails: MEMORY. */
struct kw_result kw_row_bytes(struct kw_stmt *stmt, int column, struct kw_arena *arena,
                              struct kw_bytes *ret_bytes, struct kw_error *err);
struct kw_result kw_row_text(struct kw_stmt *stmt, int column, struct kw_arena *arena,
                             const char **ret_text, struct kw_error *err);

/* A fixed-size column. Fails: INTERNAL when what is stored has another length. */
struct kw_result kw_row_fixed(struct kw_stmt *stmt, int column, uint8_t *out, size_t len,
                              struct kw_error *err);

#endif
