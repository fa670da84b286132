/* The writer thread: the only one of this store that changes the database.
 *
 * It takes everything that waits, up to KW_STORE_GROUP_MAX, and makes it durable with one fsync.
 * While that fsync runs the next group piles up: the group grows with the load and nobody ever
 * waits for a timer.
 */
#include "common/base/container.h"
#include "common/base/failpoint.h"
#include "common/base/metrics.h"
#include "common/store/store_internal.h"

#include <stdlib.h>

static const char the_end[] = "the store has failed";

/* --- one group --- */

/* Some errors end more than the job: then the group is lost. */
static struct kw_result check_alive(const struct kw_conn *conn, const struct kw_store_job *job,
                                    struct kw_error *err)
{
    enum kw_reason reason =
        conn->broken || conn->trouble == KW_E_NONE ? KW_E_STORE_UNAVAILABLE : conn->trouble;

    if (!conn->backend->is_whole(conn)) {
        return kw_error_make(err, reason, __FILE__, __LINE__, "the transaction was lost: %s",
                             job->error.message);
    }
    return KW_OK;
}

/* The job's own failure is in job->result; what is returned is whether the group can go on. */
static struct kw_result run_in_savepoint(struct kw_conn *conn, struct kw_store_job *job,
                                         struct kw_error *err)
{
    KW_TRY(kw_conn_control(conn, KW_SAVEPOINT, err));
    job->result = kw_store_run_job(conn, job, &job->error);
    KW_TRY(check_alive(conn, job, err));
    if (!kw_ok(job->result)) {
        KW_TRY(kw_conn_control(conn, KW_ROLLBACK_TO, err));
    }
    return kw_conn_control(conn, KW_RELEASE, err);
}

static struct kw_result write_group(struct kw_conn *conn, struct kw_store_job *group,
                                    struct kw_error *err)
{
    conn->trouble = KW_E_NONE;
    KW_TRY(kw_conn_ready(conn, err));
    KW_TRY(kw_conn_control(conn, KW_BEGIN_WRITE, err));
    for (struct kw_store_job *job = group; job != NULL; job = job->next) {
        KW_TRY(run_in_savepoint(conn, job, err));
    }
    KW_TRY(kw_conn_failpoint(conn, KW_FP_STORE_BEFORE_COMMIT, err));
    KW_TRY(kw_conn_control(conn, KW_COMMIT, err));
    return kw_conn_failpoint(conn, KW_FP_STORE_AFTER_COMMIT, err);
}

/* --- the end of the store --- */

static void deliver_failure(struct kw_mail *mail)
{
    struct kw_store_failure *failure = KW_CONTAINER_OF(mail, struct kw_store_failure, mail);

    failure->failed(&failure->error, failure->context);
    free(failure);
}

/* After a failed fsync the kernel may have dropped what it could not write, and a later one would
 * succeed without it. So nothing is tried again: nobody is told that anything is durable, and the
 * process is to end. */
static void fail_store(struct kw_store *store, const struct kw_error *error)
{
    struct kw_store_failure *failure = store->failure;

    store->writer.broken = true;
    kw_conn_rollback(&store->writer);
    atomic_store(&store->failed, true);
    store->failure = NULL;
    failure->error = *error;
    failure->mail.deliver = deliver_failure;
    kw_loop_post(store->loop, &failure->mail);
}

/* --- answers --- */

static void answer_group(struct kw_store *store, struct kw_store_job *group)
{
    while (group != NULL) {
        struct kw_store_job *next = group->next; /* once answered, the job is no longer ours */

        if (kw_ok(group->result)) {
            kw_metric_add(KW_M_STORE_JOBS, NULL, 1);
        }
        atomic_fetch_add(&store->counters.writes, 1);
        if (!kw_ok(group->result)) {
            atomic_fetch_add(&store->counters.writes_failed, 1);
        }
        kw_store_answer(store, group, group->result);
        group = next;
    }
}

static void refuse_group(struct kw_store *store, struct kw_store_job *group, enum kw_reason reason,
                         const char *why)
{
    for (struct kw_store_job *job = group; job != NULL; job = job->next) {
        job->result = kw_error_make(&job->error, reason, __FILE__, __LINE__, "%s", why);
    }
    answer_group(store, group);
}

/* --- a group that is undone --- */

static void undo_group(struct kw_store *store, struct kw_store_job *group,
                       const struct kw_error *error)
{
    if (error->reason == KW_E_STORE_FULL) {
        kw_store_room_refused(&store->room);
    }
    atomic_fetch_add(&store->counters.undone, 1);
    kw_metric_add(KW_M_STORE_UNDONE, kw_reason_row(error->reason)->label, 1);
    refuse_group(store, group, error->reason, error->message);
}

/* --- the thread --- */

static struct kw_result checkpoint(struct kw_store *store, struct kw_error *err)
{
    struct kw_conn *conn = &store->writer;
    bool done = false;

    if (conn->backend->checkpoint == NULL) {
        return KW_OK;
    }
    KW_TRY(conn->backend->checkpoint(conn, &done, err));
    atomic_fetch_add(&store->counters.checkpoints, done ? 1 : 0);
    return KW_OK;
}

static void handle_group(struct kw_store *store, struct kw_store_job *group)
{
    const struct kw_backend *backend = store->writer.backend;
    struct kw_error error = {0};
    struct kw_result written = write_group(&store->writer, group, &error);

    kw_conn_tell_hooks(&store->writer, kw_ok(written));
    if (!kw_ok(written) && backend->undo(&store->writer, written.reason)) {
        undo_group(store, group, &error);
        return;
    }
    if (!kw_ok(written)) {
        fail_store(store, &error);
        refuse_group(store, group, KW_E_STORE_UNAVAILABLE, the_end);
        return;
    }
    atomic_fetch_add(&store->counters.commits, 1);
    kw_metric_add(KW_M_STORE_COMMITS, NULL, 1);
    atomic_store(&store->counters.wal_pages, store->writer.wal_pages);
    answer_group(store, group);
    if (!kw_ok(checkpoint(store, &error))) {
        fail_store(store, &error);
    }
}

void *kw_store_writer_main(void *context)
{
    struct kw_store *store = context;
    struct kw_store_job *group;

    while ((group = kw_job_queue_take(&store->writes, KW_STORE_GROUP_MAX)) != NULL) {
        kw_store_room_look(&store->room, store->lock_fd);
        if (atomic_load(&store->failed)) {
            refuse_group(store, group, KW_E_STORE_UNAVAILABLE, the_end);
        } else {
            handle_group(store, group);
        }
    }
    return NULL;
}
