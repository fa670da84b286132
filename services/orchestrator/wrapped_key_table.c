/* SQL of table wrapped_keys; key_table.c reads the blob of a key with its key version. */
#include "services/orchestrator/wrapped_key_table.h"

static const char select_left[] = "SELECT kek_version, digest FROM wrapped_keys"
                                  " WHERE key = $1 AND length(wrapped) > 0 LIMIT 1";
static const char upsert_key[] =
    "INSERT INTO wrapped_keys (key, kek_version, digest, wrapped, check_value, mac)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key, kek_version, digest) DO UPDATE SET"
    " wrapped = excluded.wrapped, check_value = excluded.check_value, mac = excluded.mac";

static const char update_refused[] = "UPDATE wrapped_keys SET refused = refused + 1"
                                     " WHERE key = $1 AND kek_version = $2 AND digest = $3";
static const char select_less[] =
    "SELECT 1 FROM wrapped_keys x JOIN wrapped_keys y ON y.key = x.key AND y.refused < x.refused"
    " WHERE x.key = $1 AND x.kek_version = $2 AND x.digest = $3 AND length(y.wrapped) > 0";

struct kw_result kw_wrapped_key_left(struct kw_tx *tx, struct kw_id key,
                                     struct kw_wrapped_key_row *ret_row, bool *ret_found,
                                     struct kw_error *err)
{
    struct kw_wrapped_key_row row = {.key = key};
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_left, &stmt, err));
    kw_bind_id(stmt, 1, &key);
    KW_TRY(kw_step(stmt, ret_found, err));
    if (!*ret_found) {
        return KW_OK;
    }
    row.kek_version = (uint32_t)kw_col_i64(stmt, 0);
    KW_TRY(kw_row_fixed(stmt, 1, row.digest, sizeof(row.digest), err));
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_wrapped_key_put(struct kw_tx *tx, const struct kw_wrapped_key_row *row,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_key, &stmt, err));
    kw_bind_id(stmt, 1, &row->key);
    kw_bind_i64(stmt, 2, row->kek_version);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(row->digest));
    kw_bind_blob(stmt, 4, row->wrapped);
    kw_bind_blob(stmt, 5, row->check_value);
    kw_bind_blob(stmt, 6, row->mac);
    return kw_exec(stmt, NULL, err);
}

static void bind_name(struct kw_stmt *stmt, const struct kw_wrapped_key_row *row)
{
    kw_bind_id(stmt, 1, &row->key);
    kw_bind_i64(stmt, 2, row->kek_version);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(row->digest));
}

struct kw_result kw_wrapped_key_refused(struct kw_tx *tx, const struct kw_wrapped_key_row *row,
                                        bool *ret_turned, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool less;

    KW_TRY(kw_sql(tx, update_refused, &stmt, err));
    bind_name(stmt, row);
    KW_TRY(kw_exec(stmt, NULL, err));
    KW_TRY(kw_sql(tx, select_less, &stmt, err));
    bind_name(stmt, row);
    KW_TRY(kw_step(stmt, &less, err));
    *ret_turned = !less;
    return KW_OK;
}
