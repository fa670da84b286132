/* The store as its user sees it: opening, handing in jobs, closing. The work is in writer.c and
 * reader.c. */
#include "common/store/store_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Static_assert(offsetof(struct kw_store_job, mail) == 0, "a job is found by its mail");

#define THREAD_NAME_SIZE 16 /* the kernel's limit, with the NUL */

/* --- threads --- */

/* Signals are the loop thread's business. Those that report a fault in the thread itself can't be
 * kept away. */
static void mask_all_signals(sigset_t *ret_old)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
    sigset_t mask;

    (void)sigfillset(&mask);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        (void)sigdelset(&mask, faults[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &mask, ret_old);
}

static struct kw_result start_thread(struct kw_store *store, const char *name,
                                     void *(*body)(void *store), struct kw_error *err)
{
    pthread_t *thread = &store->threads[store->thread_count];
    sigset_t old;
    int code;

    mask_all_signals(&old);
    code = pthread_create(thread, NULL, body, store);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    KW_ENSURE(code == 0, err, STORE_UNAVAILABLE, "no thread for %s: error %d", name, code);
    store->thread_count++;
    (void)pthread_setname_np(*thread, name);
    return KW_OK;
}

static struct kw_result start_threads(struct kw_store *store, struct kw_error *err)
{
    KW_TRY(start_thread(store, "kw-writer", kw_store_writer_main, err));
    for (int i = 0; i < KW_STORE_READERS; i++) {
        char name[THREAD_NAME_SIZE];

        (void)snprintf(name, sizeof(name), "kw-reader-%c", 'a' + i);
        KW_TRY(start_thread(store, name, kw_store_reader_main, err));
    }
    return KW_OK;
}

/* --- opening and closing --- */

/* Once a turn, after everything that arrived was handed in: the writer finds it all in one group.
 */
static void wake_writer(struct kw_flush *flush)
{
    struct kw_store *store = (struct kw_store *)((char *)flush - offsetof(struct kw_store, flush));

    kw_job_queue_wake(&store->writes);
}

static struct kw_store *new_store(struct kw_loop *loop, const struct kw_store_options *options)
{
    struct kw_store *store = calloc(1, sizeof(*store));
    struct kw_store_failure *failure = calloc(1, sizeof(*failure));

    if (store == NULL || failure == NULL) {
        free(store);
        free(failure);
        return NULL;
    }
    failure->failed = options->failed;
    failure->context = options->context;
    store->failure = failure;
    store->loop = loop;
    store->flush.run = wake_writer;
    store->lock_fd = -1;
    store->read_ms_max = options->read_ms_max > 0 ? options->read_ms_max : KW_STORE_READ_MS_MAX;
    kw_job_queue_init(&store->writes, "store_writes");
    kw_job_queue_init(&store->reads, "store_reads");
    return store;
}

static struct kw_result migrate_and_identify(struct kw_store *store,
                                             const struct kw_store_options *options,
                                             struct kw_error *err)
{
    KW_TRY(kw_store_migrate(&store->writer, options->migrations, options->migration_count, err));
    return kw_store_identity(&store->writer, &store->id, err);
}

static struct kw_result migrate(struct kw_store *store, const struct kw_store_options *options,
                                struct kw_error *err)
{
    struct kw_conn *writer = &store->writer;

    if (writer->backend->migrate_begin == NULL) {
        return migrate_and_identify(store, options, err);
    }
    KW_TRY(writer->backend->migrate_begin(writer, err));
    KW_TRY(migrate_and_identify(store, options, err)); /* else closing gives the lock up */
    return writer->backend->migrate_end(writer, err);
}

/* Is it another one than last time? */
static struct kw_result look_at_place(struct kw_conn *writer, struct kw_error *err)
{
    if (writer->backend->session != NULL) {
        KW_TRY(writer->backend->session(writer, err));
    }
    return writer->backend->place(writer, writer->place, err);
}

static struct kw_result open_database(struct kw_store *store,
                                      const struct kw_store_options *options, struct kw_error *err)
{
    const struct kw_backend *backend = options->url != NULL ? &kw_pg_backend : &kw_sqlite_backend;

    KW_TRY(backend->claim(options, &store->lock_fd, err));
    KW_TRY(backend->open(&store->writer, options, KW_CONN_WRITER, err));
    KW_TRY(migrate(store, options, err));
    KW_TRY(look_at_place(&store->writer, err));
    kw_store_room_look(&store->room, store->lock_fd);
    for (int i = 0; i < KW_STORE_READERS; i++) {
        KW_TRY(backend->open(&store->readers[i], options, KW_CONN_READER, err));
    }
    return start_threads(store, err);
}

static bool is_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

