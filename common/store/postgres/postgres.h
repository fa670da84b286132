/* What the files of this folder share. Nobody outside needs it but tests of the tables. */
#ifndef KW_COMMON_STORE_POSTGRES_H
#define KW_COMMON_STORE_POSTGRES_H

#include "common/store/backend.h"

#include <libpq-fe.h>

#define KW_PG_NAME_SIZE 32

struct kw_pg {
    PGconn *link;        /* NULL: there is none at present */
    uint32_t generation; /* of the link: statements are prepared on one */
    char *url;
    uint32_t read_ms_max;
    bool open;                        /* in a transaction, seen from here */
    const char *owed[KW_PG_OWED_MAX]; /* control statements that go ahead of the next thing sent */
    size_t owed_count;
    bool warned;  /* the server warned during the last exchange */
    bool defers;  /* there are constraints that may be checked late */
    bool known;   /* `store_id` is, and `place` */
    bool foreign; /* another database answers, or another server with it: for ever */
    struct kw_id store_id;
    char place[KW_STORE_PLACE_SIZE];
    uint64_t retry_at_ns;
    uint32_t back_off_ms;
    uint64_t named; /* statements so far: each has a name of its own */
};

struct kw_pg_stmt {
    char name[KW_PG_NAME_SIZE];
    uint32_t generation;                   /* of the link it is prepared on; 0: none */
    int parameters;                        /* $1 … $parameters */
    bool guarded;                          /* a duplicate must not take the whole job with it */
    bool bad_index;                        /* a parameter was bound that there is not */
    bool named[KW_STORE_PARAMETERS_MAX];   /* the text has it: there may be gaps */
    Oid prepared[KW_STORE_PARAMETERS_MAX]; /* types; 0: the server's guess */
    Oid types[KW_STORE_PARAMETERS_MAX];    /* of what is bound; 0: nothing is, that is NULL */
    const char *values[KW_STORE_PARAMETERS_MAX];
    int lengths[KW_STORE_PARAMETERS_MAX];
    char numbers[KW_STORE_PARAMETERS_MAX][sizeof(int64_t)];
    PGresult *result;
    int row; /* of the result; the next step goes on behind it */
    int64_t changed;
};

/* --- link.c --- */

/* Fails: CONFIG_INVALID (no URL of PostgreSQL; with a password in it; a network without
 * verify-full; a variable of libpq in the environment). */
struct kw_result kw_pg_claim(const struct kw_store_options *options, int *ret_fd,
                             struct kw_error *err);

struct kw_result kw_pg_open(struct kw_conn *conn, const struct kw_store_options *options,
                            enum kw_conn_role role, struct kw_error *err);
void kw_pg_close(struct kw_conn *conn);

/* A link that works: the one there is, or a new one when it is time to try. Fails:
 * STORE_UNAVAILABLE, INTERNAL (another database answers). */
struct kw_result kw_pg_ready(struct kw_conn *conn, struct kw_error *err);

/* Gives the link up, and what was prepared on it. */
void kw_pg_drop(struct kw_conn *conn);

/* Reads which store this is, and where, and holds both against what they were. Fails: STORE_UNAVAILABLE, INTERNAL. */
struct kw_result kw_pg_identify(struct kw_conn *conn, struct kw_error *err);

/* --- settings.c --- */

/* What a server must say before anything is trusted to it. */
struct kw_pg_demand {
    const char *name;
    const char *allowed[2]; /* NULL: no second */
    const char *reason;     /* what would happen otherwise */
};

extern const struct kw_pg_demand kw_pg_demands[];
extern const size_t kw_pg_demand_count;

/* Fails: CONFIG_INVALID. `value` NULL: the server does not know the setting. */
struct kw_result kw_pg_demand_check(const struct kw_pg_demand *demand, const char *value,
                                    struct kw_error *err);
struct kw_result kw_pg_version_check(int version, struct kw_error *err);

/* Checks the demands, and sets what is set for one connection. Fails: CONFIG_INVALID,
 * STORE_UNAVAILABLE. */
struct kw_result kw_pg_settings(struct kw_conn *conn, struct kw_error *err);

/* The connection's limits in time, and those of a migration. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_pg_limits(struct kw_conn *conn, struct kw_error *err);
struct kw_result kw_pg_limits_of_migration(struct kw_conn *conn, struct kw_error *err);

/* --- dialect.c --- */

/* The text of a migration in PostgreSQL's words, appended to `out`. Fails: MEMORY. */
struct kw_result kw_pg_translate(const char *sql, struct kw_buf *out, struct kw_error *err);

/* --- error.c --- */

/* The error that `result` tells, or the link when NULL; `what` is put in front. Notes in the
 * connection what it means for it: `broken`, `trouble`. */
struct kw_result kw_pg_error(struct kw_conn *conn, const PGresult *result, const char *what,
                             struct kw_error *err);

/* Logs what the server has to say beside its answers, without a word of the data. */
void kw_pg_notice(void *conn, const PGresult *notice);

/* --- pipeline.c --- */

/* A control statement that goes ahead of whatever is sent next. Fails: as kw_pg_flush. */
struct kw_result kw_pg_owe(struct kw_conn *conn, const char *sql, struct kw_error *err);

/* Sends what is owed. `*ret_last` (may be NULL) is the last statement's result, the caller's to
 * clear. Fails: as kw_pg_error. */
struct kw_result kw_pg_flush(struct kw_conn *conn, PGresult **ret_last, struct kw_error *err);

/* Sends what is owed and the statement, in one exchange; its result is in stmt->pg->result. Fails:
 * as kw_pg_error. */
struct kw_result kw_pg_run(struct kw_stmt *stmt, struct kw_error *err);

/* Outside of any exchange; nothing may be owed. A script is any number of statements and takes as long as it takes,
 * what is told is answered soon; a question has one parameter, or none, and its answer is the caller's to clear. Fail:
 * as kw_pg_error. */
struct kw_result kw_pg_script(struct kw_conn *conn, const char *what, const char *sql,
                              struct kw_error *err);
struct kw_result kw_pg_tell(struct kw_conn *conn, const char *what, const char *sql,
                            struct kw_error *err);
struct kw_result kw_pg_ask(struct kw_conn *conn, const char *sql, const char *parameter,
                           PGresult **ret_answer, struct kw_error *err);

/* --- numeric.c --- */

/* False: it is no whole number, or too large. */
bool kw_pg_numeric(struct kw_bytes bytes, int64_t *ret_number);

/* --- statement.c --- */

struct kw_result kw_pg_prepare(struct kw_conn *conn, const char *sql, struct kw_stmt *stmt,
                               struct kw_error *err);
void kw_pg_finalize(struct kw_stmt *stmt);
void kw_pg_unbind(struct kw_stmt *stmt);
void kw_pg_rewind(struct kw_stmt *stmt);
void kw_pg_bind_blob(struct kw_stmt *stmt, int index, struct kw_bytes value);
void kw_pg_bind_text(struct kw_stmt *stmt, int index, const char *value);
void kw_pg_bind_i64(struct kw_stmt *stmt, int index, int64_t value);
struct kw_result kw_pg_step(struct kw_stmt *stmt, bool *ret_row, struct kw_error *err);
int64_t kw_pg_changed(const struct kw_stmt *stmt);
struct kw_bytes kw_pg_col_blob(struct kw_stmt *stmt, int column);
const char *kw_pg_col_text(struct kw_stmt *stmt, int column);
int64_t kw_pg_col_i64(struct kw_stmt *stmt, int column);
bool kw_pg_col_is_null(struct kw_stmt *stmt, int column);

#endif
