/* SQL of table transport_keys. */
#include "services/orchestrator/transport_key_table.h"

static const char select_key[] =
    "SELECT owner, version, kek_version, wrapped, check_value, mac, nonce, created_ms, confirmed_ms"
    " FROM transport_keys WHERE owner = $1 AND version = $2 ORDER BY length(wrapped) = 0, refused,"
    " confirmed_ms IS NULL, coalesce(confirmed_ms, created_ms), digest LIMIT 1";
static const char select_newest[] =
    "SELECT version FROM transport_keys WHERE owner = $1 ORDER BY version DESC LIMIT 1";
static const char upsert_key[] =
    "INSERT INTO transport_keys (owner, version, kek_version, digest, wrapped, check_value, mac,"
    " nonce, created_ms, confirmed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    " ON CONFLICT (owner, version, kek_version, digest) DO UPDATE SET wrapped = excluded.wrapped,"
    " check_value = excluded.check_value, mac = excluded.mac, nonce = excluded.nonce,"
    " created_ms = excluded.created_ms, confirmed_ms = excluded.confirmed_ms";

static const char update_refused[] =
    "UPDATE transport_keys SET refused = refused + 1"
    " WHERE owner = $1 AND version = $2 AND kek_version = $3 AND digest = $4";

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_transport_key_row *ret_row, struct kw_error *err)
{
    struct kw_transport_key_row row = {0};

    KW_TRY(kw_col_id(stmt, 0, &row.owner, err));
    row.version = (uint32_t)kw_col_i64(stmt, 1);
    row.kek_version = (uint32_t)kw_col_i64(stmt, 2);
    KW_TRY(kw_row_bytes(stmt, 3, arena, &row.wrapped, err));
    KW_TRY(kw_row_bytes(stmt, 4, arena, &row.check_value, err));
    KW_TRY(kw_row_bytes(stmt, 5, arena, &row.mac, err));
    KW_TRY(kw_row_bytes(stmt, 6, arena, &row.nonce, err));
    row.created_ms = (uint64_t)kw_col_i64(stmt, 7);
    row.confirmed_ms = (uint64_t)kw_col_i64(stmt, 8);
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_transport_key_find(struct kw_tx *tx, struct kw_id owner, uint32_t version,
                                       struct kw_arena *arena, struct kw_transport_key_row *ret_row,
                                       bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_key, &stmt, err));
    kw_bind_id(stmt, 1, &owner);
    kw_bind_i64(stmt, 2, version);
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(read_row(stmt, arena, ret_row, err));
    }
    *ret_found = found;
    return KW_OK;
}

struct kw_result kw_transport_key_newest(struct kw_tx *tx, struct kw_id owner,
                                         uint32_t *ret_version, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_newest, &stmt, err));
    kw_bind_id(stmt, 1, &owner);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_version = found ? (uint32_t)kw_col_i64(stmt, 0) : 0;
    return KW_OK;
}

struct kw_result kw_transport_key_put(struct kw_tx *tx, const struct kw_transport_key_row *row,
                                      const uint8_t digest[KW_SHA256_LEN], struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_key, &stmt, err));
    kw_bind_id(stmt, 1, &row->owner);
    kw_bind_i64(stmt, 2, row->version);
    kw_bind_i64(stmt, 3, row->kek_version);
    kw_bind_blob(stmt, 4, KW_BYTES(digest, KW_SHA256_LEN));
    kw_bind_blob(stmt, 5, row->wrapped);
    kw_bind_blob(stmt, 6, row->check_value);
    kw_bind_blob(stmt, 7, row->mac);
    kw_bind_blob(stmt, 8, row->nonce);
    kw_bind_i64(stmt, 9, (int64_t)row->created_ms);
    if (row->confirmed_ms != 0) {
        kw_bind_i64(stmt, 10, (int64_t)row->confirmed_ms);
    }
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_transport_key_refused(struct kw_tx *tx, struct kw_id owner, uint32_t version,
                                          uint32_t kek_version, const uint8_t digest[KW_SHA256_LEN],
                                          struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, update_refused, &stmt, err));
    kw_bind_id(stmt, 1, &owner);
    kw_bind_i64(stmt, 2, version);
    kw_bind_i64(stmt, 3, kek_version);
    kw_bind_blob(stmt, 4, KW_BYTES(digest, KW_SHA256_LEN));
    return kw_exec(stmt, NULL, err);
}
