/* SQL of table invitations. */
#include "services/authz/invitation_table.h"

static const char select_one[] = "SELECT member, record, created_ms, expire_ms, enrolment, "
                                 "response, held_ms, ended_ms, receipt FROM invitations"
                                 " WHERE id = $1";
static const char insert_one[] =
    "INSERT INTO invitations (id, member, record, created_ms, expire_ms)"
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
static const char claim_one[] =
    "UPDATE invitations SET enrolment = $2 WHERE id = $1 AND enrolment IS NULL";
static const char hold_one[] =
    "UPDATE invitations SET held_ms = $2 WHERE id = $1 AND held_ms IS NULL";
static const char end_others[] =
    "UPDATE invitations SET ended_ms = $4 WHERE member = $1 AND id <> $2 AND created_ms <= $3"
    " AND ended_ms IS NULL";
static const char answer_one[] =
    "UPDATE invitations SET response = $2, receipt = $3 WHERE id = $1 AND response IS NULL";

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_invitation_row *row, struct kw_error *err)
{
    KW_TRY(kw_col_id(stmt, 0, &row->member, err));
    KW_TRY(kw_row_bytes(stmt, 1, arena, &row->record, err));
    row->created_ms = (uint64_t)kw_col_i64(stmt, 2);
    row->expire_ms = (uint64_t)kw_col_i64(stmt, 3);
    row->claimed = !kw_col_is_null(stmt, 4);
    if (row->claimed) {
        KW_TRY(kw_row_fixed(stmt, 4, row->enrolment, sizeof(row->enrolment), err));
    }
    KW_TRY(kw_row_bytes(stmt, 5, arena, &row->response, err));
    row->held = !kw_col_is_null(stmt, 6);
    row->ended = !kw_col_is_null(stmt, 7);
    return kw_row_bytes(stmt, 8, arena, &row->receipt, err);
}

struct kw_result kw_invitation_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                    struct kw_invitation_row *ret_row, bool *ret_found,
                                    struct kw_error *err)
{
    struct kw_invitation_row row = {.id = id};
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_one, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(read_row(stmt, arena, &row, err));
        *ret_row = row;
    }
    *ret_found = found;
    return KW_OK;
}

struct kw_result kw_invitation_insert(struct kw_tx *tx, const struct kw_invitation_row *row,
                                      struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_one, &stmt, err));
    kw_bind_id(stmt, 1, &row->id);
    kw_bind_id(stmt, 2, &row->member);
    kw_bind_blob(stmt, 3, row->record);
    kw_bind_i64(stmt, 4, (int64_t)row->created_ms);
    kw_bind_i64(stmt, 5, (int64_t)row->expire_ms);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_invitation_claim(struct kw_tx *tx, struct kw_id id,
                                     const uint8_t enrolment[KW_SHA256_LEN], struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, claim_one, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    kw_bind_blob(stmt, 2, KW_BYTES(enrolment, KW_SHA256_LEN));
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_invitation_hold(struct kw_tx *tx, struct kw_id id, uint64_t now_ms,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, hold_one, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    kw_bind_i64(stmt, 2, (int64_t)now_ms);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_invitation_end_earlier(struct kw_tx *tx, const struct kw_invitation_row *than,
                                           uint64_t now_ms, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, end_others, &stmt, err));
    kw_bind_id(stmt, 1, &than->member);
    kw_bind_id(stmt, 2, &than->id);
    kw_bind_i64(stmt, 3, (int64_t)than->created_ms);
    kw_bind_i64(stmt, 4, (int64_t)now_ms);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_invitation_answer(struct kw_tx *tx, struct kw_id id, struct kw_bytes response,
                                      struct kw_bytes receipt, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, answer_one, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    kw_bind_blob(stmt, 2, response);
    kw_bind_blob(stmt, 3, receipt);
    return kw_exec(stmt, NULL, err);
}
