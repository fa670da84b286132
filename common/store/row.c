/* Columns, copied out of a statement. */
#include "common/store/row.h"

struct kw_result kw_row_bytes(struct kw_stmt *stmt, int column, struct kw_arena *arena,
                              struct kw_bytes *ret_bytes, struct kw_error *err)
{
    return kw_arena_copy(arena, kw_col_blob(stmt, column), ret_bytes, err);
}

struct kw_result kw_row_text(struct kw_stmt *stmt, int column, struct kw_arena *arena,
                             const char **ret_text, struct kw_error *err)
{
    const char *stored = kw_col_text(stmt, column);
    const char *text = kw_arena_text(arena, stored, strlen(stored));

    KW_ENSURE(text != NULL, err, MEMORY, "a text of %zu bytes", strlen(stored));
    *ret_text = text;
    return KW_OK;
}

struct kw_result kw_row_fixed(struct kw_stmt *stmt, int column, uint8_t *out, size_t len,
                              struct kw_error *err)
{
    struct kw_bytes bytes = kw_col_blob(stmt, column);

    KW_ENSURE(bytes.len == len, err, INTERNAL, "column %d has %zu bytes, not %zu", column,
              bytes.len, len);
    kw_copy(out, bytes.data, len);
    return KW_OK;
}
