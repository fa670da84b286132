/* SQL of table disabling_facts. */
#include "services/authz/disabled_table.h"

#include "common/feed/intent.h"
#include "common/sync/record_value.h"
#include "services/authz/disabled_merge.h"

#define KEY_LEN (KW_ID_LEN + KW_ID_LEN + 1 + KW_ID_LEN)

static const char put_fact[] =
    "INSERT INTO disabling_facts (device, key, kind, suspension, record)"
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (device, key, kind, suspension) DO UPDATE"
    " SET record = excluded.record";
static const char select_facts[] =
    "SELECT record FROM disabling_facts WHERE device = $1 ORDER BY key, kind, suspension";
static const char count_facts[] = "SELECT count(*) FROM disabling_facts WHERE device = $1";

/* --- saying --- */

struct kw_result kw_disabled_insert(const struct kw_feed_tx *feed_tx, struct kw_id device,
                                    struct kw_bytes record, struct kw_error *err)
{
    uint8_t key[KEY_LEN];
    struct kw_intent intent = kw_intent(&kw_disabled_record, KW_BYTES_OF(key), feed_tx->arena);
    struct kw_record present;
    struct kw_fact fact;
    bool found;

    KW_TRY(kw_fact_decode(record, &fact, err));
    KW_ENSURE(!kw_fact_kind_enabling(fact.kind), err, ARGUMENT_INVALID, "an enabling fact: %s",
              kw_fact_kind_name(fact.kind));
    kw_copy(key, device.bytes, KW_ID_LEN);
    kw_copy(key + KW_ID_LEN, fact.key.bytes, KW_ID_LEN);
    key[2 * KW_ID_LEN] = (uint8_t)fact.kind;
    kw_copy(key + 2 * KW_ID_LEN + 1, fact.ref.bytes, KW_ID_LEN);
    KW_TRY(kw_feed_find(feed_tx->tx, &kw_disabled_record, KW_BYTES_OF(key), feed_tx->arena,
                        &present, &found, err));
    if (found) {
        return KW_OK;
    }
    kw_intent_first(&intent, KW_DISABLED_FIELD_STATEMENT, feed_tx->feed, feed_tx->wall_ms, record);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* --- columns --- */

/* What its key says of it. */
static bool fact_of(struct kw_bytes key, struct kw_bytes statement)
{
    struct kw_fact fact;

    return key.len == KEY_LEN && kw_ok(kw_fact_decode(statement, &fact, NULL)) &&
           !kw_fact_kind_enabling(fact.kind) && key.data[2 * KW_ID_LEN] == fact.kind &&
           kw_bytes_equal(KW_BYTES(key.data + KW_ID_LEN, KW_ID_LEN), kw_id_bytes(&fact.key)) &&
           kw_bytes_equal(KW_BYTES(key.data + 2 * KW_ID_LEN + 1, KW_ID_LEN),
                          kw_id_bytes(&fact.ref));
}

struct kw_result kw_disabled_check(const struct kw_record *record, struct kw_error *err)
{
    struct kw_record_values values = {.record = record};
    struct kw_first statement;

    kw_values_require(&values, kw_value_first(&values, KW_DISABLED_FIELD_STATEMENT, &statement) &&
                                   fact_of(record->key, statement.detail));
    return kw_values_end(&values, err);
}

bool kw_disabled_disables(const struct kw_record *change)
{
    return kw_record_has(change, KW_DISABLED_FIELD_STATEMENT);
}

struct kw_result kw_disabled_project(struct kw_tx *tx, const struct kw_record *merged,
                                     struct kw_arena *arena, struct kw_error *err)
{
    struct kw_record_values values = {.record = merged, .arena = arena};
    const uint8_t *key = merged->key.data;
    struct kw_first statement;
    struct kw_stmt *stmt;

    KW_TRY(kw_disabled_check(merged, err));
    (void)kw_value_first(&values, KW_DISABLED_FIELD_STATEMENT, &statement);
    KW_TRY(kw_sql(tx, put_fact, &stmt, err));
    kw_bind_blob(stmt, 1, KW_BYTES(key, KW_ID_LEN));
    kw_bind_blob(stmt, 2, KW_BYTES(key + KW_ID_LEN, KW_ID_LEN));
    kw_bind_i64(stmt, 3, key[2 * KW_ID_LEN]);
    kw_bind_blob(stmt, 4, KW_BYTES(key + 2 * KW_ID_LEN + 1, KW_ID_LEN));
    kw_bind_blob(stmt, 5, statement.detail);
    return kw_exec(stmt, NULL, err);
}

/* --- asking --- */

struct kw_result kw_disabled_collect(struct kw_tx *tx, struct kw_id device,
                                     struct kw_capsule *capsule, struct kw_buf *list,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_facts, &stmt, err));
    kw_bind_id(stmt, 1, &device);
    KW_TRY(kw_step(stmt, &found, err));
    while (found) {
        struct kw_fact fact;

        KW_TRY(kw_fact_decode(kw_col_blob(stmt, 0), &fact, err));
        KW_TRY(kw_capsule_disabled_add(capsule, list, &fact, err));
        KW_TRY(kw_step(stmt, &found, err));
    }
    return KW_OK;
}

struct kw_result kw_disabled_count(struct kw_tx *tx, struct kw_id device, uint32_t *ret_count,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, count_facts, &stmt, err));
    kw_bind_id(stmt, 1, &device);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_count = (uint32_t)kw_col_i64(stmt, 0);
    return KW_OK;
}
