/* One job on a database that nobody else uses. */
#include "common/feed_service/new_life.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/feed/feed.h"

struct beginning {
    struct kw_store_job job;
    struct kw_loop *loop;
    struct kw_store *store;
    struct kw_feed feed;
    struct kw_feed_options options;
};

static struct kw_result run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct beginning *beginning = KW_CONTAINER_OF(job, struct beginning, job);

    KW_TRY(kw_feed_open(&beginning->feed, &beginning->options, tx, kw_clock_wall_ms(), err));
    return kw_feed_new_life(&beginning->feed, tx, err);
}

static void end(struct beginning *beginning)
{
    kw_store_close(beginning->store);
    beginning->store = NULL;
    kw_loop_stop(beginning->loop);
}

static void done(struct kw_store_job *job)
{
    end(KW_CONTAINER_OF(job, struct beginning, job));
}

/* The job is told, too. */
static void store_failed(const struct kw_error *error, void *context)
{
    (void)error;
    (void)context;
}

static struct kw_result begin_on(struct beginning *beginning, const struct kw_new_life *plan,
                                 struct kw_error *err)
{
    struct kw_store_options store = plan->store;

    store.failed = store_failed;
    KW_TRY(kw_store_open(beginning->loop, &store, &beginning->store, err));
    beginning->options.store = kw_store_id(beginning->store);
    beginning->job = (struct kw_store_job){.run = run, .done = done, .vital = true};
    return kw_store_write(beginning->store, &beginning->job, err);
}

static struct kw_result begin(const struct kw_new_life *plan, struct beginning *beginning,
                              struct kw_error *err)
{
    struct kw_result begun;

    KW_TRY(kw_id_from_setting("mesh", plan->mesh, &beginning->options.mesh, err));
    KW_TRY(kw_loop_new(&beginning->loop, err));
    begun = begin_on(beginning, plan, err);
    if (!kw_ok(begun)) {
        end(beginning);
    }
    kw_loop_run(beginning->loop);
    kw_loop_free(beginning->loop);
    KW_TRY(begun);
    if (!kw_ok(beginning->job.result) && err != NULL) {
        *err = beginning->job.error;
    }
    return beginning->job.result;
}

struct kw_result kw_new_life_begin(const struct kw_new_life *plan, struct kw_error *err)
{
    struct beginning beginning = {.options = {.writer = plan->writer}};
    struct kw_feed_identity identity = {0};
    struct kw_result begun;

    if (plan->identity.lane_key_file != NULL) {
        KW_TRY(kw_feed_identity_load(&identity, &plan->identity, err));
        beginning.options.vouchers = &identity.trust;
    }
    begun = begin(plan, &beginning, err);
    kw_feed_identity_done(&identity);
    return begun;
}
