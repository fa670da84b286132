/* A PostgreSQL server that is there and does not answer, or not to the end: it is given up after
 * KW_PG_ANSWER_MS, whatever was asked. */
#include "common/store/postgres/postgres.h"
#include "tests/support/must.h"
#include "tests/support/postgres.h"
#include "tests/support/store_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct store_fixture f;
static struct kw_error err;
static struct kw_conn conn;

static void set_up(void)
{
    store_fixture_init(&f);
    MUST(store_fixture_open(&f, store_test_schema, 1, err));
    conn = (struct kw_conn){.role = KW_CONN_WRITER};
}

static void tear_down(void)
{
    store_fixture_done(&f);
}

TestSuite(store_pg_silent, .init = set_up, .fini = tear_down, .timeout = 120);

static void open_conn(void)
{
    const struct kw_store_options options = {.url = f.url};

    MUST(kw_pg_open(&conn, &options, KW_CONN_WRITER, err));
}

/* The server's process at the other end of the connection: one of this machine. */
static pid_t silence(void)
{
    pid_t pid = PQbackendPID(conn.pg->link);

    cr_assert(zero(int, kill(pid, SIGSTOP)));
    return pid;
}

/* Ends it, for it hears of nothing else. */
static void release(pid_t pid)
{
    kw_pg_close(&conn);
    cr_assert(zero(int, kill(pid, SIGCONT)));
}

Test(store_pg_silent, limits_are_not_waited_for_without_end)
{
    pid_t pid;

    open_conn();
    pid = silence();
    cr_assert(eq(int, kw_pg_limits(&conn, &err).reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(conn.broken);
    release(pid);
}

/* Each answer comes in time, but not all. The server keeps small ones back until there are more: the
 * large one between them makes the first go. */
Test(store_pg_silent, an_exchange_has_one_deadline_however_many_answers_it_has)
{
    open_conn();
    MUST(kw_pg_script(&conn, "no limit", "SET statement_timeout = 0", err));
    MUST(kw_pg_owe(&conn, "SELECT pg_sleep(3)", err));
    MUST(kw_pg_owe(&conn, "SELECT repeat('x', 1000000)", err));
    MUST(kw_pg_owe(&conn, "SELECT pg_sleep(3)", err));
    cr_assert(eq(int, kw_pg_flush(&conn, NULL, &err).reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(conn.broken);
    kw_pg_close(&conn);
}

/* More than fits between the two: the writer may not wait until it is taken. */
Test(store_pg_silent, a_large_statement_is_not_pushed_without_end)
{
    enum {
        LARGE = 8 << 20
    };
    char *text = calloc(1, LARGE + 1);
    pid_t pid;

    cr_assert(ne(ptr, text, NULL));
    (void)snprintf(text, LARGE + 1, "%*s", LARGE, "SELECT 1");
    open_conn();
    pid = silence();
    cr_assert(eq(int, kw_pg_tell(&conn, "large", text, &err).reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(conn.broken);
    release(pid);
    free(text);
}
