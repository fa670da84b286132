/* The way to the server: who may be called and how, and calling again when the line is lost. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/store/postgres/postgres.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF_(value) #value
#define TEXT_OF(value)  TEXT_OF_(value)

/* --- the URL --- */

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, keyword) == 0) {
            return option->val;
        }
    }
    return NULL;
}

/* A host that begins with a slash is a directory of sockets; several are separated by commas. */
static bool is_local(const char *hosts)
{
    bool local = hosts[0] == '/';

    for (const char *comma = strchr(hosts, ','); comma != NULL; comma = strchr(comma + 1, ',')) {
        local = local && comma[1] == '/';
    }
    return local;
}

static struct kw_result check_options(const PQconninfoOption *options, struct kw_error *err)
{
    const char *hosts = option_of(options, "host");
    const char *mode = option_of(options, "sslmode");

    KW_ENSURE(option_of(options, "password") == NULL && option_of(options, "sslpassword") == NULL,
              err, CONFIG_INVALID, "a password in the database's URL: name a passfile instead");
    KW_ENSURE(option_of(options, "service") == NULL, err, CONFIG_INVALID,
              "the database's URL names a service, whose settings are not seen here");
    KW_ENSURE(hosts != NULL && hosts[0] != '\0', err, CONFIG_INVALID,
              "the database's URL names no host");
    KW_ENSURE((is_local(hosts) && option_of(options, "hostaddr") == NULL) ||
                  (mode != NULL && strcmp(mode, "verify-full") == 0),
              err, CONFIG_INVALID,
              "the database is reached by a network: its URL must have sslmode=verify-full");
    return KW_OK;
}

/* What libpq reads beside the variables of its options. */
static const char *const more_variables[] = {
    "PGSERVICEFILE", "PGSYSCONFDIR", "PGLOCALEDIR", "PGREQUIRESSL", "PGTZ", "PGDATESTYLE", "PGGEQO",
};

static struct kw_result check_variable(const char *name, struct kw_error *err)
{
    KW_ENSURE(getenv(name) == NULL, err, CONFIG_INVALID,
              "%s is set, beside the database's URL: unset it, and say it in the URL", name);
    return KW_OK;
}

/* libpq takes from the environment what the URL leaves out: a host that was never checked, say. Its
 * list of options names the variable of each. */
static struct kw_result check_environment(const PQconninfoOption *options, struct kw_error *err)
{
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->envvar != NULL) {
            KW_TRY(check_variable(option->envvar, err));
        }
    }
    for (size_t i = 0; i < sizeof(more_variables) / sizeof(more_variables[0]); i++) {
        KW_TRY(check_variable(more_variables[i], err));
    }
    return KW_OK;
}

static struct kw_result check(const PQconninfoOption *options, struct kw_error *err)
{
    KW_TRY(check_options(options, err));
    return check_environment(options, err);
}

struct kw_result kw_pg_claim(const struct kw_store_options *options, int *ret_fd,
                             struct kw_error *err)
{
    PQconninfoOption *parsed;
    struct kw_result result;

    KW_ENSURE(strncmp(options->url, "postgresql://", strlen("postgresql://")) == 0, err,
              CONFIG_INVALID, "the database's URL does not begin with postgresql://");
    parsed = PQconninfoParse(options->url, NULL); /* its message would quote the URL */
    KW_ENSURE(parsed != NULL, err, CONFIG_INVALID, "the database's URL can't be read");
    result = check(parsed, err);
    PQconninfoFree(parsed);
    *ret_fd = -1; /* any number of processes may use it */
    return result;
}

/* --- one call --- */

/* What stands behind the URL overrides it. */
static PGconn *call(const char *url)
{
    static const char *const keywords[] = {
        "dbname",
        "connect_timeout",
        "client_encoding",
        "target_session_attrs",
        "gssencmode",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "fallback_application_name",
        NULL,
    };
    const char *const values[] = {
        url,       TEXT_OF(KW_PG_CONNECT_S),
        "UTF8",    "read-write",
        "disable", "5",
        "1",       "3",
        "5000",    "keyward",
        NULL,
    };

    return PQconnectdbParams(keywords, values, 1);
}

/* Another cluster has another identifier; one that took over from it, or was set back, another timeline. */
static const char select_identity[] = "SELECT id, system_identifier::text || ' ' ||"
                                      " left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) FROM "
                                      "store_identity, pg_control_system()";

/* A server that took over may lack what was committed: what is known of it here is not so any more, and is read anew by a
 * process that begins. */
struct kw_result kw_pg_identify(struct kw_conn *conn, struct kw_error *err)
{
    struct kw_pg *pg = conn->pg;
    PGresult *answer = NULL;
    char place[KW_STORE_PLACE_SIZE] = "";
    struct kw_id id = {0};
    bool whole;

    KW_TRY(kw_pg_ask(conn, select_identity, NULL, &answer, err));
    whole = PQntuples(answer) == 1 && PQgetlength(answer, 0, 0) == KW_ID_LEN;
    if (whole) {
        kw_copy(id.bytes, PQgetvalue(answer, 0, 0), KW_ID_LEN);
        (void)snprintf(place, sizeof(place), "%s", PQgetvalue(answer, 0, 1));
    }
    PQclear(answer);
    pg->foreign = !whole || (pg->known && !kw_id_equal(id, pg->store_id));
    KW_ENSURE(!pg->foreign, err, INTERNAL, "another database answers where this store was");
    pg->foreign = pg->known && strcmp(place, pg->place) != 0;
    KW_ENSURE(!pg->foreign, err, INTERNAL, "another server took over, which may lack something");
    (void)snprintf(pg->place, sizeof(pg->place), "%s", place);
    pg->store_id = id;
    pg->known = true;
    return KW_OK;
}

