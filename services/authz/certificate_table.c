/* SQL of table certificates. */
#include "services/authz/certificate_table.h"

#include "common/feed/intent.h"
#include "common/sync/record_value.h"
#include "services/authz/certificate_merge.h"

#define PAGE_LEN 64

static const char select_one[] =
    "SELECT role, owner, start_ms, expire_ms, created_ms, stopped FROM certificates"
    " WHERE fingerprint = $1";
static const char select_owner[] =
    "SELECT fingerprint FROM certificates WHERE owner = $1 AND fingerprint > $2 AND revoked = 0"
    " ORDER BY fingerprint LIMIT $3";
static const char put_certificate[] =
    "INSERT INTO certificates (fingerprint, name, role, owner, start_ms, expire_ms, created_ms,"
    " revoked, stopped) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    " ON CONFLICT (fingerprint) DO UPDATE SET name = excluded.name, role = excluded.role,"
    " owner = excluded.owner, start_ms = excluded.start_ms, expire_ms = excluded.expire_ms,"
    " created_ms = excluded.created_ms, revoked = excluded.revoked, stopped = excluded.stopped";

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
        row.revoked = kw_col_i64(stmt, 5) != 0;
        *ret_row = row;
    }
    *ret_found = found;
    return KW_OK;
}

/* --- saying --- */

struct kw_result kw_certificate_insert(const struct kw_feed_tx *feed_tx,
                                       const struct kw_certificate_row *row, struct kw_error *err)
{
    struct kw_intent intent =
        kw_intent(&kw_certificate_record, KW_BYTES_OF(row->fingerprint), feed_tx->arena);
    struct kw_certificate_row present;
    bool found;

    KW_TRY(kw_certificate_find(feed_tx->tx, row->fingerprint, &present, &found, err));
    if (found) {
        return KW_OK;
    }
    kw_intent_text(&intent, KW_CERTIFICATE_FIELD_NAME, row->name);
    kw_intent_u64(&intent, KW_CERTIFICATE_FIELD_ROLE, row->role);
    kw_intent_id(&intent, KW_CERTIFICATE_FIELD_OWNER, &row->owner);
    kw_intent_u64(&intent, KW_CERTIFICATE_FIELD_START, row->start_ms);
    kw_intent_u64(&intent, KW_CERTIFICATE_FIELD_EXPIRE, row->expire_ms);
    kw_intent_first(&intent, KW_CERTIFICATE_FIELD_KNOWN, feed_tx->feed, row->created_ms,
                    KW_BYTES_NONE);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_certificate_revoke(const struct kw_feed_tx *feed_tx,
                                       const uint8_t fingerprint[KW_SHA256_LEN], uint64_t now_ms,
                                       struct kw_error *err)
{
    struct kw_intent intent =
        kw_intent(&kw_certificate_record, KW_BYTES(fingerprint, KW_SHA256_LEN), feed_tx->arena);

    kw_intent_first(&intent, KW_CERTIFICATE_FIELD_REVOKED, feed_tx->feed, now_ms, KW_BYTES_NONE);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* The next fingerprints of an owner, behind the last one of the page before. */
static struct kw_result page_read(struct kw_tx *tx, const struct kw_id *owner, const uint8_t *after,
                                  uint8_t (*page)[KW_SHA256_LEN], size_t *ret_count,
                                  struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    *ret_count = 0;
    KW_TRY(kw_sql(tx, select_owner, &stmt, err));
    kw_bind_id(stmt, 1, owner);
    kw_bind_blob(stmt, 2, KW_BYTES(after, KW_SHA256_LEN));
    kw_bind_i64(stmt, 3, PAGE_LEN);
    KW_TRY(kw_step(stmt, &found, err));
    while (found) {
        KW_TRY(kw_row_fixed(stmt, 0, page[*ret_count], KW_SHA256_LEN, err));
        *ret_count += 1;
        KW_TRY(kw_step(stmt, &found, err));
    }
    return KW_OK;
}

struct kw_result kw_certificate_revoke_all(const struct kw_feed_tx *feed_tx, struct kw_id owner,
                                           uint64_t now_ms, int64_t *ret_count,
                                           struct kw_error *err)
{
    uint8_t page[PAGE_LEN][KW_SHA256_LEN];
    uint8_t after[KW_SHA256_LEN] = {0};
    size_t count = PAGE_LEN;

    *ret_count = 0;
    while (count == PAGE_LEN) {
        KW_TRY(page_read(feed_tx->tx, &owner, after, page, &count, err));
        for (size_t i = 0; i < count; i++) {
            KW_TRY(kw_certificate_revoke(feed_tx, page[i], now_ms, err));
            kw_copy(after, page[i], sizeof(after));
        }
        *ret_count += (int64_t)count;
    }
    return KW_OK;
}

/* --- columns --- */

/* False: not all of it is here; a revocation goes ahead. */
static bool read_certificate(struct kw_record_values *values, struct kw_certificate_row *row)
{
    struct kw_first known;
    struct kw_first revoked;

    row->name = kw_value_text(values, KW_CERTIFICATE_FIELD_NAME);
    row->role = (enum kw_caller_role)kw_value_u64(values, KW_CERTIFICATE_FIELD_ROLE, UINT16_MAX);
    row->owner = kw_value_id(values, KW_CERTIFICATE_FIELD_OWNER);
    row->start_ms = kw_value_u64(values, KW_CERTIFICATE_FIELD_START, INT64_MAX);
    row->expire_ms = kw_value_u64(values, KW_CERTIFICATE_FIELD_EXPIRE, INT64_MAX);
    (void)kw_value_first(values, KW_CERTIFICATE_FIELD_KNOWN, &known);
    (void)kw_value_first(values, KW_CERTIFICATE_FIELD_REVOKED, &revoked);
    row->created_ms = known.time_ms;
    row->revoked = kw_certificate_record_revoked(values->record);
    return row->role != 0 && !kw_id_is_none(row->owner);
}

struct kw_result kw_certificate_check(const struct kw_record *record, struct kw_error *err)
{
    struct kw_record_values values = {.record = record};
    struct kw_certificate_row row;

    kw_values_require(&values, record->key.len == KW_SHA256_LEN);
    (void)read_certificate(&values, &row);
    return kw_values_end(&values, err);
}

bool kw_certificate_disables(const struct kw_record *change)
{
    return kw_certificate_record_stopped(change);
}

struct kw_result kw_certificate_project(struct kw_tx *tx, const struct kw_record *merged,
                                        struct kw_arena *arena, struct kw_error *err)
{
    struct kw_record_values values = {.record = merged, .arena = arena};
    struct kw_certificate_row row;
    bool whole = read_certificate(&values, &row);
    struct kw_stmt *stmt;

    KW_TRY(kw_values_end(&values, err));
    if (!whole) {
        return KW_OK;
    }
    KW_TRY(kw_sql(tx, put_certificate, &stmt, err));
    kw_bind_blob(stmt, 1, merged->key);
    kw_bind_text(stmt, 2, row.name);
    kw_bind_i64(stmt, 3, row.role);
    kw_bind_id(stmt, 4, &row.owner);
    kw_bind_i64(stmt, 5, (int64_t)row.start_ms);
    kw_bind_i64(stmt, 6, (int64_t)row.expire_ms);
    kw_bind_i64(stmt, 7, (int64_t)row.created_ms);
    kw_bind_i64(stmt, 8, row.revoked);
    kw_bind_i64(stmt, 9, kw_certificate_record_stopped(merged));
    return kw_exec(stmt, NULL, err);
}
