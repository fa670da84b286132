/* A store in a directory of its own, with a loop thread, so that a test may block: it hands in a
 * job and waits. In a binary that links postgres.c it is a PostgreSQL database of its own. */
#ifndef KW_TESTS_SUPPORT_STORE_FIXTURE_H
#define KW_TESTS_SUPPORT_STORE_FIXTURE_H

#include "common/store/store.h"

#include <pthread.h>

struct store_fixture {
    char dir[64];
    char path[80];
    char url[160]; /* "": the store is the file of that path */
    struct kw_loop *loop;
    struct kw_store *store;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what jobs and calls report, and what follows */
    pthread_cond_t changed;
    uint32_t read_ms_max; /* before it is opened; 0: as the product has it */
    int failures;         /* calls of the store's `failed` */
    struct kw_error failure;
};

/* A job with room for what the tests' `run` functions need. */
struct store_test_job {
    struct kw_store_job job;
    struct store_fixture *fixture;
    bool answered;
    int64_t id;
    const char *text;
    int64_t number; /* what the job found */
};

/* What a job runs. */
#define STORE_TEST_RUN(name)                                                                       \
    struct kw_result name(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)

/* Table t(id, text UNIQUE). */
extern const struct kw_migration store_test_schema[1];

void store_fixture_init(struct store_fixture *f);
void store_fixture_init_in(struct store_fixture *f, const char *parent); /* else in /tmp */
void store_fixture_done(struct store_fixture *f);                        /* removes the directory */

struct kw_result store_fixture_open(struct store_fixture *f, const struct kw_migration *migrations,
                                    size_t count, struct kw_error *err);
void store_fixture_close(struct store_fixture *f); /* accepts one that is not open */

/* Of a store that is closed, and is a file: a copy of it is kept, and takes its place, or is written into the same file. */
void store_fixture_keep(const struct store_fixture *f);
void store_fixture_restore(const struct store_fixture *f);
void store_fixture_set_back(const struct store_fixture *f);

/* Runs `function` on the loop thread and waits for it. */
void store_fixture_call(struct store_fixture *f, void (*function)(void *context), void *context);

struct store_test_job store_test_job(struct store_fixture *f, STORE_TEST_RUN((*run)), int64_t id,
                                     const char *text);

/* Waits for the answer. */
void store_test_wait(struct store_test_job *job);

/* Hands in and waits; the result is the job's, or the refusal. */
struct kw_result store_test_write(struct store_test_job *job);
struct kw_result store_test_read(struct store_test_job *job);

/* Hands in all in one turn of the loop; how many were taken. */
size_t store_test_write_all(struct store_fixture *f, struct store_test_job *jobs, size_t count);

/* INSERT INTO t (id, text), and SELECT count(*) FROM t into `number`. */
STORE_TEST_RUN(store_test_insert);
STORE_TEST_RUN(store_test_count);

/* How many rows there are now. */
int64_t store_test_rows(struct store_fixture *f);

#endif
