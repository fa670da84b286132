/* SQL of tables receipts and receipt_devices. The chains as a whole are in chain_table.c. */
#include "services/orchestrator/receipt_table.h"

#define SELECT_RECEIPT "SELECT r.record, r.caller, r.time_ms, r.id FROM receipts r"
#define IN_TIME        " AND r.time_ms < $3 AND (r.time_ms, r.id) > ($1, $2)"
#define IN_ORDER       " ORDER BY r.time_ms, r.id LIMIT $6"
#define ROWS_A_STEP    64 /* of a long list: nobody knows how many of them will be wanted */

static const char select_by_id[] = SELECT_RECEIPT " WHERE r.id = $1";
static const char select_all[] = SELECT_RECEIPT " WHERE 1 = 1" IN_TIME IN_ORDER;
static const char select_of_caller[] = SELECT_RECEIPT " WHERE r.caller = $4" IN_TIME IN_ORDER;
static const char select_of_device[] =
    SELECT_RECEIPT " JOIN receipt_devices d ON d.receipt = r.id"
                   " WHERE d.device = $5 AND (r.caller = $4 OR $4 IS NULL)"
                   " AND d.time_ms < $3 AND (d.time_ms, d.receipt) > ($1, $2)"
                   " ORDER BY d.time_ms, d.receipt LIMIT $6";
static const char select_same[] =
    "SELECT record FROM receipts WHERE id = $1 AND core = $2 AND stream = $3 AND seq = $4";
static const char select_before[] =
    "SELECT 1 FROM receipts WHERE core = $1 AND stream = $2 AND seq = $3";
static const char insert_receipt[] =
    "INSERT INTO receipts (core, stream, seq, id, time_ms, caller, record, head)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
static const char insert_device[] =
    "INSERT INTO receipt_devices (device, time_ms, receipt) VALUES ($1, $2, $3)"
    " ON CONFLICT (device, time_ms, receipt) DO NOTHING";

/* --- writing --- */

static struct kw_result insert_devices(struct kw_tx *tx, const struct kw_receipt *receipt,
                                       struct kw_error *err)
{
    struct kw_reader items = KW_READER(receipt->items);

    for (uint16_t i = 0; i < receipt->item_count; i++) {
        struct kw_receipt_item item;
        struct kw_stmt *stmt;

        kw_receipt_item_next(&items, &item);
        if (kw_id_is_none(item.device)) {
            continue;
        }
        KW_TRY(kw_sql(tx, insert_device, &stmt, err));
        kw_bind_id(stmt, 1, &item.device);
        kw_bind_i64(stmt, 2, (int64_t)receipt->time_ms);
        kw_bind_id(stmt, 3, &receipt->id);
        KW_TRY(kw_exec(stmt, NULL, err));
    }
    return KW_OK;
}

/* Is this very receipt stored already? */
static struct kw_result find_same(struct kw_tx *tx, const struct kw_receipt_row *row,
                                  bool *ret_same, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_same, &stmt, err));
    kw_bind_id(stmt, 1, &row->receipt->id);
    kw_bind_id(stmt, 2, &row->receipt->core);
    kw_bind_id(stmt, 3, &row->receipt->stream);
    kw_bind_i64(stmt, 4, (int64_t)row->receipt->seq);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_same = found && kw_bytes_equal(kw_col_blob(stmt, 0), row->record);
    return KW_OK;
}

/* A chain grows at its end and nowhere else: at no moment is there a gap in it, which to a verifier
 * would be a receipt that somebody took away. */
static struct kw_result check_place(struct kw_tx *tx, const struct kw_receipt *receipt,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found = true;

    if (receipt->seq > 1) {
        KW_TRY(kw_sql(tx, select_before, &stmt, err));
        kw_bind_id(stmt, 1, &receipt->core);
        kw_bind_id(stmt, 2, &receipt->stream);
        kw_bind_i64(stmt, 3, (int64_t)receipt->seq - 1);
        KW_TRY(kw_step(stmt, &found, err));
    }
    KW_ENSURE(found, err, STORE_UNAVAILABLE, "the receipt before number %llu is not stored",
              (unsigned long long)receipt->seq);
    return KW_OK;
}

struct kw_result kw_receipt_insert(struct kw_tx *tx, const struct kw_receipt_row *row,
                                   struct kw_error *err)
{
    struct kw_result inserted;
    struct kw_stmt *stmt;
    bool same;

