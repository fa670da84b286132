/* Stores on one loop thread, with waiting from outside it. */
#include "tests/sim/store.h"

#include "common/base/container.h"

#include "tests/sim/sim.h"

#include <pthread.h>

static struct {
    struct kw_loop *loop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} at = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct call {
    struct kw_mail mail;
    struct kw_store_job job;
    struct kw_store *store;
    struct kw_store_options *options;
    struct kw_result (*run)(struct kw_tx *tx, void *context, struct kw_error *err);
    void *context;
    struct kw_result result;
    struct kw_error error;
    bool done;
};

static void *run_loop(void *unused)
{
    (void)unused;
    kw_loop_run(at.loop);
    return NULL;
}

static void finish(struct call *call)
{
    pthread_mutex_lock(&at.mutex);
    call->done = true;
    pthread_cond_broadcast(&at.changed);
    pthread_mutex_unlock(&at.mutex);
}

static void ask(struct call *call, void (*deliver)(struct kw_mail *mail))
{
    call->mail.deliver = deliver;
    kw_loop_post(at.loop, &call->mail);
    pthread_mutex_lock(&at.mutex);
    while (!call->done) {
        pthread_cond_wait(&at.changed, &at.mutex);
    }
    pthread_mutex_unlock(&at.mutex);
}

void sim_stores_start(void)
{
    SIM_MUST(kw_loop_new(&at.loop, err));
    if (pthread_create(&at.thread, NULL, run_loop, NULL) != 0) {
        sim_fatal("pthread_create", "the loop");
    }
}

static void deliver_stop(struct kw_mail *mail)
{
    kw_loop_stop(at.loop);
    finish(KW_CONTAINER_OF(mail, struct call, mail));
}

void sim_stores_stop(void)
{
    struct call call = {0};

    ask(&call, deliver_stop);
    pthread_join(at.thread, NULL);
    kw_loop_free(at.loop);
}

static void on_failed(const struct kw_error *error, void *context)
{
    (void)context;
    sim_fatal("a store failed", error->message);
}

static void deliver_open(struct kw_mail *mail)
{
    struct call *call = KW_CONTAINER_OF(mail, struct call, mail);

    call->result = kw_store_open(at.loop, call->options, &call->store, &call->error);
    finish(call);
}

struct kw_store *sim_store_open(const char *path, const struct kw_migration *migrations,
                                size_t count)
{
    struct kw_store_options options = {
        .path = path, .migrations = migrations, .migration_count = count, .failed = on_failed};
    struct call call = {.options = &options};

    ask(&call, deliver_open);
    if (!kw_ok(call.result)) {
        sim_fatal("kw_store_open", call.error.message);
    }
    return call.store;
}

static void deliver_close(struct kw_mail *mail)
{
    struct call *call = KW_CONTAINER_OF(mail, struct call, mail);

    kw_store_close(call->store);
    finish(call);
}

void sim_store_close(struct kw_store *store)
{
    struct call call = {.store = store};

    ask(&call, deliver_close);
}

static struct kw_result run_job(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct call *call = KW_CONTAINER_OF(job, struct call, job);

    return call->run(tx, call->context, err);
}

static void job_done(struct kw_store_job *job)
{
    struct call *call = KW_CONTAINER_OF(job, struct call, job);

    call->result = job->result;
    call->error = job->error;
    finish(call);
}

static void deliver_write(struct kw_mail *mail)
{
    struct call *call = KW_CONTAINER_OF(mail, struct call, mail);

    call->job = (struct kw_store_job){.run = run_job, .done = job_done};
    call->result = kw_store_write(call->store, &call->job, &call->error);
    if (!kw_ok(call->result)) {
        finish(call);
    }
}

struct kw_result sim_store_write(struct kw_store *store, SIM_JOB((*job)), void *context,
                                 struct kw_error *err)
{
    struct call call = {.store = store, .run = job, .context = context};

    ask(&call, deliver_write);
    if (!kw_ok(call.result) && err != NULL) {
        *err = call.error;
    }
    return call.result;
}
