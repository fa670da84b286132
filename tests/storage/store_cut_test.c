/* The store under power cuts: rows, long values, a counter, a unique index, two migrations. */
#include "tests/support/cut_drill.h"

#include <criterion/criterion.h>

#define VALUE_LEN_MAX (120U << 10)

static const struct kw_migration migrations[] = {
    {"0001_effects", "CREATE TABLE requests (op INTEGER PRIMARY KEY, parts INTEGER NOT NULL);"
                     "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
                     "INSERT INTO counters (name, value) VALUES ('done', 0);"},
    {"0002_parts", "CREATE TABLE parts (op INTEGER NOT NULL REFERENCES requests (op),"
                   " part INTEGER NOT NULL, value BLOB NOT NULL, name TEXT NOT NULL UNIQUE,"
                   " PRIMARY KEY (op, part));"
                   "CREATE TABLE scratch (op INTEGER PRIMARY KEY, value BLOB NOT NULL);"},
};

static bool refuses(uint32_t op)
{
    return op % 9 == 4;
}

/* A few bytes, or a few pages, or many. */
static size_t length_of(uint32_t op, int64_t part)
{
    if (op % 11 == 0) {
        return VALUE_LEN_MAX - op;
    }
    return (op * 977 + (size_t)part * 5077) % (op % 3 == 0 ? 9000 : 300);
}

static int64_t parts_of(uint32_t op)
{
    return 1 + op % 4;
}

static struct kw_result put_part(struct kw_tx *tx, uint32_t op, int64_t part, struct kw_error *err)
{
    static uint8_t value[VALUE_LEN_MAX];
    struct kw_stmt *stmt;
    char name[32];

    memset(value, (int)(op + (uint32_t)part), sizeof(value));
    (void)snprintf(name, sizeof(name), "%u/%lld", op * 7919 % 1000, (long long)part);
    KW_TRY(kw_sql(tx, "INSERT INTO parts (op, part, value, name) VALUES ($1, $2, $3, $4)", &stmt,
                  err));
    kw_bind_i64(stmt, 1, op);
    kw_bind_i64(stmt, 2, part);
    kw_bind_blob(stmt, 3, KW_BYTES(value, length_of(op, part)));
    kw_bind_text(stmt, 4, name);
    return kw_exec(stmt, NULL, err);
}

static struct kw_result run_one(struct kw_tx *tx, const char *sql, uint32_t op,
                                struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    kw_bind_i64(stmt, 1, op);
    kw_bind_i64(stmt, 2, parts_of(op));
    return kw_exec(stmt, NULL, err);
}

/* What is put here is deleted four operations later, so that pages become free and are used again.
 */
static struct kw_result use_scratch(struct kw_tx *tx, uint32_t op, struct kw_error *err)
{
    KW_TRY(run_one(tx,
                   "INSERT INTO scratch (op, value) VALUES ($1, zeroblob(5000 * $2))"
                   " ON CONFLICT (op) DO NOTHING",
                   op, err));
    return run_one(tx, "DELETE FROM scratch WHERE op <= $1 - 4 AND $2 = $2", op, err);
}

static struct kw_result apply(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                              struct kw_error *err)
{
    int64_t done;

    (void)arena;
    KW_TRY(cut_number(tx, "SELECT count(*) FROM requests WHERE op = $1", op, &done, err));
    if (done > 0) {
        return KW_OK;
    }
    KW_TRY(run_one(tx, "INSERT INTO requests (op, parts) VALUES ($1, $2)", op, err));
    for (int64_t part = 0; part < parts_of(op); part++) {
        KW_TRY(put_part(tx, op, part, err));
    }
    KW_TRY(use_scratch(tx, op, err));
    KW_TRY(run_one(tx,
                   "UPDATE counters SET value = value + 1 WHERE name = 'done' AND $1 = $1"
                   " AND $2 = $2",
                   op, err));
    KW_ENSURE(!refuses(op), err, ARGUMENT_INVALID, "as the drill wants it");
    return KW_OK;
}

static struct kw_result look(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                             enum cut_found *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;
    int64_t there;
    bool row;

    (void)arena;
    KW_TRY(cut_number(tx, "SELECT count(*) FROM requests WHERE op = $1", op, &there, err));
    KW_TRY(kw_sql(tx, "SELECT part, value FROM parts WHERE op = $1 ORDER BY part", &stmt, err));
    kw_bind_i64(stmt, 1, op);
    KW_TRY(kw_step(stmt, &row, err));
    for (int64_t part = 0; row; part++) {
        struct kw_bytes value = kw_col_blob(stmt, 1);

        KW_ENSURE(kw_col_i64(stmt, 0) == part && value.len == length_of(op, part), err, INTERNAL,
                  "a part is another");
        for (size_t i = 0; i < value.len; i++) {
            KW_ENSURE(value.data[i] == (uint8_t)(op + part), err, INTERNAL, "a part is altered");
        }
        there++;
        KW_TRY(kw_step(stmt, &row, err));
    }
    *ret_found = cut_found_of(there, 1 + parts_of(op));
    return KW_OK;
}

static struct kw_result check(struct kw_tx *tx, struct kw_arena *arena, struct kw_error *err)
{
    int64_t counted;
    int64_t done;

    (void)arena;
    KW_TRY(cut_number(tx, "SELECT count(*) FROM requests WHERE $1 = 0", 0, &counted, err));
    KW_TRY(
        cut_number(tx, "SELECT value FROM counters WHERE name = 'done' AND $1 = 0", 0, &done, err));
    KW_ENSURE(counted == done, err, INTERNAL, "%lld requests, counted %lld", (long long)counted,
              (long long)done);
    return KW_OK;
}

static const struct cut_workload workload = {
    .name = "store",
    .migrations = migrations,
    .migration_count = 2,
    .ops = 60,
    .steps = 900,
    .syncs = 40,
    .refuses = refuses,
    .apply = apply,
    .look = look,
    .check = check,
};

Test(store_cut, loses_nothing_that_it_acknowledged, .timeout = 550)
{
    cut_drill_loses_nothing(&workload, 12);
}

Test(store_cut, a_disk_that_lies_is_found_out, .timeout = 550)
{
    cut_drill_finds_lies(&workload, 40);
}
