/* SQL of table audit. */
#include "services/authz/audit_table.h"

static const char insert_entry[] =
    "INSERT INTO audit (time_ms, caller, certificate, peer, method, subject, body, signature)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

struct kw_result kw_audit_insert(struct kw_tx *tx, const struct kw_audit_entry *entry,
                                 struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_entry, &stmt, err));
    kw_bind_i64(stmt, 1, (int64_t)entry->time_ms);
    kw_bind_text(stmt, 2, entry->caller);
    kw_bind_blob(stmt, 3, entry->certificate);
    kw_bind_text(stmt, 4, entry->peer);
    kw_bind_i64(stmt, 5, entry->method);
    kw_bind_text(stmt, 6, entry->subject);
    kw_bind_blob(stmt, 7, entry->body);
    kw_bind_blob(stmt, 8, entry->signature);
    return kw_exec(stmt, NULL, err);
}
