/* One exchange with the server: what is owed, a statement, and what belongs around it are sent
 * together and answered together.
 *
 * BEGIN, SAVEPOINT, RELEASE and ROLLBACK TO are never sent alone. They are owed, and go ahead of the
 * next statement, or of COMMIT: a group of jobs with one statement each costs one round trip a job,
 * and one for the commit.
 */
#include "common/base/clock.h"
#include "common/store/postgres/postgres.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#define FOREVER UINT64_MAX

static const char savepoint[] = "SAVEPOINT statement";
static const char release[] = "RELEASE SAVEPOINT statement";
static const char rollback[] = "ROLLBACK TO SAVEPOINT statement";

struct exchange {
    struct kw_conn *conn;
    size_t owed;      /* how many of them come first */
    size_t sent;      /* in all */
    size_t wanted;    /* whose result is wanted */
    PGresult *result; /* of that one */
    PGresult *error;  /* of the first that failed */
    size_t failed;    /* which that was; as large as `sent`: none */
};

/* --- waiting --- */

static uint32_t patience_ms(const struct kw_conn *conn)
{
    return KW_PG_ANSWER_MS + (conn->role == KW_CONN_READER ? conn->pg->read_ms_max : 0);
}

static uint64_t deadline(uint32_t patience)
{
    return patience == 0 ? FOREVER : kw_clock_mono_ns() + patience * KW_NS_PER_MS;
}

/* What is still to be sent goes on its way meanwhile. False: nothing moved until then, or the server is
 * lost. */
static bool talk_until(PGconn *link, uint64_t until)
{
    int unsent = PQflush(link); /* below 0: the input will tell */
    struct pollfd ready = {.fd = PQsocket(link)};
    uint64_t now = kw_clock_mono_ns();
    int left_ms = until == FOREVER ? -1 : (int)((until - now) / KW_NS_PER_MS) + 1;
    int polled;

    ready.events = (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN);
    polled = now < until ? poll(&ready, 1, left_ms) : 0;
    return polled < 0 ? errno == EINTR : polled > 0 && PQconsumeInput(link);
}

/* In a COPY the same result would come again for as long as it is asked for. */
static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* The next result, or NULL at the end of a statement's. A server that has not done until then is
 * given up, however much it says. */
static PGresult *next_result(struct kw_conn *conn, uint64_t until)
{
    PGconn *link = conn->pg->link;
    PGresult *result;

    while (PQisBusy(link)) {
        if (!talk_until(link, until)) {
            conn->broken = true;
            return NULL;
        }
    }
    result = PQgetResult(link);
    if (result != NULL && (is_copy(result) || kw_clock_mono_ns() >= until)) {
        conn->broken = true;
        PQclear(result);
        return NULL;
    }
    return result;
}

/* --- an exchange --- */

static void note_sent(struct exchange *exchange, int sent)
{
    if (sent != 1) {
        exchange->conn->broken = true;
    }
    exchange->sent++;
}

static void send_text(struct exchange *exchange, const char *sql)
{
    note_sent(exchange,
              PQsendQueryParams(exchange->conn->pg->link, sql, 0, NULL, NULL, NULL, NULL, 1));
}

static struct exchange start(struct kw_conn *conn)
{
    struct kw_pg *pg = conn->pg;
    struct exchange exchange = {.conn = conn, .owed = pg->owed_count};

