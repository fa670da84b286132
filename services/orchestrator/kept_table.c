/* SQL of tables kept_chains, kept_segments and kept_stores. */
#include "services/orchestrator/kept_table.h"

#define SELECT_CHAIN "SELECT core, stream, last, head, len, forked FROM kept_chains"

static const char select_one[] = SELECT_CHAIN " WHERE place = $1 AND core = $2 AND stream = $3";
static const char select_next[] =
    SELECT_CHAIN " WHERE place = $1 AND (core, stream) > ($2, $3) ORDER BY core, stream LIMIT 1";
static const char select_sum[] = "SELECT len, chains FROM kept_stores WHERE store = $1";
static const char add_sum[] =
    "INSERT INTO kept_stores (store, len, chains) VALUES ($1, $2, $3)"
    " ON CONFLICT (store) DO UPDATE SET len = kept_stores.len + excluded.len,"
    " chains = kept_stores.chains + excluded.chains";
static const char upsert_chain[] =
    "INSERT INTO kept_chains (place, core, stream, last, head, len, forked)"
    " VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (place, core, stream) DO UPDATE"
    " SET last = excluded.last, head = excluded.head, len = excluded.len";
static const char insert_segment[] =
    "INSERT INTO kept_segments (place, core, stream, last, record) VALUES ($1, $2, $3, $4, $5)";
static const char mark_fork[] =
    "UPDATE kept_chains SET forked = 1 WHERE place = $1 AND core = $2 AND stream = $3";
static const char add_evidence[] = "UPDATE kept_chains SET evidence = $4, len = len + $5"
                                   " WHERE place = $1 AND core = $2 AND stream = $3";
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
    chain->stored = true;
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
                              struct kw_id stream, struct kw_kept_chain *ret_chain,
                              struct kw_error *err)
{
    bool found;

    return select_chain(tx, select_one, place, core, stream, ret_chain, &found, err);
}

struct kw_result kw_kept_next(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                              struct kw_id stream, struct kw_kept_chain *ret_chain, bool *ret_found,
                              struct kw_error *err)
{
    return select_chain(tx, select_next, place, core, stream, ret_chain, ret_found, err);
}

struct kw_result kw_kept_fork(struct kw_tx *tx, struct kw_bytes place,
                              const struct kw_kept_chain *chain, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, mark_fork, &stmt, err));
    bind_name(stmt, place, &chain->at.core, &chain->at.stream);
    return kw_exec(stmt, NULL, err);
}

/* --- stores --- */

struct kw_result kw_kept_sum(struct kw_tx *tx, struct kw_id store, struct kw_kept_sum *ret_sum,
                             struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    *ret_sum = (struct kw_kept_sum){0};
    KW_TRY(kw_sql(tx, select_sum, &stmt, err));
    kw_bind_id(stmt, 1, &store);
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        ret_sum->len = (uint64_t)kw_col_i64(stmt, 0);
        ret_sum->chains = (uint64_t)kw_col_i64(stmt, 1);
    }
    return KW_OK;
}

static struct kw_result count(struct kw_tx *tx, struct kw_id store, uint64_t len, uint64_t chains,
                              struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, add_sum, &stmt, err));
    kw_bind_id(stmt, 1, &store);
    kw_bind_i64(stmt, 2, (int64_t)len);
    kw_bind_i64(stmt, 3, (int64_t)chains);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_kept_evidence(struct kw_tx *tx, const struct kw_kept_giver *giver,
                                  const struct kw_kept_chain *chain, struct kw_bytes evidence,
                                  struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, add_evidence, &stmt, err));
    bind_name(stmt, giver->place, &chain->at.core, &chain->at.stream);
    kw_bind_blob(stmt, 4, evidence);
    kw_bind_i64(stmt, 5, (int64_t)evidence.len);
    KW_TRY(kw_exec(stmt, NULL, err));
    return count(tx, giver->store, evidence.len, 0, err);
}

/* --- segments --- */

static void bind_chain(struct kw_stmt *stmt, struct kw_bytes place,
                       const struct kw_kept_chain *chain)
{
    bind_name(stmt, place, &chain->at.core, &chain->at.stream);
    kw_bind_i64(stmt, 4, (int64_t)chain->at.seq);
    kw_bind_blob(stmt, 5, KW_BYTES_OF(chain->at.head.bytes));
    kw_bind_i64(stmt, 6, (int64_t)chain->len);
}

struct kw_result kw_kept_add(struct kw_tx *tx, const struct kw_kept_giver *giver,
                             const struct kw_kept_chain *chain, struct kw_bytes segment,
                             struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_segment, &stmt, err));
    bind_name(stmt, giver->place, &chain->at.core, &chain->at.stream);
    kw_bind_i64(stmt, 4, (int64_t)chain->at.seq);
    kw_bind_blob(stmt, 5, segment);
    KW_TRY(kw_exec(stmt, NULL, err));
    KW_TRY(kw_sql(tx, upsert_chain, &stmt, err));
    bind_chain(stmt, giver->place, chain);
    KW_TRY(kw_exec(stmt, NULL, err));
    return chain->stored ? count(tx, giver->store, segment.len, 0, err)
                         : count(tx, giver->store, chain->len, 1, err);
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
