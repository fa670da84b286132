/* Grants: what is said of one, and the columns that follow. */
#include "common/base/limits.h"
#include "common/feed/intent.h"
#include "common/sync/record_value.h"
#include "services/authz/grant_merge.h"
#include "services/authz/grant_table.h"

#define OPERATIONS_ALL (KW_GRANT_RELEASE | KW_GRANT_DERIVE)
#define PAGE_LEN       64

/* --- saying --- */

static struct kw_intent intent_for(const struct kw_feed_tx *feed_tx, const struct kw_id *id)
{
    return kw_intent(&kw_grant_record, kw_id_bytes(id), feed_tx->arena);
}

static void put_terms(struct kw_intent *intent, const struct kw_grant_row *row)
{
    kw_intent_u64(intent, KW_GRANT_FIELD_OPERATIONS, row->operations);
    kw_intent_text(intent, KW_GRANT_FIELD_PURPOSE, row->purpose);
    kw_intent_u64(intent, KW_GRANT_FIELD_START, row->start_ms);
    kw_intent_u64(intent, KW_GRANT_FIELD_END, row->end_ms);
    kw_intent_u64(intent, KW_GRANT_FIELD_MAX_OPERATIONS, row->max_operations);
    kw_intent_u64(intent, KW_GRANT_FIELD_WINDOW, row->window_ms);
    kw_intent_text(intent, KW_GRANT_FIELD_REGIONS, row->regions);
    kw_intent_u64(intent, KW_GRANT_FIELD_STRICT, row->strict);
    kw_intent_u64(intent, KW_GRANT_FIELD_NO_CACHE, row->no_cache);
    kw_intent_text(intent, KW_GRANT_FIELD_JUSTIFICATION, row->justification);
}

