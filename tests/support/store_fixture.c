/* The store's test fixture: a loop thread to run the store's callbacks, and waiting from outside
 * it. */
#include "tests/support/store_fixture.h"

#include "common/base/file.h"
#include "tests/support/postgres.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

const struct kw_migration store_test_schema[1] = {
    {"0001_initial", "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT UNIQUE)"},
};

/* --- the loop thread --- */

struct call {
    struct kw_mail mail;
    struct store_fixture *fixture;
    void (*function)(void *context);
    void *context;
    bool returned;
};

static void *run_loop(void *context)
{
    struct store_fixture *f = context;

    kw_loop_run(f->loop);
    return NULL;
}

static void report(struct store_fixture *f, bool *what)
{
    pthread_mutex_lock(&f->mutex);
    *what = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

static void await(struct store_fixture *f, const bool *what)
{
    pthread_mutex_lock(&f->mutex);
    while (!*what) {
        pthread_cond_wait(&f->changed, &f->mutex);
    }
    pthread_mutex_unlock(&f->mutex);
}

static void deliver_call(struct kw_mail *mail)
{
    struct call *call = (struct call *)mail;

    call->function(call->context);
    report(call->fixture, &call->returned);
}

void store_fixture_call(struct store_fixture *f, void (*function)(void *context), void *context)
{
    struct call call = {{.deliver = deliver_call}, f, function, context, false};

    kw_loop_post(f->loop, &call.mail);
    await(f, &call.returned);
}

/* --- opening and closing --- */

void store_fixture_init(struct store_fixture *f)
{
    store_fixture_init_in(f, "/tmp");
}

void store_fixture_init_in(struct store_fixture *f, const char *parent)
{
    *f = (struct store_fixture){.dir = ""};
    (void)snprintf(f->dir, sizeof(f->dir), "%s/kw-store-XXXXXX", parent);
    cr_assert(ne(ptr, mkdtemp(f->dir), NULL));
    (void)snprintf(f->path, sizeof(f->path), "%s/db", f->dir);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->changed, NULL);
    (void)postgres_if_linked(f->url);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

void store_fixture_done(struct store_fixture *f)
{
    if (f->dir[0] == '\0') { /* a test that was skipped before */
        return;
    }
    store_fixture_close(f);
    (void)nftw(f->dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->mutex);
}

static void note_failure(const struct kw_error *error, void *context)
{
    struct store_fixture *f = context;

    pthread_mutex_lock(&f->mutex);
    f->failures++;
    f->failure = *error;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

struct kw_result store_fixture_open(struct store_fixture *f, const struct kw_migration *migrations,
                                    size_t count, struct kw_error *err)
{
    bool remote = f->url[0] != '\0';
    struct kw_store_options options = {
        .path = remote ? NULL : f->path,
        .url = remote ? f->url : NULL,
        .migrations = migrations,
        .migration_count = count,
        .failed = note_failure,
        .context = f,
        .read_ms_max = f->read_ms_max,
    };
    struct kw_result result;

    KW_TRY(kw_loop_new(&f->loop, err));
    result = kw_store_open(f->loop, &options, &f->store, err);
    if (!kw_ok(result)) {
        kw_loop_free(f->loop);
        f->loop = NULL;
        return result;
    }
    cr_assert(zero(int, pthread_create(&f->thread, NULL, run_loop, f)));
    return KW_OK;
}

static void close_on_loop(void *context)
{
    struct store_fixture *f = context;

    kw_store_close(f->store);
    kw_loop_stop(f->loop);
}

void store_fixture_close(struct store_fixture *f)
{
    if (f->loop == NULL) {
        return;
    }
    store_fixture_call(f, close_on_loop, f);
    pthread_join(f->thread, NULL);
    kw_loop_free(f->loop);
    f->loop = NULL;
    f->store = NULL;
}

static void kept_path(const struct store_fixture *f, char path[96])
{
    (void)snprintf(path, 96, "%s.kept", f->path);
}

/* Into the file that is there, if there is one. */
static void copy_file(const char *from, const char *to)
{
    struct kw_buf bytes = {0};
    struct kw_error err;
    FILE *file;

    cr_assert(zero(int, kw_file_read(from, 1U << 24, &bytes, &err).reason), "%s", err.message);
    file = fopen(to, "we");
    cr_assert(ne(ptr, file, NULL));
    cr_assert(eq(sz, fwrite(bytes.data, 1, bytes.len, file), bytes.len));
    cr_assert(zero(int, fclose(file)));
    kw_buf_done(&bytes);
}

void store_fixture_keep(const struct store_fixture *f)
{
    char path[96];

    kept_path(f, path);
    copy_file(f->path, path);
}

void store_fixture_restore(const struct store_fixture *f)
{
    char path[96];

    kept_path(f, path);
    cr_assert(zero(int, rename(path, f->path)));
}

void store_fixture_set_back(const struct store_fixture *f)
{
    char path[96];

    kept_path(f, path);
    copy_file(path, f->path);
}

/* --- jobs --- */

static void on_done(struct kw_store_job *job)
{
    struct store_test_job *mine = (struct store_test_job *)job;

    report(mine->fixture, &mine->answered);
}

struct store_test_job store_test_job(struct store_fixture *f, STORE_TEST_RUN((*run)), int64_t id,
                                     const char *text)
{
    return (struct store_test_job){
        .job = {.run = run, .done = on_done}, .fixture = f, .id = id, .text = text};
}

struct hand_in {
    struct store_test_job *jobs;
    size_t count;
    size_t taken;
    struct kw_result (*hand_in)(struct kw_store *store, struct kw_store_job *job,
                                struct kw_error *err);
    struct kw_result result;
};

static void hand_in_on_loop(void *context)
{
    struct hand_in *in = context;

    for (size_t i = 0; i < in->count; i++) {
        struct store_test_job *mine = &in->jobs[i];

        mine->answered = false;
        in->result = in->hand_in(mine->fixture->store, &mine->job, NULL);
        in->taken += kw_ok(in->result) ? 1 : 0;
    }
}

void store_test_wait(struct store_test_job *job)
{
    await(job->fixture, &job->answered);
}

static struct kw_result hand_in_and_wait(struct hand_in *in)
{
    store_fixture_call(in->jobs->fixture, hand_in_on_loop, in);
    KW_TRY(in->result);
    store_test_wait(in->jobs);
    return in->jobs->job.result;
}

struct kw_result store_test_write(struct store_test_job *job)
{
    return hand_in_and_wait(&(struct hand_in){.jobs = job, .count = 1, .hand_in = kw_store_write});
}

struct kw_result store_test_read(struct store_test_job *job)
{
    return hand_in_and_wait(&(struct hand_in){.jobs = job, .count = 1, .hand_in = kw_store_read});
}

size_t store_test_write_all(struct store_fixture *f, struct store_test_job *jobs, size_t count)
{
    struct hand_in in = {.jobs = jobs, .count = count, .hand_in = kw_store_write};

    store_fixture_call(f, hand_in_on_loop, &in);
    return in.taken;
}

struct kw_result store_test_insert(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct store_test_job *mine = (struct store_test_job *)job;
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, "INSERT INTO t (id, text) VALUES ($1, $2)", &stmt, err));
    kw_bind_i64(stmt, 1, mine->id);
    kw_bind_text(stmt, 2, mine->text);
    return kw_exec(stmt, &mine->number, err);
}

struct kw_result store_test_count(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT count(*) FROM t", &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    ((struct store_test_job *)job)->number = kw_col_i64(stmt, 0);
    return KW_OK;
}

int64_t store_test_rows(struct store_fixture *f)
{
    struct store_test_job job = store_test_job(f, store_test_count, 0, NULL);

    cr_assert(zero(int, store_test_read(&job).reason));
    return job.number;
}
