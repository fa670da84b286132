/* SQL of table checkpoints, and of whole chains. */
#include "services/orchestrator/chain_table.h"

static const char select_head[] =
    "SELECT head FROM receipts WHERE core = $1 AND stream = $2 AND seq = $3";
static const char insert_checkpoint[] =
    "INSERT INTO checkpoints (core, stream, seq, closed, time_ms, record)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (core, stream, seq, closed) DO NOTHING";
static const char select_chains[] =
    "SELECT c.core, c.stream,"
    " (SELECT max(k.seq) FROM checkpoints k"
    "  WHERE k.core = c.core AND k.stream = c.stream AND k.time_ms < $1),"
    " (SELECT min(k.seq) FROM checkpoints k"
    "  WHERE k.core = c.core AND k.stream = c.stream AND k.time_ms >= $2)"
    " FROM (SELECT DISTINCT core, stream FROM receipts WHERE time_ms >= $1 AND time_ms < $2) c"
    " WHERE (c.core, c.stream) > ($3, $4) ORDER BY c.core, c.stream LIMIT $5";
static const char select_next[] =
    "SELECT core, stream FROM receipts WHERE (core, stream) > ($1, $2)"
    " ORDER BY core, stream LIMIT 1";
static const char select_end[] = "SELECT max(seq) FROM receipts WHERE core = $1 AND stream = $2";
static const char select_receipts[] = "SELECT record FROM receipts WHERE core = $1 AND stream = $2 "
                                      "AND seq > $3 ORDER BY seq LIMIT $4";
static const char select_records[] =
    "SELECT record, seq, 0 AS place FROM receipts WHERE core = $1 AND stream = $2"
    " AND seq >= $3 AND (seq, 0) > ($3, $4) AND seq <= $5"
    " UNION ALL"
    " SELECT record, seq, 1 + closed AS place FROM checkpoints WHERE core = $1 AND stream = $2"
    " AND seq >= $3 AND (seq, 1 + closed) > ($3, $4) AND seq <= $5"
    " ORDER BY seq, place LIMIT $6";

/* The receipt may still be on its way; if it is here, its head is the checkpoint's. */
static struct kw_result check_head(struct kw_tx *tx, const struct kw_checkpoint *checkpoint,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_head, &stmt, err));
    kw_bind_id(stmt, 1, &checkpoint->core);
    kw_bind_id(stmt, 2, &checkpoint->stream);
    kw_bind_i64(stmt, 3, (int64_t)checkpoint->seq);
    KW_TRY(kw_step(stmt, &found, err));
    KW_ENSURE(!found || kw_bytes_equal(kw_col_blob(stmt, 0), KW_BYTES_OF(checkpoint->head.bytes)),
              err, STORE_CONFLICT, "the checkpoint at %llu signs another head than the receipt's",
              (unsigned long long)checkpoint->seq);
    return KW_OK;
}

struct kw_result kw_checkpoint_insert(struct kw_tx *tx, const struct kw_checkpoint *checkpoint,
                                      struct kw_bytes record, bool *ret_new, struct kw_error *err)
{
    struct kw_stmt *stmt;
    int64_t inserted;

    KW_TRY(check_head(tx, checkpoint, err));
    KW_TRY(kw_sql(tx, insert_checkpoint, &stmt, err));
    kw_bind_id(stmt, 1, &checkpoint->core);
    kw_bind_id(stmt, 2, &checkpoint->stream);
    kw_bind_i64(stmt, 3, (int64_t)checkpoint->seq);
    kw_bind_i64(stmt, 4, checkpoint->closed);
    kw_bind_i64(stmt, 5, (int64_t)checkpoint->time_ms);
    kw_bind_blob(stmt, 6, record);
    KW_TRY(kw_exec(stmt, &inserted, err));
    *ret_new = inserted == 1;
    return KW_OK;
}

