/* Joining: a run of the donor's rows after the other, each one write job. Where it is, is in the database, so a
 * restart goes on there. Until the end the owner decides nothing (kw_feed_service_joins). */
#include "common/feed/feed_join.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed_service/errands.h"
#include "common/feed_service/feed_service_internal.h"

#define FAILURES_MAX 3 /* of one donor; then another one is asked */

static const struct kw_feed_errand errand;

static void show(struct kw_feed_service *service, bool joining)
{
    atomic_store(&service->joining, joining);
    kw_metric_set(KW_M_FEED_JOINING, NULL, joining);
}

bool kw_feed_service_joins(const struct kw_feed_service *service)
{
    return service != NULL && atomic_load(&service->joining);
}

/* --- what is to be asked --- */

/* In the same job as what came before, so that it is what was stored. */
static struct kw_result keep_question(struct kw_feed_service *service, struct kw_tx *tx,
                                      struct kw_error *err)
{
    struct kw_feed_errands *errands = &service->errands;
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_result found;
    struct kw_ask ask;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a question");
    found = kw_feed_join_ask(tx, arena, &ask, &errands->joins, err);
    if (kw_ok(found) && errands->joins) {
        found = kw_feed_errand_keep(errands, &ask, err);
    }
    kw_arena_free(arena);
    return found;
}

static struct kw_result run_begin(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(job, struct kw_feed_task, job)->service;
    struct kw_id donor = service->errands.donor;

    if (!kw_id_is_none(donor)) {
        KW_TRY(kw_feed_join(service->options.feed, tx, donor, err));
    }
    return keep_question(service, tx, err);
}

static void begin_done(struct kw_feed_task *task)
{
    struct kw_feed_service *service = task->service;
    struct kw_feed_errands *errands = &service->errands;

    errands->at_store = false;
    if (!kw_ok(task->job.result)) {
        kw_feed_service_log(service, "joining", &task->job.error);
        kw_feed_errand_end(service, KW_ERRAND_SOON);
        return;
    }
    show(service, errands->joins);
    if (!errands->joins || service->closing) {
        kw_feed_errand_end(service, KW_ERRAND_SOON);
        return;
    }
    kw_feed_errand_ask_so(service, NULL, 0);
}

void kw_feed_joining_begin(struct kw_feed_service *service, struct kw_id donor)
{
    struct kw_feed_errands *errands = &service->errands;
    struct kw_error error = {0};

    errands->now = &errand;
    errands->donor = donor;
    service->errand = (struct kw_feed_task){.job = {.run = run_begin}, .done = begin_done};
    errands->at_store = kw_ok(kw_feed_task_write(service, &service->errand, &error));
    if (!errands->at_store) {
        kw_feed_service_log(service, "joining", &error);
        kw_feed_errand_end(service, KW_ERRAND_SOON);
    }
}

/* --- what comes --- */

static struct kw_result run(struct kw_feed_service *service, struct kw_tx *tx,
                            struct kw_arena *arena, const struct kw_answer *answer,
                            struct kw_error *err)
{
    struct kw_feed_errands *errands = &service->errands;

    (void)arena;
    KW_TRY(kw_feed_join_take(service->options.feed, tx, answer, kw_clock_wall_ms(),
                             &errands->verdict, &errands->joined, err));
    return errands->verdict == KW_ANSWER_GOOD && !errands->joined ? keep_question(service, tx, err)
                                                                  : KW_OK;
}

static void done(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;

    errands->failures = 0;
    if (!errands->joined) {
        kw_feed_errand_ask_so(service, NULL, 0);
        return;
    }
    show(service, false);
    errands->joined_ns = kw_clock_mono_ns();
    kw_metric_add(KW_M_FEED_JOINED, NULL, 1);
    kw_feed_subscription_nudge(service);
    kw_feed_errand_end(service, KW_ERRAND_SOON);
}

/* Anybody but this one, if there is somebody. */
static struct kw_id another(const struct kw_feed_neighbours *neighbours, struct kw_id store)
{
    size_t at = 0;

    while (at < neighbours->count && !kw_id_equal(neighbours->list[at].store, store)) {
        at++;
    }
    return neighbours->list[(at + 1) % neighbours->count].store;
}

/* It is asked once more with the next look at errands; if that is in vain, or there is no way to it, another is. */
static void refused(struct kw_feed_service *service, enum kw_feed_answered how)
{
    struct kw_feed_errands *errands = &service->errands;
    const struct kw_feed_neighbours *neighbours = &service->neighbours;

    (void)how;
    errands->failures++;
    if (neighbours->count > 0 && (errands->failures >= FAILURES_MAX ||
                                  !kw_feed_neighbours_have(neighbours, errands->ask.store))) {
        errands->failures = 0;
        kw_feed_joining_begin(service, another(neighbours, errands->ask.store));
        return;
    }
    kw_feed_errand_end(service, 0);
}

static const struct kw_feed_errand errand = {
    .writes = true, .run = run, .done = done, .refused = refused};
