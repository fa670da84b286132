/* A reader thread: one job at a time, each in a read transaction of its own on a read-only
 * connection. As long as one lasts the log keeps all that was written since; so it does not last.
 */
#include "common/base/clock.h"
#include "common/store/store_internal.h"

static struct kw_result read_one(struct kw_conn *conn, struct kw_store_job *job, uint32_t ms_max,
                                 struct kw_error *err)
{
    struct kw_result result;

    conn->until_ns = kw_clock_mono_ns() + ms_max * KW_NS_PER_MS;
    KW_TRY(kw_conn_ready(conn, err));
    KW_TRY(kw_conn_control(conn, KW_BEGIN_READ, err));
    result = kw_store_run_job(conn, job, err);
    kw_conn_rollback(conn); /* it changed nothing: this only gives up the snapshot */
    return result;
}

/* The connection of this thread: each takes the next one. */
static struct kw_conn *claim_connection(struct kw_store *store)
{
    return &store->readers[atomic_fetch_add(&store->readers_claimed, 1)];
}

void *kw_store_reader_main(void *context)
{
    struct kw_store *store = context;
    struct kw_conn *conn = claim_connection(store);
    struct kw_store_job *job;

    while ((job = kw_job_queue_take(&store->reads, 1)) != NULL) {
        struct kw_result result;

        kw_store_room_look(&store->room, store->lock_fd);
        result = atomic_load(&store->failed)
                     ? KW_MAKE(&job->error, STORE_UNAVAILABLE, "the store has failed")
                     : read_one(conn, job, store->read_ms_max, &job->error);

        atomic_fetch_add(&store->counters.reads, 1);
        kw_store_answer(store, job, result);
    }
    return NULL;
}