struct kw_result kw_chain_list(struct kw_tx *tx, uint64_t start_ms, uint64_t end_ms,
                               const struct kw_chain_stretch *after, size_t max,
                               struct kw_chain_stretch *stretches, size_t *ret_count,
                               struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count = 0;

    KW_TRY(kw_sql(tx, select_chains, &stmt, err));
    kw_bind_i64(stmt, 1, (int64_t)start_ms);
    kw_bind_i64(stmt, 2, (int64_t)end_ms);
    kw_bind_id(stmt, 3, &after->core);
    kw_bind_id(stmt, 4, &after->stream);
    kw_bind_i64(stmt, 5, (int64_t)max);
    while (count < max) {
        bool found;

        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(kw_col_id(stmt, 0, &stretches[count].core, err));
        KW_TRY(kw_col_id(stmt, 1, &stretches[count].stream, err));
        stretches[count].from_seq = (uint64_t)kw_col_i64(stmt, 2);
        stretches[count].to_seq =
            kw_col_is_null(stmt, 3) ? KW_CHAIN_END : (uint64_t)kw_col_i64(stmt, 3);
        count++;
    }
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_chain_walk(struct kw_tx *tx, const struct kw_chain_stretch *stretch,
                               struct kw_chain_place behind, const struct kw_chain_page *page,
                               size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count = 0;
    size_t len = 0;

    KW_TRY(kw_sql(tx, select_records, &stmt, err));
    kw_bind_id(stmt, 1, &stretch->core);
    kw_bind_id(stmt, 2, &stretch->stream);
    kw_bind_i64(stmt, 3, (int64_t)behind.seq);
    kw_bind_i64(stmt, 4, behind.rank);
    kw_bind_i64(stmt, 5, (int64_t)stretch->to_seq);
    kw_bind_i64(stmt, 6, (int64_t)page->max);
    while (count < page->max) {
        struct kw_chain_record *record = &page->records[count];
        bool found;

        KW_TRY(kw_step(stmt, &found, err));
        len += found ? kw_col_blob(stmt, 0).len : 0;
        if (!found || (count > 0 && len > page->len_max)) {
            break;
        }
        KW_TRY(kw_row_bytes(stmt, 0, page->arena, &record->record, err));
        record->place.seq = (uint64_t)kw_col_i64(stmt, 1);
        record->place.rank = (uint32_t)kw_col_i64(stmt, 2);
        count++;
    }
    *ret_count = count;
    return KW_OK;
}

/* --- receipts alone --- */

static struct kw_result end_of(struct kw_tx *tx, const struct kw_id *core,
                               const struct kw_id *stream, uint64_t *ret_end, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_end, &stmt, err));
    kw_bind_id(stmt, 1, core);
    kw_bind_id(stmt, 2, stream);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_end = (uint64_t)kw_col_i64(stmt, 0);
    return KW_OK;
}

struct kw_result kw_chain_next(struct kw_tx *tx, struct kw_id *core, struct kw_id *stream,
                               uint64_t *ret_end, bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_next, &stmt, err));
    kw_bind_id(stmt, 1, core);
    kw_bind_id(stmt, 2, stream);
    KW_TRY(kw_step(stmt, ret_found, err));
    if (!*ret_found) {
        return KW_OK;
    }
    KW_TRY(kw_col_id(stmt, 0, core, err));
    KW_TRY(kw_col_id(stmt, 1, stream, err));
    return end_of(tx, core, stream, ret_end, err);
}

struct kw_result kw_chain_receipts(struct kw_tx *tx, struct kw_id core, struct kw_id stream,
                                   uint64_t after, size_t max,
                                   struct kw_result (*take)(void *context, struct kw_bytes record,
                                                            bool *ret_more, struct kw_error *err),
                                   void *context, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool more = true;

    KW_TRY(kw_sql(tx, select_receipts, &stmt, err));
    kw_bind_id(stmt, 1, &core);
    kw_bind_id(stmt, 2, &stream);
    kw_bind_i64(stmt, 3, (int64_t)after);
    kw_bind_i64(stmt, 4, (int64_t)max);
    while (more) {
        KW_TRY(kw_step(stmt, &more, err));
        if (more) {
            KW_TRY(take(context, kw_col_blob(stmt, 0), &more, err));
        }
    }
    return KW_OK;
}
