/* What PostgreSQL's backend makes of an address, a server's settings, and a migration's words, each a
 * table of its own. */
#include "common/store/postgres/postgres.h"
#include "tests/support/must.h"

#include <stdlib.h>

static struct kw_error err;

/* --- the URL --- */

static void never(const struct kw_error *error, void *context)
{
    (void)error;
    (void)context;
    cr_fatal("a store that never was has failed");
}

static enum kw_reason open_url(const char *url, const char *path)
{
    const struct kw_store_options options = {.url = url, .path = path, .failed = never};
    struct kw_loop *loop;
    struct kw_store *store;
    struct kw_result result;

    MUST(kw_loop_new(&loop, err));
    result = kw_store_open(loop, &options, &store, &err);
    kw_loop_free(loop);
    return result.reason;
}

Test(store_pg_rules, an_address_that_is_not_safe_is_refused_before_anybody_is_called)
{
    static const char *const urls[][2] = {
        {"", "neither a path nor a URL"},
        {"host=/tmp dbname=a", "does not begin with postgresql://"},
        {"postgresql://a@/b?host=/tmp&nonsense=1", "can't be read"},
        {"postgresql://a@/b", "names no host"},
        {"postgresql://a@/b?service=c", "names a service"},
        {"postgresql://a:hunter2@/b?host=/tmp", "a password in the database's URL"},
        {"postgresql://a@/b?host=/tmp&sslpassword=hunter2", "a password in the database's URL"},
        {"postgresql://a@127.0.0.1/b", "sslmode=verify-full"},
        {"postgresql://a@127.0.0.1/b?sslmode=require", "sslmode=verify-full"},
        {"postgresql://a@/b?host=/tmp,localhost", "sslmode=verify-full"},
        {"postgresql://a@/b?host=/tmp&hostaddr=127.0.0.1", "sslmode=verify-full"},
    };

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        cr_assert(eq(int, open_url(urls[i][0], NULL), KW_E_CONFIG_INVALID), "%s", urls[i][0]);
        cr_assert(ne(ptr, strstr(err.message, urls[i][1]), NULL), "%s: %s", urls[i][0],
                  err.message);
        cr_assert(eq(ptr, strstr(err.message, "hunter2"), NULL));
    }
    cr_assert(eq(int, open_url("postgresql://a@/b?host=/tmp", "/tmp/db"), KW_E_CONFIG_INVALID));
}

static void refuses_variable(const char *name)
{
    cr_assert(zero(int, setenv(name, "hunter2", 1)));
    cr_assert(
        eq(int, open_url("postgresql://a@/b?host=/nowhere/at/all", NULL), KW_E_CONFIG_INVALID),
        "%s: %s", name, err.message);
    cr_assert(zero(int, strncmp(err.message, name, strlen(name))), "%s: %s", name, err.message);
    cr_assert(eq(ptr, strstr(err.message, "hunter2"), NULL));
    cr_assert(zero(int, unsetenv(name)));
}

/* Written out, whatever this libpq says of itself; and what it says. */
Test(store_pg_rules, the_environment_changes_nothing_that_the_address_says)
{
    static const char *const names[] = {
        "PGHOST",        "PGHOSTADDR",   "PGPORT",      "PGDATABASE",    "PGUSER",
        "PGPASSWORD",    "PGPASSFILE",   "PGSERVICE",   "PGOPTIONS",     "PGSSLMODE",
        "PGREQUIREPEER", "PGSSLCERT",    "PGSSLKEY",    "PGSSLROOTCERT", "PGTARGETSESSIONATTRS",
        "PGSERVICEFILE", "PGSYSCONFDIR", "PGLOCALEDIR", "PGREQUIRESSL",  "PGTZ",
        "PGDATESTYLE",   "PGGEQO",
    };
    PQconninfoOption *options = PQconndefaults();

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        refuses_variable(names[i]);
    }
    cr_assert(ne(ptr, options, NULL));
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->envvar != NULL) {
            refuses_variable(option->envvar);
        }
    }
    PQconninfoFree(options);
    cr_assert(
        eq(int, open_url("postgresql://a@/b?host=/nowhere/at/all", NULL), KW_E_STORE_UNAVAILABLE));
}

Test(store_pg_rules, a_server_that_is_not_there_is_unavailable)
{
    cr_assert(
        eq(int, open_url("postgresql://a@/b?host=/nowhere/at/all", NULL), KW_E_STORE_UNAVAILABLE));
    cr_assert(ne(ptr, strstr(err.message, "/nowhere/at/all"), NULL));
}

/* --- the demands --- */

static enum kw_reason check(const char *name, const char *value)
{
    for (size_t i = 0; i < kw_pg_demand_count; i++) {
        if (strcmp(kw_pg_demands[i].name, name) == 0) {
            return kw_pg_demand_check(&kw_pg_demands[i], value, &err).reason;
        }
    }
    cr_fatal("nothing is demanded of %s", name);
}

