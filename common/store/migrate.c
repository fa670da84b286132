/* Migrations: the schema's history, kept in the database as the very text that was applied.
 *
 * A database may be opened only by a program whose list of migrations begins with what was applied
 * to it, byte for byte: editing a migration that is out, or going back behind one, is noticed at
 * start-up and not later.
 */
#include "common/base/failpoint.h"
#include "common/store/store_internal.h"

static const char create_table[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                   " position INTEGER PRIMARY KEY,"
                                   " name TEXT NOT NULL UNIQUE,"
                                   " sql TEXT NOT NULL)";
static const char select_applied[] = "SELECT name, sql FROM schema_migrations ORDER BY position";
static const char insert_applied[] =
    "INSERT INTO schema_migrations (position, name, sql) VALUES ($1, $2, $3)";

/* Compares row by row with the list; `*ret_applied` is how many there are. */
static struct kw_result check_applied(struct kw_conn *conn, const struct kw_migration *migrations,
                                      size_t count, size_t *ret_applied, struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t applied = 0;
    bool row;

    KW_TRY(kw_sql(&conn->tx, select_applied, &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    while (row) {
        const char *name = kw_col_text(stmt, 0);

        KW_ENSURE(applied < count, err, CONFIG_INVALID,
                  "the database has migration %s, which this program does not know", name);
        KW_ENSURE(strcmp(name, migrations[applied].name) == 0, err, CONFIG_INVALID,
                  "the database has migration %s where this program has %s", name,
                  migrations[applied].name);
        KW_ENSURE(strcmp(kw_col_text(stmt, 1), migrations[applied].sql) == 0, err, CONFIG_INVALID,
                  "migration %s differs from the one applied to the database", name);
        applied++;
        KW_TRY(kw_step(stmt, &row, err));
    }
    *ret_applied = applied;
    return KW_OK;
}

static struct kw_result run_and_record(struct kw_conn *conn, const struct kw_migration *migration,
                                       size_t position, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_conn_control(conn, KW_BEGIN_WRITE, err));
    KW_TRY(conn->backend->script(conn, migration->name, migration->sql, err));
    KW_TRY(kw_sql(&conn->tx, insert_applied, &stmt, err));
    kw_bind_i64(stmt, 1, (int64_t)position);
    kw_bind_text(stmt, 2, migration->name);
    kw_bind_text(stmt, 3, migration->sql);
    KW_TRY(kw_exec(stmt, NULL, err));
    kw_conn_settle(conn);
    KW_FAILPOINT(KW_FP_STORE_BEFORE_MIGRATION, err);
    KW_TRY(kw_conn_control(conn, KW_COMMIT, err));
    KW_FAILPOINT(KW_FP_STORE_AFTER_MIGRATION, err);
    return KW_OK;
}

static struct kw_result migrate(struct kw_conn *conn, const struct kw_migration *migrations,
                                size_t count, struct kw_error *err)
{
    size_t applied = 0;

    KW_TRY(conn->backend->script(conn, "schema_migrations", create_table, err));
    KW_TRY(check_applied(conn, migrations, count, &applied, err));
    for (size_t i = applied; i < count; i++) {
        KW_TRY(run_and_record(conn, &migrations[i], i + 1, err));
    }
    return KW_OK;
}

struct kw_result kw_store_migrate(struct kw_conn *conn, const struct kw_migration *migrations,
                                  size_t count, struct kw_error *err)
{
    struct kw_result result = migrate(conn, migrations, count, err);

    kw_conn_rollback(conn);
    return result;
}