struct kw_result kw_grant_insert(const struct kw_feed_tx *feed_tx, const struct kw_grant_row *row,
                                 const struct kw_id *devices, size_t device_count,
                                 struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &row->id);

    kw_intent_id(&intent, KW_GRANT_FIELD_PARTNER, &row->partner);
    kw_intent_u64(&intent, KW_GRANT_FIELD_SCOPE, row->scope);
    if (row->scope == KW_SCOPE_BODY) {
        kw_intent_bytes(&intent, KW_GRANT_FIELD_DEVICES,
                        KW_BYTES(devices, device_count * sizeof(*devices)));
    } else {
        kw_intent_id(&intent, KW_GRANT_FIELD_SCOPE_ID, &row->scope_id);
    }
    put_terms(&intent, row);
    kw_intent_u64(&intent, KW_GRANT_FIELD_CREATED, row->created_ms);
    if (row->seen.len > 0) {
        kw_intent_bytes(&intent, KW_GRANT_FIELD_SEEN, row->seen);
    }
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_grant_revoke(const struct kw_feed_tx *feed_tx, struct kw_id id, uint64_t now_ms,
                                 const char *justification, struct kw_error *err)
{
    struct kw_intent intent = intent_for(feed_tx, &id);

    kw_intent_first(&intent, KW_GRANT_FIELD_REVOKED, feed_tx->feed, now_ms,
                    kw_bytes_str(justification));
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* --- columns --- */

static void read_terms(struct kw_record_values *values, struct kw_grant_row *row)
{
    row->operations = (unsigned)kw_value_u64(values, KW_GRANT_FIELD_OPERATIONS, OPERATIONS_ALL);
    row->purpose = kw_value_text(values, KW_GRANT_FIELD_PURPOSE);
    row->start_ms = kw_value_u64(values, KW_GRANT_FIELD_START, INT64_MAX);
    row->end_ms = kw_value_u64(values, KW_GRANT_FIELD_END, INT64_MAX);
    row->max_operations = kw_value_u64(values, KW_GRANT_FIELD_MAX_OPERATIONS, INT64_MAX);
    row->window_ms = kw_value_u64(values, KW_GRANT_FIELD_WINDOW, INT64_MAX);
    row->regions = kw_value_text(values, KW_GRANT_FIELD_REGIONS);
    row->strict = kw_value_u64(values, KW_GRANT_FIELD_STRICT, 1) != 0;
    row->no_cache = kw_value_u64(values, KW_GRANT_FIELD_NO_CACHE, 1) != 0;
    row->justification = kw_value_text(values, KW_GRANT_FIELD_JUSTIFICATION);
}

/* False: not all of it is here; a revocation goes ahead. */
static bool read_grant(struct kw_record_values *values, struct kw_grant_row *row)
{
    struct kw_bytes devices = kw_record_value(values->record, KW_GRANT_FIELD_DEVICES);
    struct kw_first revoked;

    row->partner = kw_value_id(values, KW_GRANT_FIELD_PARTNER);
    row->scope = (enum kw_scope)kw_value_u64(values, KW_GRANT_FIELD_SCOPE, KW_SCOPE_PRODUCT);
    row->scope_id = kw_value_id(values, KW_GRANT_FIELD_SCOPE_ID);
    kw_values_require(values, devices.len % KW_ID_LEN == 0 &&
                                  devices.len <= KW_GRANT_DEVICES_MAX * KW_ID_LEN);
    read_terms(values, row);
    row->created_ms = kw_value_u64(values, KW_GRANT_FIELD_CREATED, INT64_MAX);
    row->revoke_justification = "";
    if (kw_value_first(values, KW_GRANT_FIELD_REVOKED, &revoked)) {
        row->revoked_ms = revoked.time_ms > 0 ? revoked.time_ms : 1; /* it is, whatever the time */
        row->revoke_justification = kw_values_words(values, revoked.detail);
    }
    row->seen = kw_record_value(values->record, KW_GRANT_FIELD_SEEN);
    return !kw_id_is_none(row->partner) && row->scope != 0 && row->operations != 0 &&
           row->end_ms != 0;
}

struct kw_result kw_grant_check(const struct kw_record *record, struct kw_error *err)
{
    struct kw_record_values values = {.record = record};
    struct kw_grant_row row;

    kw_values_require(&values, record->key.len == KW_ID_LEN);
    (void)read_grant(&values, &row);
    return kw_values_end(&values, err);
}

bool kw_grant_disables(const struct kw_record *change)
{
    return kw_grant_record_revoked(change);
}

static const char put_grant[] =
    "INSERT INTO grants (id, partner, scope, scope_id, operations, purpose, start_ms, end_ms,"
    " max_operations, window_ms, regions, strict, no_cache, justification, created_ms, seen,"
    " revoked_ms, revoke_justification, overruled)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,"
    " $19) ON CONFLICT (id) DO UPDATE SET partner = excluded.partner, scope = excluded.scope,"
    " scope_id = excluded.scope_id, operations = excluded.operations, purpose = excluded.purpose,"
    " start_ms = excluded.start_ms, end_ms = excluded.end_ms,"
    " max_operations = excluded.max_operations, window_ms = excluded.window_ms,"
    " regions = excluded.regions, strict = excluded.strict, no_cache = excluded.no_cache,"
    " justification = excluded.justification, created_ms = excluded.created_ms,"
    " seen = excluded.seen, revoked_ms = excluded.revoked_ms,"
    " revoke_justification = excluded.revoke_justification, overruled = excluded.overruled";

static void bind_terms(struct kw_stmt *stmt, const struct kw_grant_row *row)
{
    kw_bind_i64(stmt, 5, row->operations);
    kw_bind_text(stmt, 6, row->purpose);
    kw_bind_i64(stmt, 7, (int64_t)row->start_ms);
    kw_bind_i64(stmt, 8, (int64_t)row->end_ms);
    kw_bind_i64(stmt, 9, (int64_t)row->max_operations);
    kw_bind_i64(stmt, 10, (int64_t)row->window_ms);
    kw_bind_text(stmt, 11, row->regions);
    kw_bind_i64(stmt, 12, row->strict);
    kw_bind_i64(stmt, 13, row->no_cache);
    kw_bind_text(stmt, 14, row->justification);
}

static struct kw_result put_row(struct kw_tx *tx, struct kw_bytes id,
                                const struct kw_grant_row *row, bool revoked, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, put_grant, &stmt, err));
    kw_bind_blob(stmt, 1, id);
    kw_bind_id(stmt, 2, &row->partner);
    kw_bind_i64(stmt, 3, row->scope);
    kw_bind_id(stmt, 4, &row->scope_id);
    bind_terms(stmt, row);
    kw_bind_i64(stmt, 15, (int64_t)row->created_ms);
    kw_bind_blob(stmt, 16, row->seen);
    if (revoked) {
        kw_bind_i64(stmt, 17, (int64_t)row->revoked_ms);
        kw_bind_text(stmt, 18, row->revoke_justification);
    }
    kw_bind_i64(stmt, 19, row->overruled);
    return kw_exec(stmt, NULL, err);
}

static const char delete_devices[] = "DELETE FROM grant_devices WHERE grant_id = $1";
static const char put_device[] = "INSERT INTO grant_devices (device, grant_id) VALUES ($1, $2)"
                                 " ON CONFLICT (device, grant_id) DO NOTHING";

