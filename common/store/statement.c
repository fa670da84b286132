/* The statements of a connection: prepared once and found again by the address of their text. */
#include "common/store/backend.h"

#include <assert.h>

/* FNV-1a. */
static uint32_t sum_of(const char *text)
{
    uint32_t sum = 2166136261U;

    for (const char *at = text; *at != '\0'; at++) {
        sum = (sum ^ (uint8_t)*at) * 16777619U;
    }
    return sum;
}

/* The slot that holds `sql`, or the free one where it belongs. */
static struct kw_stmt *find_slot(struct kw_conn *conn, const char *sql)
{
    uint64_t hash =
        (uint64_t)(uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio */
    size_t at = (size_t)(hash >> 32) % KW_CONN_SLOTS;

    while (conn->cache[at].sql != NULL && conn->cache[at].sql != sql) {
        at = (at + 1) % KW_CONN_SLOTS;
    }
    return &conn->cache[at];
}

struct kw_result kw_conn_statement(struct kw_conn *conn, const char *sql, struct kw_stmt **ret_stmt,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt = find_slot(conn, sql);

    if (stmt->sql == NULL) {
        KW_ENSURE(conn->cached < KW_STORE_STATEMENTS_MAX, err, INTERNAL, "more than %d statements",
                  KW_STORE_STATEMENTS_MAX);
        KW_TRY(conn->backend->prepare(conn, sql, stmt, err));
        stmt->sql = sql;
        stmt->sum = sum_of(sql);
        stmt->tx = &conn->tx;
        conn->cached++;
    }
    assert(stmt->sum == sum_of(sql)); /* else the text was no constant */
    *ret_stmt = stmt;
    return KW_OK;
}
