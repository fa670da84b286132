/* SQL of tables feed_joins and feed_join_heads. */
#include "common/feed/join_table.h"

#include "common/store/row.h"

#define COLUMNS "donor, nonce, section, kind, key"

static const char select_any[] = "SELECT 1 FROM feed_joins";
static const char select_join[] = "SELECT " COLUMNS " FROM feed_joins";
static const char lock_join[] = "SELECT " COLUMNS " FROM feed_joins FOR UPDATE";
static const char insert_join[] =
    "INSERT INTO feed_joins (one, donor, nonce, section, kind, key, again)"
    " VALUES (1, $1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (one) DO UPDATE SET donor = excluded.donor, nonce = excluded.nonce,"
    " section = excluded.section, kind = excluded.kind, key = excluded.key";
static const char update_join[] = "UPDATE feed_joins SET section = $1, kind = $2, key = $3";
static const char select_again[] = "SELECT again FROM feed_joins";
static const char delete_join[] = "DELETE FROM feed_joins";
static const char insert_head[] =
    "INSERT INTO feed_join_heads (lane, head) VALUES ($1, $2) ON CONFLICT (lane) DO NOTHING";
static const char select_head[] =
    "SELECT lane, head FROM feed_join_heads WHERE lane > $1 ORDER BY lane LIMIT 1";
static const char delete_heads[] = "DELETE FROM feed_join_heads";

struct kw_result kw_join_row_any(struct kw_tx *tx, bool *ret_joining, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_any, &stmt, err));
    return kw_step(stmt, ret_joining, err);
}

struct kw_result kw_join_row_find(struct kw_tx *tx, bool lock, struct kw_arena *arena,
                                  struct kw_ask *ret_ask, bool *ret_joining, struct kw_error *err)
{
    struct kw_ask ask = {.purpose = KW_ASK_SNAPSHOT};
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, lock ? lock_join : select_join, &stmt, err));
    KW_TRY(kw_step(stmt, ret_joining, err));
    if (!*ret_joining) {
        return KW_OK;
    }
    KW_TRY(kw_col_id(stmt, 0, &ask.store, err));
    KW_TRY(kw_col_id(stmt, 1, &ask.nonce, err));
    ask.from.section = (enum kw_answer_section)kw_col_i64(stmt, 2);
    ask.from.table = (uint16_t)kw_col_i64(stmt, 3);
    KW_TRY(kw_row_bytes(stmt, 4, arena, &ask.from.key, err));
    *ret_ask = ask;
    return KW_OK;
}

static struct kw_result run(struct kw_tx *tx, const char *sql, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    return kw_exec(stmt, NULL, err);
}

static void bind_place(struct kw_stmt *stmt, int index, const struct kw_answer_place *place)
{
    kw_bind_i64(stmt, index, (int64_t)place->section);
    kw_bind_i64(stmt, index + 1, place->table);
    kw_bind_blob(stmt, index + 2, place->key);
}

struct kw_result kw_join_row_begin(struct kw_tx *tx, const struct kw_ask *ask, bool again,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_tx_catch_up(tx, err)); /* what the job knew does not hold any more (own_lane.h) */
    KW_TRY(run(tx, delete_heads, err));
    KW_TRY(kw_sql(tx, insert_join, &stmt, err));
    kw_bind_id(stmt, 1, &ask->store);
    kw_bind_id(stmt, 2, &ask->nonce);
    bind_place(stmt, 3, &ask->from);
    kw_bind_i64(stmt, 6, again);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_join_row_again(struct kw_tx *tx, bool *ret_again, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool joining;

    KW_TRY(kw_sql(tx, select_again, &stmt, err));
    KW_TRY(kw_step(stmt, &joining, err));
    *ret_again = joining && kw_col_i64(stmt, 0) != 0;
    return KW_OK;
}

struct kw_result kw_join_row_move(struct kw_tx *tx, const struct kw_answer_place *next,
                                  struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, update_join, &stmt, err));
    bind_place(stmt, 1, next);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_join_row_end(struct kw_tx *tx, struct kw_error *err)
{
    KW_TRY(run(tx, delete_heads, err));
    return run(tx, delete_join, err);
}

struct kw_result kw_join_head_insert(struct kw_tx *tx, struct kw_id lane, struct kw_bytes head,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_head, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_blob(stmt, 2, head);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_join_head_next(struct kw_tx *tx, struct kw_id *lane, struct kw_arena *arena,
                                   struct kw_bytes *ret_head, bool *ret_any, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_head, &stmt, err));
    kw_bind_id(stmt, 1, lane);
    KW_TRY(kw_step(stmt, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    KW_TRY(kw_col_id(stmt, 0, lane, err));
    return kw_row_bytes(stmt, 1, arena, ret_head, err);
}