    pg->warned = false;
    if (pg->link == NULL || PQenterPipelineMode(pg->link) != 1) {
        conn->broken = true;
        return exchange;
    }
    for (size_t i = 0; i < pg->owed_count; i++) {
        send_text(&exchange, pg->owed[i]);
    }
    pg->owed_count = 0;
    return exchange;
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static void take(struct exchange *exchange, size_t index, PGresult *result)
{
    if (succeeded(result) && index == exchange->wanted) {
        exchange->result = result;
        return;
    }
    if (!succeeded(result) && exchange->error == NULL) {
        exchange->error = result;
        exchange->failed = index;
        return;
    }
    PQclear(result); /* that of another, or skipped after a failure */
}

static void collect(struct exchange *exchange)
{
    struct kw_conn *conn = exchange->conn;
    uint64_t until = deadline(patience_ms(conn));

    for (size_t i = 0; i < exchange->sent && !conn->broken; i++) {
        PGresult *result;

        while ((result = next_result(conn, until)) != NULL) {
            take(exchange, i, result);
            if (PQstatus(conn->pg->link) == CONNECTION_BAD) {
                conn->broken = true;
                return;
            }
        }
    }
    if (!conn->broken) {
        PQclear(next_result(conn, until)); /* the mark of the exchange's end */
    }
}

/* Fails: as the first that failed. What was owed never fails by itself: then the whole group is
 * undone. */
static struct kw_result finish(struct exchange *exchange, const char *what, struct kw_error *err)
{
    struct kw_conn *conn = exchange->conn;
    struct kw_result result = KW_OK;

    exchange->failed = exchange->sent;
    if (!conn->broken && PQpipelineSync(conn->pg->link) == 1) {
        collect(exchange);
    } else {
        conn->broken = true;
    }
    if (conn->broken || PQexitPipelineMode(conn->pg->link) != 1) {
        conn->broken = true;
    }
    if (exchange->error != NULL || conn->broken) {
        result = kw_pg_error(conn, exchange->error, what, err);
        PQclear(exchange->result);
        exchange->result = NULL;
    }
    if (exchange->failed < exchange->owed && conn->trouble == KW_E_NONE) {
        conn->trouble = KW_E_STORE_UNAVAILABLE;
    }
    PQclear(exchange->error);
    exchange->error = NULL;
    return result;
}

/* --- what is owed --- */

struct kw_result kw_pg_owe(struct kw_conn *conn, const char *sql, struct kw_error *err)
{
    if (conn->pg->owed_count == KW_PG_OWED_MAX) {
        KW_TRY(kw_pg_flush(conn, NULL, err));
    }
    conn->pg->owed[conn->pg->owed_count++] = sql;
    return KW_OK;
}

struct kw_result kw_pg_flush(struct kw_conn *conn, PGresult **ret_last, struct kw_error *err)
{
    struct exchange exchange = start(conn);
    struct kw_result result;

    exchange.owed--; /* but for the last, which is what is asked for */
    exchange.wanted = exchange.owed;
    result = finish(&exchange, "transaction", err);
    if (ret_last != NULL) {
        *ret_last = exchange.result;
    } else {
        PQclear(exchange.result);
    }
    return result;
}

/* --- a statement --- */

static Oid wanted_type(const struct kw_pg_stmt *own, int index)
{
    return own->types[index] != 0 ? own->types[index] : own->prepared[index];
}

static bool is_prepared(const struct kw_pg *pg, const struct kw_pg_stmt *own)
{
    for (int i = 0; i < own->parameters; i++) {
        if (wanted_type(own, i) != own->prepared[i]) {
            return false;
        }
    }
    return own->generation == pg->generation;
}

static void send_forget(struct exchange *exchange, const struct kw_pg_stmt *own)
{
    char sql[KW_PG_NAME_SIZE + sizeof("DEALLOCATE ")];

    (void)snprintf(sql, sizeof(sql), "DEALLOCATE %s", own->name);
    send_text(exchange, sql);
}

/* Anew, with the types that are known by now. `*ret_at` is where its answer will be. */
static void send_prepare(struct exchange *exchange, struct kw_stmt *stmt, size_t *ret_at)
{
    struct kw_pg *pg = exchange->conn->pg;
    struct kw_pg_stmt *own = stmt->pg;

    if (own->generation == pg->generation) {
        send_forget(exchange, own);
    }
    *ret_at = exchange->sent;

    for (int i = 0; i < own->parameters; i++) {
        own->prepared[i] = wanted_type(own, i);
    }
    own->generation = 0;
    (void)snprintf(own->name, sizeof(own->name), "s%llu", (unsigned long long)++pg->named);
    note_sent(exchange,
              PQsendPrepare(pg->link, own->name, stmt->sql, own->parameters, own->prepared));
}

static void send_statement(struct exchange *exchange, const struct kw_pg_stmt *own)
{
    int formats[KW_STORE_PARAMETERS_MAX];

    for (int i = 0; i < own->parameters; i++) {
        formats[i] = 1;
    }
    exchange->wanted = exchange->sent;
    note_sent(exchange, PQsendQueryPrepared(exchange->conn->pg->link, own->name, own->parameters,
                                            own->values, own->lengths, formats, 1));
}

/* After a duplicate: a guarded one is taken back alone, any other has spoilt the job's transaction. */
static struct kw_result take_back(struct kw_stmt *stmt, bool guarded, struct kw_error *err)
{
    struct kw_conn *conn = stmt->tx->conn;