Test(store_pg_rules, every_demand_takes_what_it_allows_and_nothing_else)
{
    for (size_t i = 0; i < kw_pg_demand_count; i++) {
        const struct kw_pg_demand *demand = &kw_pg_demands[i];

        MUST(kw_pg_demand_check(demand, demand->allowed[0], err));
        cr_assert(eq(int, kw_pg_demand_check(demand, "x", &err).reason, KW_E_CONFIG_INVALID));
        cr_assert(ne(ptr, strstr(err.message, demand->reason), NULL));
        cr_assert(eq(int, kw_pg_demand_check(demand, NULL, &err).reason, KW_E_CONFIG_INVALID));
    }
    cr_assert(eq(int, check("synchronous_commit", "remote_apply"), KW_E_NONE));
    cr_assert(eq(int, check("synchronous_commit", "local"), KW_E_CONFIG_INVALID));
    cr_assert(eq(str, err.message,
                 "PostgreSQL has synchronous_commit=local, which must be on or remote_apply: what "
                 "was acknowledged might not be on the disk"));
}

Test(store_pg_rules, a_server_that_is_too_old_is_refused)
{
    cr_assert(eq(int, kw_pg_version_check(139999, &err).reason, KW_E_CONFIG_INVALID));
    cr_assert(eq(int, kw_pg_version_check(140000, &err).reason, KW_E_NONE));
}

/* --- the words --- */

Test(store_pg_rules, a_migration_is_said_in_the_servers_words)
{
    static const char *const texts[][2] = {
        {"a INTEGER PRIMARY KEY,", "a BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"},
        {"a INTEGER NOT NULL", "a BIGINT NOT NULL"},
        {"(a BLOB)", "(a BYTEA)"},
        {"text TEXT UNIQUE", "text TEXT COLLATE \"C\" UNIQUE"},
        {"(a BLOB) STRICT;", "(a BYTEA) ;"},
        {"(a BLOB) WITHOUT ROWID", "(a BYTEA) "},
        {"a BLOBS, b_BLOB, BLOB_c", "a BLOBS, b_BLOB, BLOB_c"},
        {"'a BLOB' \"INTEGER\" 'TEXT", "'a BLOB' \"INTEGER\" 'TEXT"},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct kw_buf out = {0};

        MUST(kw_pg_translate(texts[i][0], &out, err));
        cr_assert(eq(str, (char *)out.data, (char *)texts[i][1]));
        kw_buf_done(&out);
    }
}

/* --- whole numbers --- */

struct numeric {
    uint16_t words[10];
    size_t count;
    bool whole;
    int64_t number;
};

/* Count, weight, sign, scale, digits to the base 10000. */
static const struct numeric numerics[] = {
    {{0, 0, 0, 0}, 4, true, 0},
    {{1, 0, 0, 0, 7}, 5, true, 7},
    {{1, 0, 0x4000, 0, 7}, 5, true, -7},
    {{1, 1, 0, 0, 12}, 5, true, 120000},
    {{2, 1, 0, 0, 1, 2345}, 6, true, 12345},
    {{5, 4, 0, 0, 922, 3372, 368, 5477, 5807}, 9, true, INT64_MAX},
    {{5, 4, 0x4000, 0, 922, 3372, 368, 5477, 5808}, 9, true, INT64_MIN},
    {{5, 4, 0, 0, 922, 3372, 368, 5477, 5808}, 9, false, 0},
    {{5, 4, 0x4000, 0, 922, 3372, 368, 5477, 5809}, 9, false, 0},
    {{1, 5, 0, 0, 1}, 5, false, 0},
    {{2, 0, 0, 1, 1, 5000}, 6, false, 0},
    {{1, 0xffff, 0, 1, 5000}, 5, false, 0},
    {{0, 0, 0xc000, 0}, 4, false, 0},
    {{2, 1, 0, 0, 1}, 5, false, 0},
    {{0, 0, 0}, 3, false, 0},
    {{0}, 0, false, 0},
};

Test(store_pg_rules, a_sum_is_a_whole_number_or_refused)
{
    for (size_t i = 0; i < sizeof(numerics) / sizeof(numerics[0]); i++) {
        uint8_t bytes[20];
        int64_t number = 0;

        for (size_t at = 0; at < numerics[i].count; at++) {
            bytes[2 * at] = (uint8_t)(numerics[i].words[at] >> 8);
            bytes[2 * at + 1] = (uint8_t)numerics[i].words[at];
        }
        cr_assert(eq(int, kw_pg_numeric(KW_BYTES(bytes, 2 * numerics[i].count), &number),
                     numerics[i].whole),
                  "%zu", i);
        cr_assert(numerics[i].whole ? number == numerics[i].number : number == 0, "%zu: %lld", i,
                  (long long)number);
    }
}
