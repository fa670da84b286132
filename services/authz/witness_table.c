/* SQL of table witness. */
#include "services/authz/witness_table.h"

#include "common/store/row.h"

static const char upsert_witness[] =
    "INSERT INTO witness (core, stream, seq, head, time_ms) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (core, stream) DO UPDATE"
    " SET seq = excluded.seq, head = excluded.head, time_ms = excluded.time_ms"
    " WHERE excluded.seq > witness.seq";
static const char select_witness[] =
    "SELECT core, stream, seq, head FROM witness ORDER BY time_ms DESC LIMIT 1";
static const char select_page[] =
    "SELECT core, stream, seq, head FROM witness WHERE core > $1 OR (core = $1 AND stream > $2)"
    " ORDER BY core, stream LIMIT $3";

struct kw_result kw_witness_store(struct kw_tx *tx, const struct kw_witness *witness,
                                  uint64_t now_ms, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_witness, &stmt, err));
    kw_bind_id(stmt, 1, &witness->core);
    kw_bind_id(stmt, 2, &witness->stream);
    kw_bind_i64(stmt, 3, (int64_t)witness->seq);
    kw_bind_blob(stmt, 4, KW_BYTES_OF(witness->head));
    kw_bind_i64(stmt, 5, (int64_t)now_ms);
    return kw_exec(stmt, NULL, err);
}

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_witness *ret_witness,
                                 struct kw_error *err)
{
    struct kw_witness witness = {0};

    KW_TRY(kw_col_id(stmt, 0, &witness.core, err));
    KW_TRY(kw_col_id(stmt, 1, &witness.stream, err));
    witness.seq = (uint64_t)kw_col_i64(stmt, 2);
    KW_TRY(kw_row_fixed(stmt, 3, witness.head, sizeof(witness.head), err));
    *ret_witness = witness;
    return KW_OK;
}

struct kw_result kw_witness_list(struct kw_tx *tx, const struct kw_witness *after, size_t max,
                                 struct kw_witness *rows, size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count = 0;

    KW_TRY(kw_sql(tx, select_page, &stmt, err));
    kw_bind_id(stmt, 1, &after->core);
    kw_bind_id(stmt, 2, &after->stream);
    kw_bind_i64(stmt, 3, (int64_t)max);
    while (count < max) {
        bool found;

        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(read_row(stmt, &rows[count], err));
        count++;
    }
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_witness_load(struct kw_tx *tx, struct kw_witness *ret_witness,
                                 struct kw_error *err)
{
    struct kw_witness witness = {0};
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_witness, &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(read_row(stmt, &witness, err));
    }
    *ret_witness = witness;
    return KW_OK;
}