    if (!guarded) {
        stmt->tx->failed = conn->pg->open;
        return KW_OK;
    }
    KW_TRY(kw_pg_owe(conn, rollback, err));
    return kw_pg_owe(conn, release, err);
}

struct kw_result kw_pg_run(struct kw_stmt *stmt, struct kw_error *err)
{
    struct kw_conn *conn = stmt->tx->conn;
    struct kw_pg_stmt *own = stmt->pg;
    bool guarded = own->guarded && conn->pg->open;
    struct exchange exchange = start(conn);
    bool prepares = !is_prepared(conn->pg, own);
    size_t prepare_at = 0;
    struct kw_result result;

    if (conn->broken) {
        return kw_pg_error(conn, NULL, stmt->sql, err);
    }
    if (prepares) {
        send_prepare(&exchange, stmt, &prepare_at);
    }
    if (guarded) {
        send_text(&exchange, savepoint);
    }
    send_statement(&exchange, own);
    if (guarded) {
        send_text(&exchange, release);
    }
    result = finish(&exchange, stmt->sql, err);
    if (prepares && exchange.failed > prepare_at && !conn->broken) {
        own->generation = conn->pg->generation;
    }
    if (result.reason == KW_E_ALREADY_EXISTS) {
        KW_TRY(take_back(stmt, guarded, err));
    }
    own->result = exchange.result;
    return result;
}

/* --- outside of any exchange --- */

static struct kw_result answer(struct kw_conn *conn, const char *what, int sent, uint32_t patience,
                               PGresult **ret_result, struct kw_error *err)
{
    struct kw_result result = KW_OK;
    uint64_t until = deadline(patience);
    PGresult *last = NULL;
    PGresult *next;

    conn->broken = conn->broken || sent != 1;
    while (!conn->broken && (next = next_result(conn, until)) != NULL) {
        PQclear(last);
        last = next;
    }
    if (conn->broken || !succeeded(last)) {
        result = kw_pg_error(conn, last, what, err);
    }
    if (kw_ok(result) && ret_result != NULL) {
        *ret_result = last;
    } else {
        PQclear(last);
    }
    return result;
}

struct kw_result kw_pg_script(struct kw_conn *conn, const char *what, const char *sql,
                              struct kw_error *err)
{
    return answer(conn, what, PQsendQuery(conn->pg->link, sql), 0, NULL, err);
}

struct kw_result kw_pg_tell(struct kw_conn *conn, const char *what, const char *sql,
                            struct kw_error *err)
{
    return answer(conn, what, PQsendQuery(conn->pg->link, sql), patience_ms(conn), NULL, err);
}

struct kw_result kw_pg_ask(struct kw_conn *conn, const char *sql, const char *parameter,
                           PGresult **ret_result, struct kw_error *err)
{
    int count = parameter != NULL ? 1 : 0;
    int sent = PQsendQueryParams(conn->pg->link, sql, count, NULL, &parameter, NULL, NULL, 1);

    return answer(conn, sql, sent, patience_ms(conn), ret_result, err);
}