    KW_TRY(find_same(tx, row, &same, err));
    if (same) {
        return KW_OK;
    }
    KW_TRY(check_place(tx, row->receipt, err));
    KW_TRY(kw_sql(tx, insert_receipt, &stmt, err));
    kw_bind_id(stmt, 1, &row->receipt->core);
    kw_bind_id(stmt, 2, &row->receipt->stream);
    kw_bind_i64(stmt, 3, (int64_t)row->receipt->seq);
    kw_bind_id(stmt, 4, &row->receipt->id);
    kw_bind_i64(stmt, 5, (int64_t)row->receipt->time_ms);
    kw_bind_text(stmt, 6, row->caller);
    kw_bind_blob(stmt, 7, row->record);
    kw_bind_blob(stmt, 8, KW_BYTES_OF(row->head.bytes));
    inserted = kw_exec(stmt, NULL, err);
    KW_ENSURE(inserted.reason != KW_E_ALREADY_EXISTS, err, STORE_CONFLICT,
              "another receipt has the place or the id of number %llu",
              (unsigned long long)row->receipt->seq);
    KW_TRY(inserted);
    return insert_devices(tx, row->receipt, err);
}

/* --- reading --- */

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_receipt_found *ret_row, struct kw_error *err)
{
    struct kw_receipt_found row = {0};

    KW_TRY(kw_row_bytes(stmt, 0, arena, &row.record, err));
    KW_TRY(kw_row_text(stmt, 1, arena, &row.caller, err));
    row.place.time_ms = (uint64_t)kw_col_i64(stmt, 2);
    KW_TRY(kw_col_id(stmt, 3, &row.place.id, err));
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_receipt_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                 struct kw_receipt_found *ret_receipt, bool *ret_found,
                                 struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_by_id, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(read_row(stmt, arena, ret_receipt, err));
    }
    *ret_found = found;
    return KW_OK;
}

static const char *select_for(const struct kw_receipt_filter *filter)
{
    if (!kw_id_is_none(filter->device)) {
        return select_of_device;
    }
    return filter->caller[0] != '\0' ? select_of_caller : select_all;
}

/* A first page starts at start_ms, inclusive: no id is none. */
static struct kw_receipt_place start_of(const struct kw_receipt_filter *filter,
                                        struct kw_receipt_place after)
{
    if (after.time_ms < filter->start_ms) {
        return (struct kw_receipt_place){.time_ms = filter->start_ms};
    }
    return after;
}

/* The rows behind `after`, at most ROWS_A_STEP. */
static struct kw_result select_some(struct kw_tx *tx, const struct kw_receipt_filter *filter,
                                    const struct kw_receipt_place *after, struct kw_stmt **ret_stmt,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_for(filter), &stmt, err));
    kw_bind_i64(stmt, 1, (int64_t)after->time_ms);
    kw_bind_id(stmt, 2, &after->id);
    kw_bind_i64(stmt, 3, (int64_t)filter->end_ms);
    if (filter->caller[0] != '\0') {
        kw_bind_text(stmt, 4, filter->caller);
    }
    if (!kw_id_is_none(filter->device)) {
        kw_bind_id(stmt, 5, &filter->device);
    }
    kw_bind_i64(stmt, 6, ROWS_A_STEP);
    *ret_stmt = stmt;
    return KW_OK;
}

struct kw_result kw_receipt_list(struct kw_tx *tx, const struct kw_receipt_filter *filter,
                                 struct kw_receipt_place after, struct kw_arena *arena,
                                 struct kw_result (*take)(void *context,
                                                          const struct kw_receipt_found *receipt,
                                                          bool *ret_more, struct kw_error *err),
                                 void *context, struct kw_error *err)
{
    struct kw_receipt_place place = start_of(filter, after);
    int rows = ROWS_A_STEP;
    bool more = true;

    while (more && rows == ROWS_A_STEP) {
        struct kw_receipt_place from = place;
        struct kw_stmt *stmt;
        bool found = true;

        KW_TRY(select_some(tx, filter, &from, &stmt, err));
        for (rows = 0; more; rows++) {
            struct kw_receipt_found row;

            KW_TRY(kw_step(stmt, &found, err));
            if (!found) {
                break;
            }
            KW_TRY(read_row(stmt, arena, &row, err));
            place = row.place;
            KW_TRY(take(context, &row, &more, err));
        }
    }
    return KW_OK;
}
