/* SQL of table certificates. */
#include "services/authz/certificate_table.h"

static const char select_one[] =
    "SELECT role, owner, start_ms, expire_ms, created_ms, revoked_ms FROM certificates"
    " WHERE fingerprint = $1";
static const char insert_one[] =
    "INSERT INTO certificates (fingerprint, name, role, owner, start_ms, expire_ms, created_ms)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (fingerprint) DO NOTHING";
static const char revoke_one[] =
    "UPDATE certificates SET revoked_ms = $2 WHERE fingerprint = $1 AND revoked_ms IS NULL";
static const char revoke_owner[] =
    "UPDATE certificates SET revoked_ms = $2 WHERE owner = $1 AND revoked_ms IS NULL";
static const char select_role[] =
    "SELECT fingerprint FROM certificates WHERE role = $1 AND fingerprint > $2"
    " AND revoked_ms IS NULL ORDER BY fingerprint LIMIT $3";

struct kw_result kw_certificate_find(struct kw_tx *tx, const uint8_t fingerprint[KW_SHA256_LEN],
                                     struct kw_certificate_row *ret_row, bool *ret_found,
                                     struct kw_error *err)
{
    struct kw_certificate_row row = {.name = ""};
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_one, &stmt, err));
    kw_bind_blob(stmt, 1, KW_BYTES(fingerprint, KW_SHA256_LEN));
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        kw_copy(row.fingerprint, fingerprint, KW_SHA256_LEN);
        row.role = (enum kw_caller_role)kw_col_i64(stmt, 0);
        KW_TRY(kw_col_id(stmt, 1, &row.owner, err));
        row.start_ms = (uint64_t)kw_col_i64(stmt, 2);
        row.expire_ms = (uint64_t)kw_col_i64(stmt, 3);
        row.created_ms = (uint64_t)kw_col_i64(stmt, 4);
        row.revoked = !kw_col_is_null(stmt, 5);
        *ret_row = row;
    }
    *ret_found = found;
    return KW_OK;
}

struct kw_result kw_certificate_insert(struct kw_tx *tx, const struct kw_certificate_row *row,
                                       struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_one, &stmt, err));
    kw_bind_blob(stmt, 1, KW_BYTES_OF(row->fingerprint));
    kw_bind_text(stmt, 2, row->name);
    kw_bind_i64(stmt, 3, row->role);
    kw_bind_id(stmt, 4, &row->owner);
    kw_bind_i64(stmt, 5, (int64_t)row->start_ms);
    kw_bind_i64(stmt, 6, (int64_t)row->expire_ms);
    kw_bind_i64(stmt, 7, (int64_t)row->created_ms);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_certificate_revoke(struct kw_tx *tx, const uint8_t fingerprint[KW_SHA256_LEN],
                                       uint64_t now_ms, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, revoke_one, &stmt, err));
    kw_bind_blob(stmt, 1, KW_BYTES(fingerprint, KW_SHA256_LEN));
    kw_bind_i64(stmt, 2, (int64_t)now_ms);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_certificate_revoke_all(struct kw_tx *tx, struct kw_id owner, uint64_t now_ms,
                                           int64_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, revoke_owner, &stmt, err));
    kw_bind_id(stmt, 1, &owner);
    kw_bind_i64(stmt, 2, (int64_t)now_ms);
    return kw_exec(stmt, ret_count, err);
}

struct kw_result kw_certificate_list(struct kw_tx *tx, enum kw_caller_role role,
                                     struct kw_bytes after, size_t max,
                                     uint8_t (*fingerprints)[KW_SHA256_LEN], size_t *ret_count,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count = 0;

    KW_TRY(kw_sql(tx, select_role, &stmt, err));
    kw_bind_i64(stmt, 1, role);
    kw_bind_blob(stmt, 2, after);
    kw_bind_i64(stmt, 3, (int64_t)max);
    while (count < max) {
        bool found;

        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(kw_row_fixed(stmt, 0, fingerprints[count], KW_SHA256_LEN, err));
        count++;
    }
    *ret_count = count;
    return KW_OK;
}
