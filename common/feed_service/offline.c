/* Words, and a loop for one job. */
#include "common/feed_service/offline.h"

#include "common/base/container.h"

#include <string.h>

struct kw_offline_words kw_offline_words(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "orphans") == 0) {
        return (struct kw_offline_words){2, argv[2]};
    }
    return (struct kw_offline_words){.count = argc > 1 && strcmp(argv[1], "new-life") == 0 ? 1 : 0};
}

struct work {
    struct kw_store_job job;
    struct kw_loop *loop;
    struct kw_store *store;
    struct kw_feed_options options;
    struct kw_feed_identity identity;
    struct kw_result (*run)(const struct kw_offline_tx *tx, void *context, struct kw_error *err);
    void *context;
};

static struct kw_result run_job(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct work *work = KW_CONTAINER_OF(job, struct work, job);
    const struct kw_offline_tx offline = {tx, &work->options, &work->identity};

    return work->run(&offline, work->context, err);
}

static void end(struct work *work)
{
    kw_store_close(work->store);
    work->store = NULL;
    kw_loop_stop(work->loop);
}

static void done(struct kw_store_job *job)
{
    end(KW_CONTAINER_OF(job, struct work, job));
}

/* The job is told, too. */
static void store_failed(const struct kw_error *error, void *context)
{
    (void)error;
    (void)context;
}

static struct kw_result begin_on(struct work *work, const struct kw_offline *offline,
                                 struct kw_error *err)
{
    struct kw_store_options store = offline->store;

    store.failed = store_failed;
    KW_TRY(kw_store_open(work->loop, &store, &work->store, err));
    work->options.store = kw_store_id(work->store);
    work->job = (struct kw_store_job){.run = run_job, .done = done, .vital = true};
    return kw_store_write(work->store, &work->job, err);
}

static struct kw_result begin(struct work *work, const struct kw_offline *offline,
                              struct kw_error *err)
{
    struct kw_result begun;

    KW_TRY(kw_id_from_setting("mesh", offline->mesh, &work->options.mesh, err));
    KW_TRY(kw_loop_new(&work->loop, err));
    begun = begin_on(work, offline, err);
    if (!kw_ok(begun)) {
        end(work);
    }
    kw_loop_run(work->loop);
    kw_loop_free(work->loop);
    KW_TRY(begun);
    if (!kw_ok(work->job.result) && err != NULL) {
        *err = work->job.error;
    }
    return work->job.result;
}

struct kw_result kw_offline_run(const struct kw_offline *offline,
                                struct kw_result (*run)(const struct kw_offline_tx *tx,
                                                        void *context, struct kw_error *err),
                                void *context, struct kw_error *err)
{
    struct work work = {.options = {.writer = offline->writer}, .run = run, .context = context};
    struct kw_result begun;

    if (offline->identity.lane_key_file != NULL) {
        KW_TRY(kw_feed_identity_load(&work.identity, &offline->identity, err));
        work.options.vouchers = &work.identity.trust;
    }
    begun = begin(&work, offline, err);
    kw_feed_identity_done(&work.identity);
    return begun;
}
