/* A look, and a mark where it found something. */
#include "common/feed_service/scrubbing.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed_service/feed_service_internal.h"

static struct kw_result with_arena(struct kw_store_job *job, struct kw_tx *tx,
                                   struct kw_result (*run)(struct kw_feed_service *service,
                                                           struct kw_tx *tx, struct kw_arena *arena,
                                                           struct kw_error *err),
                                   struct kw_error *err)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(job, struct kw_feed_task, job)->service;
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a scrub");
    result = run(service, tx, arena, err);
    kw_arena_free(arena);
    return result;
}

static void rest(struct kw_feed_service *service, uint64_t ms)
{
    service->scrubbing.running = false;
    service->scrubbing.due_ns = kw_clock_mono_ns() + ms * KW_NS_PER_MS;
}

/* --- what is damaged --- */

static struct kw_result mark(struct kw_feed_service *service, struct kw_tx *tx,
                             struct kw_arena *arena, struct kw_error *err)
{
    size_t damaged;

    return kw_feed_scrub_mark(service->options.feed, tx, service->scrubbing.found.table,
                              service->scrubbing.found.bucket, arena, &damaged, err);
}

static struct kw_result run_mark(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return with_arena(job, tx, mark, err);
}

static void mark_done(struct kw_feed_task *task)
{
    struct kw_feed_service *service = task->service;

    if (!kw_ok(task->job.result)) {
        kw_feed_service_log(service, "what is damaged can't be marked", &task->job.error);
    }
    rest(service, 0);
    kw_feed_errands_hurry(service);
}

static void hand_in(struct kw_feed_service *service,
                    struct kw_result (*where)(struct kw_feed_service *service,
                                              struct kw_feed_task *task, struct kw_error *err),
                    struct kw_feed_task task)
{
    struct kw_error error = {0};

    service->scrub = task;
    service->scrubbing.running = kw_ok(where(service, &service->scrub, &error));
    if (!service->scrubbing.running) {
        kw_feed_service_log(service, "scrubbing", &error);
        rest(service, KW_SCRUB_MS);
    }
}

/* --- looking --- */

static struct kw_result look(struct kw_feed_service *service, struct kw_tx *tx,
                             struct kw_arena *arena, struct kw_error *err)
{
    struct kw_feed_scrubbing *scrubbing = &service->scrubbing;

    KW_TRY(
        kw_feed_scrub(service->options.feed, tx, arena, &scrubbing->place, &scrubbing->found, err));
    scrubbing->found.key = KW_BYTES_NONE; /* which was the arena's */
    return KW_OK;
}

static struct kw_result run_look(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return with_arena(job, tx, look, err);
}

static void look_done(struct kw_feed_task *task)
{
    struct kw_feed_service *service = task->service;
    struct kw_feed_scrubbing *scrubbing = &service->scrubbing;

    if (!kw_ok(task->job.result)) {
        kw_feed_service_log(service, "scrubbing", &task->job.error);
        rest(service, KW_SCRUB_MS);
    } else if (scrubbing->found.found != KW_SCRUB_NOTHING && !service->closing) {
        hand_in(service, kw_feed_task_write,
                (struct kw_feed_task){.job = {.run = run_mark}, .done = mark_done});
    } else {
        scrubbing->place = scrubbing->found.done ? (struct kw_scrub_place){0} : scrubbing->place;
        rest(service, scrubbing->found.done ? KW_SCRUB_REST_MS : KW_SCRUB_MS);
    }
}

void kw_feed_scrubbing_tend(struct kw_feed_service *service)
{
    if (!service->scrubbing.running && service->subscription != NULL &&
        kw_clock_mono_ns() >= service->scrubbing.due_ns) {
        hand_in(service, kw_feed_task_read,
                (struct kw_feed_task){.job = {.run = run_look}, .done = look_done});
    }
}
