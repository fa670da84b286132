/* One connection of the store's own, used directly: no thread, and nothing is ever committed. */
#include "tests/fuzz/store_rows.h"

#include "common/store/sqlite/sqlite.h"
#include "common/store/store_internal.h"

#include <stdio.h>

#define TABLES_MAX  32
#define COLUMNS_MAX 32
#define ROWS_MAX    6
#define VALUE_MAX   300U

const struct kw_id kw_fuzz_row_id = {{0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                      0x11, 0x11, 0x11, 0x11, 0x11, 0x11}};

static struct kw_conn conn;
static sqlite3_stmt *inserts[TABLES_MAX]; /* one for each table of the schema */
static int insert_count;

/* "INSERT OR IGNORE INTO t VALUES (?, ?, …)" with as many marks as the table has columns. */
static sqlite3_stmt *make_insert(const char *table)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_stmt *select = NULL;
    char sql[256];
    int columns;

    (void)snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\"", table);
    KW_FUZZ_CHECK(sqlite3_prepare_v2(conn.db, sql, -1, &select, NULL) == SQLITE_OK);
    columns = sqlite3_column_count(select);
    (void)sqlite3_finalize(select);
    (void)snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO \"%s\" VALUES (?", table);
    for (int i = 1; i < columns; i++) {
        (void)strncat(sql, ", ?", sizeof(sql) - strlen(sql) - 1);
    }
    (void)strncat(sql, ")", sizeof(sql) - strlen(sql) - 1);
    KW_FUZZ_CHECK(columns <= COLUMNS_MAX);
    KW_FUZZ_CHECK(sqlite3_prepare_v2(conn.db, sql, -1, &statement, NULL) == SQLITE_OK);
    return statement;
}

static void set_up(const struct kw_migration *migrations, size_t count)
{
    static const char tables[] =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        " ORDER BY name";
    sqlite3_stmt *statement;
    const char *path = kw_fuzz_file("store", KW_BYTES_NONE);

    KW_FUZZ_MUST(
        kw_sqlite_open(&conn, &(struct kw_store_options){.path = path}, KW_CONN_WRITER, NULL));
    KW_FUZZ_MUST(kw_store_migrate(&conn, migrations, count, NULL));
    KW_FUZZ_CHECK(sqlite3_exec(conn.db,
                               "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF",
                               NULL, NULL, NULL) == SQLITE_OK);
    KW_FUZZ_CHECK(sqlite3_prepare_v2(conn.db, tables, -1, &statement, NULL) == SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        KW_FUZZ_CHECK(insert_count < TABLES_MAX);
        inserts[insert_count++] = make_insert((const char *)sqlite3_column_text(statement, 0));
    }
    (void)sqlite3_finalize(statement);
}

static void bind_value(sqlite3_stmt *statement, int column, struct kw_fuzz_input *input)
{
    struct kw_bytes bytes;

    switch (kw_fuzz_u8(input) % 6) {
    case 0:
        (void)sqlite3_bind_blob(statement, column, kw_fuzz_row_id.bytes, KW_ID_LEN, SQLITE_STATIC);
        break;
    case 1:
        (void)sqlite3_bind_int64(
            statement, column, (int64_t)((uint64_t)kw_fuzz_u32(input) << 32 | kw_fuzz_u32(input)));
        break;
    case 2:
        (void)sqlite3_bind_int64(statement, column, kw_fuzz_u8(input));
        break;
    case 3:
        bytes = kw_fuzz_bytes(input, kw_fuzz_u16(input) % VALUE_MAX);
        (void)sqlite3_bind_blob(statement, column, bytes.data, (int)bytes.len, SQLITE_STATIC);
        break;
    case 4:
        bytes = kw_fuzz_bytes(input, kw_fuzz_u8(input));
        (void)sqlite3_bind_text(statement, column, (const char *)bytes.data, (int)bytes.len,
                                SQLITE_STATIC);
        break;
    default:
        (void)sqlite3_bind_null(statement, column);
        break;
    }
}

static void insert_row(struct kw_fuzz_input *input)
{
    sqlite3_stmt *statement = inserts[kw_fuzz_u8(input) % insert_count];

    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
        bind_value(statement, i, input);
    }
    (void)sqlite3_step(statement); /* a NOT NULL may still say no */
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

struct kw_tx *kw_fuzz_rows_begin(const struct kw_migration *migrations, size_t count,
                                 struct kw_fuzz_input *input)
{
    if (conn.db == NULL) {
        set_up(migrations, count);
    }
    KW_FUZZ_MUST(kw_conn_control(&conn, KW_BEGIN_READ, NULL));
    for (int i = 0; i < ROWS_MAX && input->rest.len > 0; i++) {
        insert_row(input);
    }
    return &conn.tx;
}

void kw_fuzz_rows_end(struct kw_tx *tx)
{
    KW_FUZZ_CHECK(!conn.broken);
    tx->failed = false;
    kw_conn_rollback(&conn);
}
