/* Stores without threads, by what the store's own files share. */
#include "tests/sim/store.h"

#include "common/base/container.h"
#include "common/store/store_internal.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <unistd.h>

struct sim_store {
    struct kw_conn conn;
    struct kw_id id;
    int lock_fd;
};

/* A crash is the end of a process here, not of a machine: what was written is there. */
static const char in_a_hurry[] =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;"
    " PRAGMA secure_delete=OFF";

struct sim_store *sim_store_open(const char *path, const struct kw_migration *migrations,
                                 size_t count)
{
    const struct kw_store_options options = {.path = path};
    struct sim_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        sim_fatal("memory", "a store");
    }
    SIM_MUST(kw_sqlite_backend.claim(&options, &store->lock_fd, err));
    SIM_MUST(kw_sqlite_backend.open(&store->conn, &options, KW_CONN_WRITER, err));
    SIM_MUST(kw_sqlite_backend.script(&store->conn, "settings", in_a_hurry, err));
    SIM_MUST(kw_store_migrate(&store->conn, migrations, count, err));
    SIM_MUST(kw_store_identity(&store->conn, &store->id, err));
    return store;
}

struct kw_id sim_store_id(const struct sim_store *store)
{
    return store->id;
}

void sim_store_close(struct sim_store *store)
{
    if (store != NULL) {
        kw_conn_close(&store->conn);
        (void)close(store->lock_fd);
        free(store);
    }
}

struct call {
    struct kw_store_job job;
    struct kw_result (*run)(struct kw_tx *tx, void *context, struct kw_error *err);
    void *context;
};

static struct kw_result run_job(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct call *call = KW_CONTAINER_OF(job, struct call, job);

    return call->run(tx, call->context, err);
}

static void end(struct kw_conn *conn, bool commits)
{
    if (commits) {
        SIM_MUST(kw_conn_control(conn, KW_COMMIT, err));
    } else {
        kw_conn_rollback(conn);
    }
    kw_conn_tell_hooks(conn, commits);
}

static void begin(struct kw_conn *conn)
{
    SIM_MUST(kw_conn_control(conn, KW_BEGIN_WRITE, err));
}

struct kw_result sim_store_write(struct sim_store *store, SIM_JOB((*job)), void *context,
                                 struct kw_error *err)
{
    struct call call = {.job = {.run = run_job}, .run = job, .context = context};
    struct kw_result result;

    begin(&store->conn);
    result = kw_store_run_job(&store->conn, &call.job, err);
    end(&store->conn, kw_ok(result));
    return result;
}
