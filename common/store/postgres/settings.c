/* What a server must be like before anything is trusted to it, and what is set for one connection. */
#include "common/store/postgres/postgres.h"

#include <stdio.h>

#define VERSION_MIN     140000 /* 14: the oldest that is maintained, and that knows pipelines well */
#define LIMITS_SQL_SIZE 256

const struct kw_pg_demand kw_pg_demands[] = {
    {"fsync", {"on", NULL}, "a power cut would damage the database"},
    {"full_page_writes", {"on", NULL}, "a power cut would leave half-written pages"},
    {"synchronous_commit",
     {"on", "remote_apply"},
     "what was acknowledged might not be on the disk"},
    {"data_checksums", {"on", NULL}, "a damaged page would be served as if it were whole"},
    {"ignore_checksum_failure", {"off", NULL}, "a damaged page would be served all the same"},
    {"zero_damaged_pages", {"off", NULL}, "a damaged page would become an empty one"},
    {"server_encoding", {"UTF8", NULL}, "texts would not come back as they went"},
};
const size_t kw_pg_demand_count = sizeof(kw_pg_demands) / sizeof(kw_pg_demands[0]);

struct kw_result kw_pg_demand_check(const struct kw_pg_demand *demand, const char *value,
                                    struct kw_error *err)
{
    KW_ENSURE(value != NULL, err, CONFIG_INVALID, "PostgreSQL does not know %s: %s", demand->name,
              demand->reason);
    for (size_t i = 0; i < 2 && demand->allowed[i] != NULL; i++) {
        if (strcmp(value, demand->allowed[i]) == 0) {
            return KW_OK;
        }
    }
    KW_FAIL(err, CONFIG_INVALID, "PostgreSQL has %s=%s, which must be %s%s%s: %s", demand->name,
            value, demand->allowed[0], demand->allowed[1] != NULL ? " or " : "",
            demand->allowed[1] != NULL ? demand->allowed[1] : "", demand->reason);
}

struct kw_result kw_pg_version_check(int version, struct kw_error *err)
{
    KW_ENSURE(version >= VERSION_MIN, err, CONFIG_INVALID,
              "PostgreSQL has version %d, which must be %d at least", version, VERSION_MIN);
    return KW_OK;
}

static struct kw_result check_demand(struct kw_conn *conn, const struct kw_pg_demand *demand,
                                     struct kw_error *err)
{
    PGresult *answer = NULL;
    struct kw_result result;

    KW_TRY(kw_pg_ask(conn, "SELECT current_setting($1, true)", demand->name, &answer, err));
    result = kw_pg_demand_check(demand, PQgetisnull(answer, 0, 0) ? NULL : PQgetvalue(answer, 0, 0),
                                err);
    PQclear(answer);
    return result;
}

/* Nobody waits long for a lock or for us, and a slow statement is told so and not waited for. */
struct kw_result kw_pg_limits(struct kw_conn *conn, struct kw_error *err)
{
    uint32_t statement_ms =
        conn->role == KW_CONN_READER ? conn->pg->read_ms_max : KW_PG_STATEMENT_MS;
    char sql[LIMITS_SQL_SIZE];

    (void)snprintf(sql, sizeof(sql),
                   "SET statement_timeout = %u; SET lock_timeout = %u;"
                   " SET idle_in_transaction_session_timeout = %u",
                   statement_ms, KW_PG_LOCK_MS, KW_PG_IDLE_MS);
    return kw_pg_tell(conn, "limits", sql, err);
}

/* A table may be large, and another instance may be at it. */
struct kw_result kw_pg_limits_of_migration(struct kw_conn *conn, struct kw_error *err)
{
    char sql[LIMITS_SQL_SIZE];

    (void)snprintf(sql, sizeof(sql), "SET statement_timeout = 0; SET lock_timeout = %u",
                   KW_PG_MIGRATE_LOCK_MS);
    return kw_pg_tell(conn, "limits", sql, err);
}

struct kw_result kw_pg_settings(struct kw_conn *conn, struct kw_error *err)
{
    KW_TRY(kw_pg_version_check(PQserverVersion(conn->pg->link), err));
    for (size_t i = 0; i < kw_pg_demand_count; i++) {
        KW_TRY(check_demand(conn, &kw_pg_demands[i], err));
    }
    return kw_pg_limits(conn, err);
}
