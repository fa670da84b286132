/* PostgreSQL's SQLSTATEs as our reasons: the duplicate that a caller may cause, trouble that passes,
 * the mistakes that only we can make, and everything else, after which the link is given up. The
 * server's details may quote a row, so they are never repeated.
 */
#include "common/base/log.h"
#include "common/store/postgres/postgres.h"

enum meaning {
    DUPLICATE,
    PASSES,
    OUR_BUG,
    BREAKS
};

/* A state, or the two characters of a class. The first that fits. */
struct row {
    const char *state;
    enum meaning meaning;
    enum kw_reason passing;
};

/* https://www.postgresql.org/docs/15/errcodes-appendix.html */
static const struct row rows[] = {
    {"23505", DUPLICATE, KW_E_NONE},
    {"40", PASSES, KW_E_STORE_UNAVAILABLE},    /* serialization failure, deadlock */
    {"55P03", PASSES, KW_E_STORE_UNAVAILABLE}, /* lock timeout */
    {"57014", PASSES, KW_E_STORE_UNAVAILABLE}, /* statement timeout */
    {"53100", PASSES, KW_E_STORE_FULL},
    {"53200", PASSES, KW_E_MEMORY},
    {"25P03", BREAKS, KW_E_NONE}, /* idle for too long: it has hung up */
    {"0A000", BREAKS, KW_E_NONE}, /* a table changed under a prepared statement: prepare anew */
    {"0A", OUR_BUG, KW_E_NONE},
    {"21", OUR_BUG, KW_E_NONE},
    {"22", OUR_BUG, KW_E_NONE}, /* a value that can't be */
    {"23", OUR_BUG, KW_E_NONE}, /* any other constraint */
    {"25", OUR_BUG, KW_E_NONE}, /* a read job that writes; a job that went on after a failure */
    {"26", OUR_BUG, KW_E_NONE},
    {"3B", OUR_BUG, KW_E_NONE},
    {"42", OUR_BUG, KW_E_NONE}, /* wrong SQL; no right to the table */
    {"54", OUR_BUG, KW_E_NONE},
};

static const struct row *row_of(const char *state)
{
    static const struct row lost = {"", BREAKS, KW_E_NONE};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strncmp(state, rows[i].state, strlen(rows[i].state)) == 0) {
            return &rows[i];
        }
    }
    return &lost;
}

/* The primary message names tables and constraints, except of wrong values (class 22), which it
 * quotes. */
static const char *text_of(const PGresult *result, const char *state)
{
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (text == NULL) {
        return "the connection is lost";
    }
    return strncmp(state, "22", 2) == 0 ? "a value is refused" : text;
}

struct kw_result kw_pg_error(struct kw_conn *conn, const PGresult *result, const char *what,
                             struct kw_error *err)
{
    const char *told = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *state = told != NULL ? told : "";
    const struct row *row = row_of(state);
    const char *text = text_of(result, state);

    if (row->meaning == DUPLICATE) {
        KW_FAIL(err, ALREADY_EXISTS, "%s: %s (%s)", what, text, state);
    }
    if (row->meaning == OUR_BUG) {
        KW_FAIL(err, INTERNAL, "%s: %s (%s)", what, text, state);
    }
    if (row->meaning == PASSES) {
        conn->trouble = row->passing;
        return kw_error_make(err, row->passing, __FILE__, __LINE__, "%s: %s (%s)", what, text,
                             state);
    }
    conn->broken = true;
    KW_FAIL(err, STORE_UNAVAILABLE, "%s: %s (%s)", what, text, state);
}

void kw_pg_notice(void *context, const PGresult *notice)
{
    struct kw_conn *conn = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *state = PQresultErrorField(notice, PG_DIAG_SQLSTATE);

    if (severity != NULL && strcmp(severity, "WARNING") == 0) {
        conn->pg->warned = true;
        KW_LOG(WARN, "postgresql warns", KW_F_STR("state", state));
        return;
    }
    KW_LOG(DEBUG, "postgresql says", KW_F_STR("state", state));
}
