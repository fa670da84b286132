/* SQL of tables kept_chains and kept_segments. */
#include "services/orchestrator/kept_table.h"

#define SELECT_CHAIN "SELECT core, stream, last, head, len, forked FROM kept_chains"

static const char select_one[] = SELECT_CHAIN " WHERE place = $1 AND core = $2 AND stream = $3";
static const char select_next[] =
    SELECT_CHAIN " WHERE place = $1 AND (core, stream) > ($2, $3) ORDER BY core, stream LIMIT 1";
static const char select_len[] = "SELECT coalesce(sum(len), 0) FROM kept_chains WHERE place = $1";
static const char upsert_chain[] =
    "INSERT INTO kept_chains (place, core, stream, last, head, len, kept_ms, forked)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT (place, core, stream) DO UPDATE"
    " SET last = excluded.last, head = excluded.head, len = excluded.len,"
    " kept_ms = excluded.kept_ms";
static const char insert_segment[] =
    "INSERT INTO kept_segments (place, core, stream, last, record) VALUES ($1, $2, $3, $4, $5)";
static const char insert_fork[] =
    "INSERT INTO kept_chains (place, core, stream, last, head, len, kept_ms, forked, evidence)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8) ON CONFLICT (place, core, stream) DO UPDATE"
    " SET forked = 1, evidence = coalesce(kept_chains.evidence, excluded.evidence)";
static const char select_segment[] =
    "SELECT record FROM kept_segments WHERE place = $1 AND core = $2 AND stream = $3"
    " AND last >= $4 ORDER BY last LIMIT 1";

static void bind_name(struct kw_stmt *stmt, struct kw_bytes place, const struct kw_id *core,
                      const struct kw_id *stream)
{
    kw_bind_blob(stmt, 1, place);
    kw_bind_id(stmt, 2, core);
    kw_bind_id(stmt, 3, stream);
}

/* --- chains --- */

static struct kw_result read_chain(struct kw_stmt *stmt, struct kw_kept_chain *chain,
                                   struct kw_error *err)
{
    KW_TRY(kw_col_id(stmt, 0, &chain->at.core, err));
    KW_TRY(kw_col_id(stmt, 1, &chain->at.stream, err));
    chain->at.seq = (uint64_t)kw_col_i64(stmt, 2);
    KW_TRY(kw_row_fixed(stmt, 3, chain->at.head.bytes, sizeof(chain->at.head.bytes), err));
    chain->len = (uint64_t)kw_col_i64(stmt, 4);
    chain->forked = kw_col_i64(stmt, 5) != 0;
    return KW_OK;
}

static struct kw_result select_chain(struct kw_tx *tx, const char *sql, struct kw_bytes place,
                                     struct kw_id core, struct kw_id stream,
                                     struct kw_kept_chain *ret_chain, bool *ret_found,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;

    *ret_chain =
        (struct kw_kept_chain){.at = {.core = core, .stream = stream}, .len = KW_KEPT_CHAIN_COST};
    KW_TRY(kw_sql(tx, sql, &stmt, err));
    bind_name(stmt, place, &core, &stream);
    KW_TRY(kw_step(stmt, ret_found, err));
    return *ret_found ? read_chain(stmt, ret_chain, err) : KW_OK;
}

struct kw_result kw_kept_find(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                              struct kw_id stream, struct kw_kept_chain *ret_chain, bool *ret_found,
                              struct kw_error *err)
{
    return select_chain(tx, select_one, place, core, stream, ret_chain, ret_found, err);
}

struct kw_result kw_kept_next(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                              struct kw_id stream, struct kw_kept_chain *ret_chain, bool *ret_found,
                              struct kw_error *err)
{
    return select_chain(tx, select_next, place, core, stream, ret_chain, ret_found, err);
}

struct kw_result kw_kept_len(struct kw_tx *tx, struct kw_bytes place, uint64_t *ret_len,
                             struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_len, &stmt, err));
    kw_bind_blob(stmt, 1, place);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_len = (uint64_t)kw_col_i64(stmt, 0);
    return KW_OK;
}

static void bind_chain(struct kw_stmt *stmt, struct kw_bytes place,
                       const struct kw_kept_chain *chain, uint64_t now_ms)
{
    bind_name(stmt, place, &chain->at.core, &chain->at.stream);
    kw_bind_i64(stmt, 4, (int64_t)chain->at.seq);
    kw_bind_blob(stmt, 5, KW_BYTES_OF(chain->at.head.bytes));
    kw_bind_i64(stmt, 6, (int64_t)chain->len);
    kw_bind_i64(stmt, 7, (int64_t)now_ms);
}

struct kw_result kw_kept_fork(struct kw_tx *tx, struct kw_bytes place,
                              const struct kw_kept_chain *chain, struct kw_bytes evidence,
                              uint64_t now_ms, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_fork, &stmt, err));
    bind_chain(stmt, place, chain, now_ms);
    kw_bind_blob(stmt, 8, evidence);
    return kw_exec(stmt, NULL, err);
}

/* --- segments --- */

struct kw_result kw_kept_add(struct kw_tx *tx, struct kw_bytes place,
                             const struct kw_kept_chain *chain, struct kw_bytes segment,
                             uint64_t now_ms, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_segment, &stmt, err));
    bind_name(stmt, place, &chain->at.core, &chain->at.stream);
    kw_bind_i64(stmt, 4, (int64_t)chain->at.seq);
    kw_bind_blob(stmt, 5, segment);
    KW_TRY(kw_exec(stmt, NULL, err));
    KW_TRY(kw_sql(tx, upsert_chain, &stmt, err));
    bind_chain(stmt, place, chain, now_ms);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_kept_segment(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                                 struct kw_id stream, uint64_t seq, struct kw_arena *arena,
                                 struct kw_bytes *ret_segment, bool *ret_found,
                                 struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_segment, &stmt, err));
    bind_name(stmt, place, &core, &stream);
    kw_bind_i64(stmt, 4, (int64_t)seq);
    KW_TRY(kw_step(stmt, ret_found, err));
    return *ret_found ? kw_row_bytes(stmt, 0, arena, ret_segment, err) : KW_OK;
}
