/* SQL of table officers. */
#include "services/authz/officer_table.h"

static const char insert_one[] =
    "INSERT INTO officers (fingerprint) VALUES ($1) ON CONFLICT (fingerprint) DO NOTHING";
static const char delete_one[] = "DELETE FROM officers WHERE fingerprint = $1";
static const char select_page[] =
    "SELECT fingerprint FROM officers WHERE fingerprint > $1 ORDER BY fingerprint LIMIT $2";

static struct kw_result run_with(struct kw_tx *tx, const char *sql, const uint8_t *fingerprint,
                                 struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    kw_bind_blob(stmt, 1, KW_BYTES(fingerprint, KW_SHA256_LEN));
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_officer_insert(struct kw_tx *tx, const uint8_t fingerprint[KW_SHA256_LEN],
                                   struct kw_error *err)
{
    return run_with(tx, insert_one, fingerprint, err);
}

struct kw_result kw_officer_delete(struct kw_tx *tx, const uint8_t fingerprint[KW_SHA256_LEN],
                                   struct kw_error *err)
{
    return run_with(tx, delete_one, fingerprint, err);
}

struct kw_result kw_officer_list(struct kw_tx *tx, struct kw_bytes after, size_t max,
                                 uint8_t (*fingerprints)[KW_SHA256_LEN], size_t *ret_count,
                                 struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    *ret_count = 0;
    KW_TRY(kw_sql(tx, select_page, &stmt, err));
    kw_bind_blob(stmt, 1, after);
    kw_bind_i64(stmt, 2, (int64_t)max);
    KW_TRY(kw_step(stmt, &found, err));
    while (found) {
        KW_TRY(kw_row_fixed(stmt, 0, fingerprints[*ret_count], KW_SHA256_LEN, err));
        *ret_count += 1;
        KW_TRY(kw_step(stmt, &found, err));
    }
    return KW_OK;
}
