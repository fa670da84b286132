/* SQL of table denials. */
#include "services/authz/denial_table.h"

static const char insert_denial[] =
    "INSERT INTO denials (boot, seq, time_ms, fingerprint, caller, peer, method, reason, detail,"
    " times) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

struct kw_result kw_denial_insert(struct kw_tx *tx, const struct kw_id *boot,
                                  const struct kw_denial *denial, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_denial, &stmt, err));
    kw_bind_id(stmt, 1, boot);
    kw_bind_i64(stmt, 2, (int64_t)denial->seq);
    kw_bind_i64(stmt, 3, (int64_t)denial->time_ms);
    kw_bind_blob(stmt, 4, KW_BYTES_OF(denial->fingerprint));
    kw_bind_text(stmt, 5, denial->caller);
    kw_bind_text(stmt, 6, denial->peer);
    kw_bind_i64(stmt, 7, denial->method);
    kw_bind_text(stmt, 8, denial->reason);
    kw_bind_text(stmt, 9, denial->detail);
    kw_bind_i64(stmt, 10, (int64_t)denial->times);
    return kw_exec(stmt, NULL, err);
}