/* They never change, but where two cells made two grants under one id, which is a fault. */
static struct kw_result put_devices(struct kw_tx *tx, struct kw_id id, struct kw_bytes devices,
                                    struct kw_arena *arena, struct kw_error *err)
{
    struct kw_id *present = NULL;
    size_t count = 0;
    struct kw_stmt *stmt;

    KW_TRY(kw_grant_devices(tx, id, arena, &present, &count, err));
    if (kw_bytes_equal(KW_BYTES(present, count * KW_ID_LEN), devices)) {
        return KW_OK;
    }
    KW_TRY(kw_sql(tx, delete_devices, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    KW_TRY(kw_exec(stmt, NULL, err));
    for (size_t at = 0; at < devices.len; at += KW_ID_LEN) {
        KW_TRY(kw_sql(tx, put_device, &stmt, err));
        kw_bind_blob(stmt, 1, KW_BYTES(devices.data + at, KW_ID_LEN));
        kw_bind_id(stmt, 2, &id);
        KW_TRY(kw_exec(stmt, NULL, err));
    }
    return KW_OK;
}

static const char select_revoke_all[] = "SELECT revoke_all FROM members WHERE id = $1";

/* A partner that is not known yet has revoked nothing, as far as we know. */
static struct kw_result is_overruled(struct kw_tx *tx, const struct kw_grant_row *row,
                                     bool *ret_overruled, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_revoke_all, &stmt, err));
    kw_bind_id(stmt, 1, &row->partner);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_overruled = found && !kw_grant_knew(row->seen, kw_col_blob(stmt, 0));
    return KW_OK;
}

struct kw_result kw_grant_project(struct kw_tx *tx, const struct kw_record *merged,
                                  struct kw_arena *arena, struct kw_error *err)
{
    struct kw_record_values values = {.record = merged, .arena = arena};
    struct kw_grant_row row = {0};
    bool whole = read_grant(&values, &row);

    KW_TRY(kw_values_end(&values, err));
    if (!whole) {
        return KW_OK;
    }
    kw_copy(row.id.bytes, merged->key.data, KW_ID_LEN);
    KW_TRY(is_overruled(tx, &row, &row.overruled, err));
    KW_TRY(put_row(tx, merged->key, &row, kw_grant_record_revoked(merged), err));
    return put_devices(tx, row.id, kw_record_value(merged, KW_GRANT_FIELD_DEVICES), arena, err);
}

/* --- all grants of a partner --- */

static const char select_seen[] =
    "SELECT id, seen FROM grants WHERE partner = $1 AND id > $2 AND overruled = 0"
    " ORDER BY id LIMIT $3";
static const char set_overruled[] = "UPDATE grants SET overruled = $2 WHERE id = $1";

/* A page of grants that do not know of it. One that is overruled stays so: what is revoked only grows. `*ret_more`
 * false: there are no more grants. */
static struct kw_result find_unknowing(struct kw_tx *tx, struct kw_bytes partner,
                                       struct kw_bytes revoke_all, struct kw_id *after,
                                       struct kw_id *ids, size_t *ret_count, bool *ret_more,
                                       struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t seen = 0;

    *ret_count = 0;
    KW_TRY(kw_sql(tx, select_seen, &stmt, err));
    kw_bind_blob(stmt, 1, partner);
    kw_bind_id(stmt, 2, after);
    kw_bind_i64(stmt, 3, PAGE_LEN);
    KW_TRY(kw_step(stmt, ret_more, err));
    while (*ret_more) {
        struct kw_id id;

        KW_TRY(kw_col_id(stmt, 0, &id, err));
        if (!kw_grant_knew(kw_col_blob(stmt, 1), revoke_all)) {
            ids[(*ret_count)++] = id;
        }
        seen++;
        *after = id;
        KW_TRY(kw_step(stmt, ret_more, err));
    }
    *ret_more = seen == PAGE_LEN;
    return KW_OK;
}

struct kw_result kw_grant_overrule(struct kw_tx *tx, struct kw_bytes partner,
                                   struct kw_bytes revoke_all, struct kw_error *err)
{
    struct kw_id ids[PAGE_LEN];
    struct kw_id after = KW_ID_NONE;
    size_t count = 0;
    bool more = true;

    while (more) {
        KW_TRY(find_unknowing(tx, partner, revoke_all, &after, ids, &count, &more, err));
        for (size_t i = 0; i < count; i++) {
            struct kw_stmt *stmt;

            KW_TRY(kw_sql(tx, set_overruled, &stmt, err));
            kw_bind_id(stmt, 1, &ids[i]);
            kw_bind_i64(stmt, 2, true);
            KW_TRY(kw_exec(stmt, NULL, err));
        }
    }
    return KW_OK;
}
