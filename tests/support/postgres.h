/* A PostgreSQL server of the test's own: made by initdb in a temporary directory, as safe as the store
 * wants it, reached by a socket in that directory and by no port, and gone when its test is.
 *
 * A binary that links this file has its stores on PostgreSQL (store_fixture.h): one server for the
 * whole binary, one schema of it for each store. A test that kills or spoils its server starts one more.
 */
#ifndef KW_TESTS_SUPPORT_POSTGRES_H
#define KW_TESTS_SUPPORT_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#define POSTGRES_URL_SIZE 160

struct postgres {
    char dir[64]; /* of the data, the log and the socket */
    pid_t pid;    /* 0: it does not run */
};

/* Skips the test where PostgreSQL is not installed. Fails it when something else is wrong, like
 * everything here. */
void postgres_init(struct postgres *pg);
void postgres_done(struct postgres *pg);

/* Starts it and waits until it serves, with one more setting ("fsync=off") or NULL. */
void postgres_start(struct postgres *pg, const char *setting);

/* Ends it: as an operator does, or as a power cut does to all of its processes. */
void postgres_stop(struct postgres *pg);
void postgres_kill(struct postgres *pg);

/* One of the server's tools, e.g. pg_checksums, with the data directory and one more argument. */
void postgres_tool(const struct postgres *pg, const char *name, const char *argument);

/* The server of the whole binary. */
__attribute__((weak)) const struct postgres *postgres_shared(void);

/* A database with a name that nobody has; its URL. `options` (may be "") go behind CREATE DATABASE. */
void postgres_database(const struct postgres *pg, const char *options,
                       char url[static POSTGRES_URL_SIZE]);

/* As good as a database of its own to a store, and made in no time. */
__attribute__((weak)) void postgres_schema(const struct postgres *pg,
                                           char url[static POSTGRES_URL_SIZE]);

/* For fixtures that many binaries share: false where this file is not linked. */
static inline bool postgres_if_linked(char url[static POSTGRES_URL_SIZE])
{
    bool linked = postgres_shared != NULL;

    if (linked) {
        postgres_schema(postgres_shared(), url);
    }
    return linked;
}

/* A statement with SQLite's x'00' as PostgreSQL has it; `text` is cut where it ends. Returns `text`. */
static inline const char *postgres_bytes(const char *sql, char *text, size_t size)
{
    size_t length = 0;

    for (const char *at; length < size && (at = strstr(sql, "x'")) != NULL;
         sql = strchr(at + 2, '\'') + 1) {
        length += (size_t)snprintf(text + length, size - length, "%.*s'\\x%.*s'::bytea",
                                   (int)(at - sql), sql, (int)strcspn(at + 2, "'"), at + 2);
    }
    if (length < size) {
        (void)snprintf(text + length, size - length, "%s", sql);
    }
    return text;
}

/* Runs one statement, as the server's superuser, in the database of that URL. The number it returns,
 * or 0. */
__attribute__((weak)) long postgres_sql(const char *url, const char *sql);

#endif
