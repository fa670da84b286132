/* SQL of table disabling_facts. */
#include "services/authz/disabled_table.h"

static const char insert_fact[] =
    "INSERT INTO disabling_facts (device, key, kind, suspension, record, store)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (device, key, kind, suspension) DO NOTHING";
static const char select_facts[] =
    "SELECT record FROM disabling_facts WHERE device = $1 ORDER BY key, kind, suspension";
static const char count_facts[] = "SELECT count(*) FROM disabling_facts WHERE device = $1";

struct kw_result kw_disabled_insert(struct kw_tx *tx, struct kw_id device, struct kw_bytes record,
                                    const struct kw_stamp *stamp, struct kw_error *err)
{
    struct kw_fact fact;
    struct kw_stmt *stmt;

    KW_TRY(kw_fact_decode(record, &fact, err));
    KW_ENSURE(!kw_fact_kind_enabling(fact.kind), err, ARGUMENT_INVALID, "an enabling fact: %s",
              kw_fact_kind_name(fact.kind));
    KW_TRY(kw_sql(tx, insert_fact, &stmt, err));
    kw_bind_id(stmt, 1, &device);
    kw_bind_id(stmt, 2, &fact.key);
    kw_bind_i64(stmt, 3, fact.kind);
    kw_bind_id(stmt, 4, &fact.ref);
    kw_bind_blob(stmt, 5, record);
    kw_bind_id(stmt, 6, &stamp->store);
    return kw_exec(stmt, NULL, err);
}

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