struct kw_result kw_store_open(struct kw_loop *loop, const struct kw_store_options *options,
                               struct kw_store **ret_store, struct kw_error *err)
{
    struct kw_store *store;
    struct kw_result result;

    KW_ENSURE(is_text(options->path) || is_text(options->url), err, CONFIG_INVALID,
              "the database has neither a path nor a URL");
    KW_ENSURE(options->path == NULL || options->url == NULL, err, CONFIG_INVALID,
              "the database has a path and a URL");
    KW_ENSURE(options->failed != NULL, err, CONFIG_INVALID,
              "nobody listens to the store's failure");
    store = new_store(loop, options);
    KW_ENSURE(store != NULL, err, STORE_UNAVAILABLE, "out of memory");
    result = open_database(store, options, err);
    if (!kw_ok(result)) {
        kw_store_close(store);
        return result;
    }
    *ret_store = store;
    return KW_OK;
}

struct kw_id kw_store_id(const struct kw_store *store)
{
    return store->id;
}

static void free_store(struct kw_flush *flush)
{
    free((char *)flush - offsetof(struct kw_store, flush));
}

void kw_store_close(struct kw_store *store)
{
    if (store == NULL) {
        return;
    }
    kw_job_queue_close(&store->writes);
    kw_job_queue_close(&store->reads);
    for (size_t i = 0; i < store->thread_count; i++) {
        (void)pthread_join(store->threads[i], NULL);
    }
    for (int i = 0; i < KW_STORE_READERS; i++) {
        kw_conn_close(&store->readers[i]);
    }
    kw_conn_close(&store->writer); /* the last one: it checkpoints */
    if (store->lock_fd >= 0) {
        (void)close(store->lock_fd);
    }
    kw_job_queue_done(&store->reads);
    kw_job_queue_done(&store->writes);
    free(store->failure);
    /* Still marked: the loop has it in hand, and frees it at the end of this turn. */
    if (store->flush.marked) {
        store->flush.run = free_store;
    } else {
        free(store);
    }
}

/* --- jobs --- */

static void deliver(struct kw_mail *mail)
{
    struct kw_store_job *job = (struct kw_store_job *)mail;

    job->done(job);
}

void kw_store_answer(struct kw_store *store, struct kw_store_job *job, struct kw_result result)
{
    job->result = result;
    kw_loop_post(store->loop, &job->mail);
}

static struct kw_result hand_in(struct kw_store *store, struct kw_job_queue *queue,
                                struct kw_store_job *job, struct kw_error *err)
{
    KW_ENSURE(!atomic_load(&store->failed), err, STORE_UNAVAILABLE, "the store has failed");
    job->mail = (struct kw_mail){.deliver = deliver};
    job->result = KW_OK;
    job->error = (struct kw_error){0};
    return kw_job_queue_push(queue, job, err);
}

struct kw_result kw_store_write(struct kw_store *store, struct kw_store_job *job,
                                struct kw_error *err)
{
    if (!job->vital) {
        KW_TRY(kw_store_room(store, err));
    }
    KW_TRY(hand_in(store, &store->writes, job, err));
    kw_loop_mark(store->loop, &store->flush);
    return KW_OK;
}

struct kw_result kw_store_read(struct kw_store *store, struct kw_store_job *job,
                               struct kw_error *err)
{
    KW_TRY(hand_in(store, &store->reads, job, err));
    kw_job_queue_wake(&store->reads);
    return KW_OK;
}

bool kw_store_alive(struct kw_store *store)
{
    return !atomic_load(&store->failed);
}

bool kw_store_may_pass(struct kw_store *store, enum kw_reason reason)
{
    bool passes = reason == KW_E_STORE_FULL || reason == KW_E_MEMORY ||
                  reason == KW_E_LIMIT_REACHED || reason == KW_E_STORE_UNAVAILABLE ||
                  reason == KW_E_SYSTEM;

    return passes && kw_store_alive(store);
}

void kw_store_stats(struct kw_store *store, struct kw_store_stats *ret_stats)
{
    const struct kw_store_counters *counters = &store->counters;

    *ret_stats = (struct kw_store_stats){
        .commits = atomic_load(&counters->commits),
        .writes = atomic_load(&counters->writes),
        .writes_failed = atomic_load(&counters->writes_failed),
        .undone = atomic_load(&counters->undone),
        .reads = atomic_load(&counters->reads),
        .checkpoints = atomic_load(&counters->checkpoints),
        .wal_pages = (uint64_t)atomic_load(&counters->wal_pages),
        .writes_waiting = kw_job_queue_count(&store->writes),
        .reads_waiting = kw_job_queue_count(&store->reads),
    };
}
