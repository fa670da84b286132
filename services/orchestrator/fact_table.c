/* SQL of table facts. */
#include "services/orchestrator/fact_table.h"

#define SELECT_FACT "SELECT record, mac, justification FROM facts"

static const char count_of_key[] = "SELECT count(*) FROM facts WHERE key = $1";
static const char select_of_key[] =
    SELECT_FACT " WHERE key = $1 ORDER BY time_ms, kind, suspension";
static const char select_walk[] =
    SELECT_FACT " WHERE (time_ms, key, kind, suspension) > ($1, $2, $3, $4) AND time_ms < $5"
                " ORDER BY time_ms, key, kind, suspension LIMIT $6";
static const char upsert_fact[] =
    "INSERT INTO facts (key, kind, suspension, time_ms, record, mac, justification)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key, kind, suspension) DO UPDATE SET"
    " time_ms = excluded.time_ms, record = excluded.record, mac = excluded.mac,"
    " justification = excluded.justification";

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_fact_row *ret_row, struct kw_error *err)
{
    struct kw_fact_row row = {0};
    struct kw_error inner = {0};

    KW_TRY(kw_row_bytes(stmt, 0, arena, &row.record, err));
    KW_TRY(kw_row_bytes(stmt, 1, arena, &row.mac, err));
    KW_TRY(kw_row_text(stmt, 2, arena, &row.justification, err));
    KW_ENSURE(kw_ok(kw_fact_decode(row.record, &row.fact, &inner)), err, INTERNAL,
              "what is stored is no fact: %s", inner.message);
    *ret_row = row;
    return KW_OK;
}

static struct kw_result read_rows(struct kw_stmt *stmt, struct kw_arena *arena,
                                  struct kw_fact_row *rows, size_t max, size_t *ret_count,
                                  struct kw_error *err)
{
    size_t count = 0;
    bool found = true;

    while (count < max) {
        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(read_row(stmt, arena, &rows[count], err));
        count++;
    }
    *ret_count = count;
    return KW_OK;
}

static struct kw_result count_facts(struct kw_tx *tx, const struct kw_id *key, size_t *ret_count,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, count_of_key, &stmt, err));
    kw_bind_id(stmt, 1, key);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_count = (size_t)kw_col_i64(stmt, 0);
    return KW_OK;
}

struct kw_result kw_fact_list(struct kw_tx *tx, struct kw_id key, struct kw_arena *arena,
                              struct kw_fact_list *ret_list, struct kw_error *err)
{
    struct kw_fact_list list = {0};
    struct kw_stmt *stmt;
    size_t max;

    KW_TRY(count_facts(tx, &key, &max, err));
    list.rows = kw_arena_alloc(arena, (max + 1) * sizeof(*list.rows));
    KW_ENSURE(list.rows != NULL, err, MEMORY, "%zu facts", max);
    KW_TRY(kw_sql(tx, select_of_key, &stmt, err));
    kw_bind_id(stmt, 1, &key);
    KW_TRY(read_rows(stmt, arena, list.rows, max, &list.count, err));
    for (size_t i = 0; i < list.count; i++) {
        KW_ENSURE(kw_id_equal(list.rows[i].fact.key, key), err, INTERNAL,
                  "a fact of another key is stored under this one");
        KW_TRY(kw_state_add(&list.state, &list.rows[i].fact, err));
    }
    *ret_list = list;
    return KW_OK;
}

struct kw_result kw_fact_put(struct kw_tx *tx, const struct kw_fact_row *row, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_fact, &stmt, err));
    kw_bind_id(stmt, 1, &row->fact.key);
    kw_bind_i64(stmt, 2, row->fact.kind);
    kw_bind_id(stmt, 3, &row->fact.ref);
    kw_bind_i64(stmt, 4, (int64_t)row->fact.time_ms);
    kw_bind_blob(stmt, 5, row->record);
    kw_bind_blob(stmt, 6, row->mac);
    kw_bind_text(stmt, 7, row->justification);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_fact_list_etag(const struct kw_fact_list *list, char ret_etag[KW_ETAG_SIZE],
                                   struct kw_error *err)
{
    KW_SCOPED(kw_digest_done) struct kw_digest digest = {0};
    uint8_t hash[KW_SHA256_LEN];

    KW_TRY(kw_digest_init(&digest, KW_DIGEST_SHA256, err));
    for (size_t i = 0; i < list->count; i++) {
        KW_TRY(kw_digest_update(&digest, list->rows[i].record, err));
    }
    KW_TRY(kw_digest_final(&digest, hash, err));
    kw_hex(KW_BYTES(hash, (KW_ETAG_SIZE - 1) / 2), ret_etag);
    return KW_OK;
}

struct kw_result kw_fact_walk(struct kw_tx *tx, struct kw_fact_cursor *cursor, uint64_t end_ms,
                              size_t max, struct kw_arena *arena, struct kw_fact_row *rows,
                              size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_walk, &stmt, err));
    kw_bind_i64(stmt, 1, (int64_t)cursor->time_ms);
    kw_bind_id(stmt, 2, &cursor->key);
    kw_bind_i64(stmt, 3, cursor->kind);
    kw_bind_id(stmt, 4, &cursor->suspension);
    kw_bind_i64(stmt, 5, (int64_t)end_ms);
    kw_bind_i64(stmt, 6, (int64_t)max);
    KW_TRY(read_rows(stmt, arena, rows, max, ret_count, err));
    if (*ret_count > 0) {
        const struct kw_fact *last = &rows[*ret_count - 1].fact;

        *cursor = (struct kw_fact_cursor){.time_ms = last->time_ms,
                                          .key = last->key,
                                          .kind = (uint32_t)last->kind,
                                          .suspension = last->ref};
    }
    return KW_OK;
}
