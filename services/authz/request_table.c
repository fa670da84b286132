/* SQL of table requests. */
#include "services/authz/request_table.h"

#include "common/feed/instance.h"
#include "common/feed/intent.h"
#include "common/sync/record_value.h"
#include "services/authz/request_merge.h"

#define KEY_LEN (KW_ID_LEN + 4 + KW_ID_LEN)

static const char select_request[] = "SELECT body_hash, response, created_ms FROM requests"
                                     " WHERE caller = $1 AND method = $2 AND request = $3";
static const char put_request[] =
    "INSERT INTO requests (caller, method, request, body_hash, response, created_ms)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (caller, method, request) DO UPDATE"
    " SET body_hash = excluded.body_hash, response = excluded.response,"
    " created_ms = excluded.created_ms";

static void bind_key(struct kw_stmt *stmt, const struct kw_request_key *key)
{
    kw_bind_id(stmt, 1, &key->caller);
    kw_bind_i64(stmt, 2, key->method);
    kw_bind_id(stmt, 3, &key->request);
}

struct kw_result kw_request_find(struct kw_tx *tx, const struct kw_request_key *key,
                                 struct kw_arena *arena, struct kw_request_row *ret_row,
                                 bool *ret_found, struct kw_error *err)
{
    struct kw_request_row row = {0};
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_request, &stmt, err));
    bind_key(stmt, key);
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(kw_row_fixed(stmt, 0, row.body_hash, sizeof(row.body_hash), err));
        KW_TRY(kw_row_bytes(stmt, 1, arena, &row.response, err));
        row.created_ms = (uint64_t)kw_col_i64(stmt, 2);
        *ret_row = row;
    }
    *ret_found = found;
    return KW_OK;
}

/* --- saying --- */

static void put_run(struct kw_intent *intent, const struct kw_feed_tx *feed_tx,
                    const struct kw_request_row *row)
{
    struct kw_request_run run = {.time_ms = row->created_ms,
                                 .store = kw_feed_instance(feed_tx->feed)};
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_copy(run.content, row->body_hash, sizeof(run.content));
    kw_put_request_run(&w, &run);
    kw_intent_written(intent, KW_REQUEST_FIELD_RUNS, &w);
}

struct kw_result kw_request_insert(const struct kw_feed_tx *feed_tx,
                                   const struct kw_request_key *key,
                                   const struct kw_request_row *row, struct kw_error *err)
{
    uint8_t bytes[KEY_LEN];
    struct kw_intent intent =
        kw_intent(&kw_authz_request_record, KW_BYTES_OF(bytes), feed_tx->arena);
    struct kw_record merged;

    kw_copy(bytes, key->caller.bytes, KW_ID_LEN);
    kw_be32_store(bytes + KW_ID_LEN, key->method);
    kw_copy(bytes + KW_ID_LEN + 4, key->request.bytes, KW_ID_LEN);
    kw_intent_first(&intent, KW_REQUEST_FIELD_ANSWER, feed_tx->feed, row->created_ms,
                    row->response);
    put_run(&intent, feed_tx, row);
    KW_TRY(kw_intent_say(&intent, feed_tx, &merged, err));
    KW_ENSURE(!kw_request_record_twice(&merged), err, STORE_CONFLICT,
              "another instance did it meanwhile");
    return KW_OK;
}

/* --- columns --- */

/* False: there is no answer, or no run, which a cell of ours never says apart. */
static bool read_request(struct kw_record_values *values, struct kw_request_key *key,
                         struct kw_request_row *row)
{
    struct kw_reader r = KW_READER(values->record->key);
    struct kw_request_run run = {0};
    struct kw_first answer;
    bool answered = kw_value_first(values, KW_REQUEST_FIELD_ANSWER, &answer);
    bool ran = kw_request_record_run(values->record, &run);

    kw_get_copy(&r, key->caller.bytes, KW_ID_LEN);
    key->method = kw_get_u32(&r);
    kw_get_copy(&r, key->request.bytes, KW_ID_LEN);
    kw_values_whole(values, &r);
    kw_values_require(values, ran == kw_record_has(values->record, KW_REQUEST_FIELD_RUNS));
    kw_copy(row->body_hash, run.content, sizeof(row->body_hash));
    row->response = answer.detail;
    row->created_ms = answer.time_ms;
    return answered && ran;
}

struct kw_result kw_request_check(const struct kw_record *record, struct kw_error *err)
{
    struct kw_record_values values = {.record = record};
    struct kw_request_key key;
    struct kw_request_row row;

    (void)read_request(&values, &key, &row);
    return kw_values_end(&values, err);
}

struct kw_result kw_request_project(struct kw_tx *tx, const struct kw_record *merged,
                                    struct kw_arena *arena, struct kw_error *err)
{
    struct kw_record_values values = {.record = merged, .arena = arena};
    struct kw_request_key key;
    struct kw_request_row row;
    bool whole = read_request(&values, &key, &row);
    struct kw_stmt *stmt;

    KW_TRY(kw_values_end(&values, err));
    if (!whole) {
        return KW_OK;
    }
    KW_TRY(kw_sql(tx, put_request, &stmt, err));
    bind_key(stmt, &key);
    kw_bind_blob(stmt, 4, KW_BYTES_OF(row.body_hash));
    kw_bind_blob(stmt, 5, row.response);
    kw_bind_i64(stmt, 6, (int64_t)row.created_ms);
    return kw_exec(stmt, NULL, err);
}
