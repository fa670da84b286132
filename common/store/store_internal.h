/* What the store's own files share above the backends: queue, room, and the store itself. Not for
 * users of store.h.
 *
 * Who touches what: a connection belongs to one thread (backend.h). Between threads there are only
 * the two queues, each with its own mutex, and the atomics of struct kw_store. No thread ever holds
 * two locks.
 */
#ifndef KW_COMMON_STORE_INTERNAL_H
#define KW_COMMON_STORE_INTERNAL_H

#include "common/store/backend.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- sql.c --- */

/* Runs `job` on `conn`, in a transaction that the caller began, and settles. */
struct kw_result kw_store_run_job(struct kw_conn *conn, struct kw_store_job *job,
                                  struct kw_error *err);

/* --- migrate.c --- */

/* Brings the schema up to date. Fails: CONFIG_INVALID (the database's history is not a prefix of
 * `migrations`), INTERNAL (bad SQL), STORE_UNAVAILABLE. A migration that fails leaves nothing
 * behind. */
struct kw_result kw_store_migrate(struct kw_conn *conn, const struct kw_migration *migrations,
                                  size_t count, struct kw_error *err);

/* --- identity.c --- */

/* The id of this database, drawn at its first opening. Fails: STORE_UNAVAILABLE, INTERNAL (what is
 * stored is no id), SYSTEM. */
struct kw_result kw_store_identity(struct kw_conn *conn, struct kw_id *ret_id,
                                   struct kw_error *err);

/* --- queue.c: jobs on their way to a thread --- */

struct kw_job_queue {
    const char *name;      /* of its gauge */
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t wake;
    struct kw_store_job *first;
    struct kw_store_job **end;
    size_t count;
    bool closing;
};

void kw_job_queue_init(struct kw_job_queue *queue, const char *name);
void kw_job_queue_done(struct kw_job_queue *queue);

/* Appends without waking anybody. Fails: LIMIT_REACHED. */
struct kw_result kw_job_queue_push(struct kw_job_queue *queue, struct kw_store_job *job,
                                   struct kw_error *err);

void kw_job_queue_wake(struct kw_job_queue *queue);

/* Nothing is pushed any more; takers get what is left and then NULL. */
void kw_job_queue_close(struct kw_job_queue *queue);

/* Waits for work and takes up to `max` jobs in order, linked by `next`. NULL: closed and empty. */
struct kw_store_job *kw_job_queue_take(struct kw_job_queue *queue, size_t max);

size_t kw_job_queue_count(struct kw_job_queue *queue);

/* --- room.c: what is left of the disk --- */

struct kw_store_room {
    atomic_bool none;
    atomic_uint_fast64_t looked_ns;
};

/* Looks how much is free, unless that was just done. `fd` is on the database's disk; -1: that is not
 * ours to see, and what was refused is let in again after a while. Any thread. */
void kw_store_room_look(struct kw_store_room *room, int fd);

/* The disk itself refused. */
void kw_store_room_refused(struct kw_store_room *room);

/* --- the store --- */

/* The news that the store has failed. It has memory of its own because it may arrive after the
 * store is closed. */
struct kw_store_failure {
    struct kw_mail mail;
    struct kw_error error;
    void (*failed)(const struct kw_error *error, void *context);
    void *context;
};

struct kw_store_counters {
    atomic_uint_fast64_t commits;
    atomic_uint_fast64_t writes;
    atomic_uint_fast64_t writes_failed;
    atomic_uint_fast64_t undone;
    atomic_uint_fast64_t reads;
    atomic_uint_fast64_t checkpoints;
    atomic_int wal_pages;
};

struct kw_store {
    struct kw_loop *loop;
    struct kw_flush flush; /* wakes the writer once a turn */
    struct kw_store_failure *failure;
    atomic_bool failed;
    int lock_fd;
    uint32_t read_ms_max;
    struct kw_id id;
    struct kw_store_counters counters;
    struct kw_store_room room;
    struct kw_job_queue writes;
    struct kw_job_queue reads;
    pthread_t threads[1 + KW_STORE_READERS];
    size_t thread_count;
    atomic_size_t readers_claimed;
    struct kw_conn writer;
    struct kw_conn readers[KW_STORE_READERS];
};

/* Records the outcome and hands the job back to the loop. */
void kw_store_answer(struct kw_store *store, struct kw_store_job *job, struct kw_result result);

/* The threads' bodies (writer.c, reader.c); the argument is the store. */
void *kw_store_writer_main(void *store);
void *kw_store_reader_main(void *store);

#endif
