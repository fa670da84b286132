/* SQL of tables grants and grant_devices: queries. What is written is in grant_write.c. */
#include "services/authz/grant_table.h"

#define COLUMNS                                                                                    \
    "g.id, g.partner, g.scope, g.scope_id, g.operations, g.purpose, g.start_ms, g.end_ms,"         \
    " g.max_operations, g.window_ms, g.regions, g.strict, g.no_cache, g.created_ms,"               \
    " g.revoked_ms, g.revoke_justification, g.overruled"

#define STATE(now)                                                                                 \
    "CASE WHEN g.revoked_ms IS NOT NULL OR g.overruled = 1 THEN 4 WHEN " now " >= g.end_ms THEN 3" \
    " WHEN " now " < g.start_ms THEN 1 ELSE 2 END"

static const char select_one[] = "SELECT " COLUMNS " FROM grants g WHERE g.id = $1";
static const char select_devices[] =
    "SELECT device FROM grant_devices WHERE grant_id = $1 ORDER BY device LIMIT $2";
static const char select_candidates[] =
    "SELECT " COLUMNS " FROM grants g WHERE g.partner = $1 AND ($6 = 1 OR g.id = $5)"
    " AND (g.scope > 1 OR EXISTS"
    "  (SELECT 1 FROM grant_devices d WHERE d.device = $2 AND d.grant_id = g.id))"
    " ORDER BY CASE WHEN g.revoked_ms IS NULL AND g.overruled = 0 AND g.start_ms <= $3 AND "
    "g.end_ms > $3"
    "  AND (g.operations & $7) <> 0 AND g.purpose = $4 THEN 0 ELSE 1 END,"
    " CASE WHEN g.scope = 1 THEN 0 ELSE 1 END, g.created_ms, g.id LIMIT $8";
static const char select_page[] =
    "SELECT " COLUMNS " FROM grants g WHERE ($1 = 1 OR g.partner = $2) AND g.id > $3"
    " AND ($4 = 0 OR " STATE("$5") " = $4) ORDER BY g.id LIMIT $6";

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_grant_row *ret_row, struct kw_error *err)
{
    struct kw_grant_row row = {.justification = ""};

    KW_TRY(kw_col_id(stmt, 0, &row.id, err));
    KW_TRY(kw_col_id(stmt, 1, &row.partner, err));
    row.scope = (enum kw_scope)kw_col_i64(stmt, 2);
    KW_TRY(kw_col_id(stmt, 3, &row.scope_id, err));
    row.operations = (unsigned)kw_col_i64(stmt, 4);
    KW_TRY(kw_row_text(stmt, 5, arena, &row.purpose, err));
    row.start_ms = (uint64_t)kw_col_i64(stmt, 6);
    row.end_ms = (uint64_t)kw_col_i64(stmt, 7);
    row.max_operations = (uint64_t)kw_col_i64(stmt, 8);
    row.window_ms = (uint64_t)kw_col_i64(stmt, 9);
    KW_TRY(kw_row_text(stmt, 10, arena, &row.regions, err));
    row.strict = kw_col_i64(stmt, 11) != 0;
    row.no_cache = kw_col_i64(stmt, 12) != 0;
    row.created_ms = (uint64_t)kw_col_i64(stmt, 13);
    row.revoked_ms = (uint64_t)kw_col_i64(stmt, 14);
    KW_TRY(kw_row_text(stmt, 15, arena, &row.revoke_justification, err));
    row.overruled = kw_col_i64(stmt, 16) != 0;
    *ret_row = row;
    return KW_OK;
}

/* The statement's rows, at most `max`. */
static struct kw_result read_rows(struct kw_stmt *stmt, struct kw_arena *arena,
                                  struct kw_grant_row *rows, size_t max, size_t *ret_count,
                                  struct kw_error *err)
{
    size_t count = 0;