static struct kw_result connect_once(struct kw_conn *conn, struct kw_error *err)
{
    struct kw_pg *pg = conn->pg;

    conn->broken = false;
    conn->trouble = KW_E_NONE;
    pg->link = call(pg->url);
    KW_ENSURE(pg->link != NULL, err, STORE_UNAVAILABLE, "out of memory");
    if (PQstatus(pg->link) != CONNECTION_OK) {
        const char *text = PQerrorMessage(pg->link);

        KW_FAIL(err, STORE_UNAVAILABLE, "%.*s", (int)strcspn(text, "\n"), text);
    }
    /* What does not fit is sent while the answer is waited for, which has an end. */
    KW_ENSURE(PQsetnonblocking(pg->link, 1) == 0, err, STORE_UNAVAILABLE,
              "the connection can't be set up");
    (void)PQsetNoticeReceiver(pg->link, kw_pg_notice, conn);
    pg->generation++;
    KW_TRY(kw_pg_settings(conn, err));
    return pg->known ? kw_pg_identify(conn, err) : KW_OK;
}

void kw_pg_drop(struct kw_conn *conn)
{
    struct kw_pg *pg = conn->pg;

    PQfinish(pg->link);
    pg->link = NULL;
    pg->open = false;
    pg->owed_count = 0;
}

/* --- opening and closing --- */

struct kw_result kw_pg_open(struct kw_conn *conn, const struct kw_store_options *options,
                            enum kw_conn_role role, struct kw_error *err)
{
    struct kw_pg *pg = calloc(1, sizeof(*pg));

    KW_ENSURE(pg != NULL, err, STORE_UNAVAILABLE, "out of memory");
    conn->backend = &kw_pg_backend;
    conn->role = role;
    conn->tx.conn = conn;
    conn->pg = pg;
    pg->read_ms_max = options->read_ms_max > 0 ? options->read_ms_max : KW_STORE_READ_MS_MAX;
    pg->url = strdup(options->url);
    KW_ENSURE(pg->url != NULL, err, STORE_UNAVAILABLE, "out of memory");
    KW_TRY(connect_once(conn, err));
    return role == KW_CONN_READER ? kw_pg_identify(conn, err) : KW_OK;
}

void kw_pg_close(struct kw_conn *conn)
{
    kw_pg_drop(conn);
    free(conn->pg->url);
    free(conn->pg);
    conn->pg = NULL;
}

/* --- calling again --- */

/* A server that ended has said so meanwhile; nobody had listened. One that has no end of news is as
 * good as none. */
static bool is_still_there(PGconn *link)
{
    struct pollfd news = {.fd = PQsocket(link), .events = POLLIN};

    for (int reads = 0; poll(&news, 1, 0) > 0; reads++) {
        if (reads == KW_PG_NEWS_READS || !PQconsumeInput(link) || PQisBusy(link) ||
            PQstatus(link) != CONNECTION_OK) {
            return false;
        }
    }
    return PQstatus(link) == CONNECTION_OK;
}

static void back_off(struct kw_pg *pg)
{
    uint32_t next = pg->back_off_ms == 0 ? KW_PG_RETRY_MS_MIN : 2 * pg->back_off_ms;

    pg->back_off_ms = next < KW_PG_RETRY_MS_MAX ? next : KW_PG_RETRY_MS_MAX;
    pg->retry_at_ns = kw_clock_mono_ns() + pg->back_off_ms * KW_NS_PER_MS;
}

/* A server that came back with unsafe settings is as good as none. */
static struct kw_result call_again(struct kw_conn *conn, struct kw_error *err)
{
    struct kw_pg *pg = conn->pg;
    struct kw_error why = {0};
    struct kw_result result;

    KW_ENSURE(kw_clock_mono_ns() >= pg->retry_at_ns, err, STORE_UNAVAILABLE,
              "the database can't be reached");
    result = connect_once(conn, &why);
    if (kw_ok(result)) {
        KW_LOG(INFO, "database is back", KW_F_U64("link", pg->generation));
        pg->back_off_ms = 0;
        return KW_OK;
    }
    kw_pg_drop(conn);
    back_off(pg);
    KW_LOG(WARN, "database is away", KW_F_ERR(&why));
    KW_ENSURE(!pg->foreign, err, INTERNAL, "%s", why.message);
    KW_FAIL(err, STORE_UNAVAILABLE, "%s", why.message);
}

struct kw_result kw_pg_ready(struct kw_conn *conn, struct kw_error *err)
{
    struct kw_pg *pg = conn->pg;

    KW_ENSURE(!pg->foreign, err, INTERNAL, "another one answers where this database was");
    if (pg->link != NULL && !conn->broken && is_still_there(pg->link)) {
        return KW_OK;
    }
    kw_pg_drop(conn);
    return call_again(conn, err);
}
