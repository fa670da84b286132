/* Statements of PostgreSQL: prepared by the server at their first step, when it is known what is
 * bound; values go and come in binary; all rows of a result at once. */
#include "common/store/postgres/postgres.h"

#include <ctype.h>
#include <endian.h>
#include <stdlib.h>

/* The types that there are in our tables, and in what is computed from them
 * (src/include/catalog/pg_type.dat). */
enum type {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_NUMERIC = 1700
};

/* --- preparing --- */

/* Notes every $n. One that is left out below the highest has a type, because the server can't guess
 * any for it. False: a number that may not be. */
static bool find_parameters(const char *sql, struct kw_pg_stmt *own)
{
    for (const char *at = strchr(sql, '$'); at != NULL; at = strchr(at + 1, '$')) {
        long number = strtol(at + 1, NULL, 10);

        if (number < 1 || number > KW_STORE_PARAMETERS_MAX) {
            return false;
        }
        own->named[number - 1] = true;
        own->parameters = number > own->parameters ? (int)number : own->parameters;
    }
    for (int i = 0; i < own->parameters; i++) {
        own->prepared[i] = own->named[i] ? 0 : TYPE_TEXT;
    }
    return true;
}

/* A duplicate fails the statement alone, so that the job may go on. Where ON CONFLICT says what is
 * to happen, nothing need be guarded. */
static bool may_find_duplicate(const char *sql)
{
    return strncmp(sql, "INSERT", 6) == 0 && strstr(sql, "ON CONFLICT") == NULL;
}

struct kw_result kw_pg_prepare(struct kw_conn *conn, const char *sql, struct kw_stmt *stmt,
                               struct kw_error *err)
{
    struct kw_pg_stmt *own = calloc(1, sizeof(*own));

    (void)conn;
    KW_ENSURE(own != NULL, err, MEMORY, "a prepared statement");
    if (!find_parameters(sql, own)) {
        free(own);
        KW_FAIL(err, INTERNAL, "not one statement with parameters $1 to $%d: %s",
                KW_STORE_PARAMETERS_MAX, sql);
    }
    own->guarded = may_find_duplicate(sql);
    stmt->pg = own;
    return KW_OK;
}

void kw_pg_rewind(struct kw_stmt *stmt)
{
    PQclear(stmt->pg->result);
    stmt->pg->result = NULL;
}

void kw_pg_unbind(struct kw_stmt *stmt)
{
    struct kw_pg_stmt *own = stmt->pg;

    kw_pg_rewind(stmt);
    own->bad_index = false;
    for (int i = 0; i < own->parameters; i++) {
        own->types[i] = 0;
        own->values[i] = NULL;
    }
}

void kw_pg_finalize(struct kw_stmt *stmt)
{
    kw_pg_rewind(stmt);
    free(stmt->pg);
    stmt->pg = NULL;
}

/* --- parameters --- */

static void bind_value(struct kw_stmt *stmt, int index, enum type type, const void *value,
                       size_t len)
{
    struct kw_pg_stmt *own = stmt->pg;

    if (index < 1 || index > own->parameters || !own->named[index - 1]) {
        own->bad_index = true;
        return;
    }
    own->types[index - 1] = (Oid)type;
    own->values[index - 1] = value;
    own->lengths[index - 1] = (int)len;
}

void kw_pg_bind_blob(struct kw_stmt *stmt, int index, struct kw_bytes value)
{
    bind_value(stmt, index, TYPE_BYTEA, value.len > 0 ? (const void *)value.data : "", value.len);
}

void kw_pg_bind_text(struct kw_stmt *stmt, int index, const char *value)
{
    bind_value(stmt, index, TYPE_TEXT, value, value != NULL ? strlen(value) : 0);
}

void kw_pg_bind_i64(struct kw_stmt *stmt, int index, int64_t value)
{
    uint64_t bytes = htobe64((uint64_t)value);
    char *number;

    bind_value(stmt, index, TYPE_INT8, NULL, sizeof(bytes));
    if (stmt->pg->bad_index) {
        return;
    }
    number = stmt->pg->numbers[index - 1];
    kw_copy(number, &bytes, sizeof(bytes));
    stmt->pg->values[index - 1] = number;
}