    while (count < max) {
        bool found;

        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(read_row(stmt, arena, &rows[count], err));
        count++;
    }
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_grant_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                               struct kw_grant_row *ret_row, bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count;

    KW_TRY(kw_sql(tx, select_one, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    KW_TRY(read_rows(stmt, arena, ret_row, 1, &count, err));
    *ret_found = count == 1;
    return KW_OK;
}

struct kw_result kw_grant_devices(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                  struct kw_id **ret_devices, size_t *ret_count,
                                  struct kw_error *err)
{
    struct kw_id found[KW_GRANT_DEVICES_MAX];
    struct kw_id *devices;
    struct kw_stmt *stmt;
    size_t count = 0;

    KW_TRY(kw_sql(tx, select_devices, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    kw_bind_i64(stmt, 2, KW_GRANT_DEVICES_MAX);
    while (count < KW_GRANT_DEVICES_MAX) {
        bool row;

        KW_TRY(kw_step(stmt, &row, err));
        if (!row) {
            break;
        }
        KW_TRY(kw_col_id(stmt, 0, &found[count], err));
        count++;
    }
    devices = kw_arena_alloc(arena, (count + 1) * sizeof(*devices));
    KW_ENSURE(devices != NULL, err, MEMORY, "%zu devices", count);
    kw_copy(devices, found, count * sizeof(*devices));
    *ret_devices = devices;
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_grant_candidates(struct kw_tx *tx, struct kw_id partner,
                                     const struct kw_access *access, struct kw_arena *arena,
                                     struct kw_grant_row **ret_rows, size_t *ret_count,
                                     struct kw_error *err)
{
    struct kw_grant_row found[KW_GRANT_CANDIDATES_MAX];
    struct kw_grant_row *rows;
    struct kw_stmt *stmt;
    size_t count;

    KW_TRY(kw_sql(tx, select_candidates, &stmt, err));
    kw_bind_id(stmt, 1, &partner);
    kw_bind_id(stmt, 2, &access->device);
    kw_bind_i64(stmt, 3, (int64_t)access->now_ms);
    kw_bind_text(stmt, 4, access->purpose);
    kw_bind_id(stmt, 5, &access->grant);
    kw_bind_i64(stmt, 6, kw_id_is_none(access->grant));
    kw_bind_i64(stmt, 7, access->operation);
    kw_bind_i64(stmt, 8, KW_GRANT_CANDIDATES_MAX);
    KW_TRY(read_rows(stmt, arena, found, KW_GRANT_CANDIDATES_MAX, &count, err));
    rows = kw_arena_alloc(arena, (count > 0 ? count : 1) * sizeof(*rows));
    KW_ENSURE(rows != NULL, err, MEMORY, "%zu grants", count);
    kw_copy(rows, found, count * sizeof(*rows));
    *ret_rows = rows;
    *ret_count = count;
    return KW_OK;
}

enum kw_grant_state kw_grant_state(const struct kw_grant_row *row, uint64_t now_ms)
{
    if (row->revoked_ms != 0 || row->overruled) {
        return KW_GRANT_REVOKED;
    }
    if (now_ms >= row->end_ms) {
        return KW_GRANT_EXPIRED;
    }
    return now_ms < row->start_ms ? KW_GRANT_PENDING : KW_GRANT_ACTIVE;
}

struct kw_result kw_grant_list(struct kw_tx *tx, const struct kw_grant_query *query,
                               struct kw_arena *arena, struct kw_grant_row *rows, size_t *ret_count,
                               struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_page, &stmt, err));
    kw_bind_i64(stmt, 1, query->any_partner);
    kw_bind_id(stmt, 2, &query->partner);
    kw_bind_id(stmt, 3, &query->after);
    kw_bind_i64(stmt, 4, query->state);
    kw_bind_i64(stmt, 5, (int64_t)query->now_ms);
    kw_bind_i64(stmt, 6, (int64_t)query->max);
    return read_rows(stmt, arena, rows, query->max, ret_count, err);
}