/* --- running --- */

static bool is_known(Oid type)
{
    return type == TYPE_BOOL || type == TYPE_BYTEA || type == TYPE_INT8 || type == TYPE_INT2 ||
           type == TYPE_INT4 || type == TYPE_TEXT;
}

static struct kw_bytes cell(const PGresult *result, int row, int column)
{
    return KW_BYTES(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

static bool are_whole_numbers(const PGresult *result, int column)
{
    int64_t number;

    for (int row = 0; row < PQntuples(result); row++) {
        if (!PQgetisnull(result, row, column) &&
            !kw_pg_numeric(cell(result, row, column), &number)) {
            return false;
        }
    }
    return true;
}

/* What no column function reads would come out as nothing at all. */
static struct kw_result check_columns(const struct kw_stmt *stmt, struct kw_error *err)
{
    const PGresult *result = stmt->pg->result;

    for (int i = 0; i < PQnfields(result); i++) {
        Oid type = PQftype(result, i);

        KW_ENSURE(is_known(type) || (type == TYPE_NUMERIC && are_whole_numbers(result, i)), err,
                  INTERNAL, "column %d has type %u: %s", i, type, stmt->sql);
    }
    return KW_OK;
}

static struct kw_result run(struct kw_stmt *stmt, struct kw_error *err)
{
    struct kw_pg_stmt *own = stmt->pg;

    KW_ENSURE(!own->bad_index, err, INTERNAL, "a parameter that there is not: %s", stmt->sql);
    KW_TRY(kw_pg_run(stmt, err));
    own->row = -1;
    own->changed = strtoll(PQcmdTuples(own->result), NULL, 10);
    return check_columns(stmt, err);
}

struct kw_result kw_pg_step(struct kw_stmt *stmt, bool *ret_row, struct kw_error *err)
{
    struct kw_pg_stmt *own = stmt->pg;

    if (kw_conn_is_late(stmt->tx->conn)) {
        stmt->tx->conn->trouble = KW_E_STORE_UNAVAILABLE;
        KW_FAIL(err, STORE_UNAVAILABLE, "a read took too long: %s", stmt->sql);
    }
    if (own->result == NULL) {
        KW_TRY(run(stmt, err));
    }
    own->row++;
    *ret_row = own->row < PQntuples(own->result);
    return KW_OK;
}

int64_t kw_pg_changed(const struct kw_stmt *stmt)
{
    return stmt->pg->changed;
}

/* --- columns --- */

bool kw_pg_col_is_null(struct kw_stmt *stmt, int column)
{
    const struct kw_pg_stmt *own = stmt->pg;

    return own->result == NULL || own->row < 0 || own->row >= PQntuples(own->result) ||
           PQgetisnull(own->result, own->row, column);
}

struct kw_bytes kw_pg_col_blob(struct kw_stmt *stmt, int column)
{
    const struct kw_pg_stmt *own = stmt->pg;

    if (kw_pg_col_is_null(stmt, column)) {
        return KW_BYTES_NONE;
    }
    return cell(own->result, own->row, column);
}

/* libpq puts a NUL behind every value. */
const char *kw_pg_col_text(struct kw_stmt *stmt, int column)
{
    return (const char *)kw_pg_col_blob(stmt, column).data;
}

/* Big-endian, one to eight bytes; the first one has the sign. */
static int64_t big_endian(struct kw_bytes bytes)
{
    uint64_t number = bytes.len > 0 && (bytes.data[0] & 0x80) != 0 ? UINT64_MAX : 0;

    for (size_t i = 0; i < bytes.len && i < sizeof(number); i++) {
        number = number << 8 | bytes.data[i];
    }
    return (int64_t)number;
}

int64_t kw_pg_col_i64(struct kw_stmt *stmt, int column)
{
    struct kw_bytes bytes = kw_pg_col_blob(stmt, column);
    int64_t number = 0;

    if (bytes.data == NULL) {
        return 0;
    }
    if (PQftype(stmt->pg->result, column) == TYPE_NUMERIC) {
        (void)kw_pg_numeric(bytes, &number); /* it was looked at before */
        return number;
    }
    return big_endian(bytes);
}
