/* What time does: our promise while somebody listens, what waited for our clock, what everybody has, who we are;
 * and the figures of all lanes. One of each at a time, and each a job of its own, so that none keeps another from
 * being done. */
#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/metrics.h"
#include "common/feed/feed_apply.h"
#include "common/feed/feed_freshness.h"
#include "common/feed/feed_holdings.h"
#include "common/feed/feed_peers.h"
#include "common/feed_service/introduction.h"
#include "common/feed_service/store_about.h"
#include "common/sync/stamp_limits.h"

#include <stdio.h>
#include <stdlib.h>

struct chore {
    struct kw_feed_task task;
    size_t trimmed; /* changes */
    bool more;
    uint64_t held;
};

/* --- our promise --- */

/* It is read from our lane when it is asked for: here it only has to become durable. */
static struct kw_result run_seal(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(job, struct kw_feed_task, job)->service;
    KW_SCOPED(kw_buf_done) struct kw_buf head = {0};

    KW_TRY(kw_feed_seal(service->options.feed, tx, kw_clock_wall_ms(),
                        &service->options.identity->key, &head, err));
    service->unvouched = service->options.feed->unvouched;
    return KW_OK;
}

/* A lane that was sealed has grown, so lanes are looked at: those, too, that other writers of this database made
 * longer, who tell us in no other way. What forbids us to speak forbids none of this. */
static void seal_done(struct kw_feed_task *task)
{
    struct kw_feed_service *service = task->service;

    service->sealing = false;
    service->introduction_owed =
        service->introduction_owed || (service->unvouched && !service->introducing);
    if (!kw_ok(task->job.result)) {
        kw_feed_service_log(service, "our lane can't be sealed", &task->job.error);
        kw_feed_subscription_nudge(service);
    }
}

static void say_owed_holdings(struct kw_feed_service *service);

void kw_feed_upkeep_beat(struct kw_timer *timer)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(timer, struct kw_feed_service, beat);
    struct kw_error error = {0};

    say_owed_holdings(service);
    if (service->sealing) {
        return;
    }
    service->seal = (struct kw_feed_task){
        .job = {.run = run_seal, .vital = true}, /* it takes no room, and is owed */
        .done = seal_done,
    };
    service->sealing = kw_ok(kw_feed_task_write(service, &service->seal, &error));
    if (!service->sealing) {
        kw_feed_service_log(service, "our lane can't be sealed", &error);
    }
}

/* --- chores --- */

static void chore_end(struct chore *chore)
{
    struct kw_feed_service *service = chore->task.service;

    if (!kw_ok(chore->task.job.result)) {
        kw_feed_service_log(service, "upkeep of the feed", &chore->task.job.error);
    }
    service->chores--;
    free(chore);
}

static struct kw_result chore_start(struct kw_feed_service *service,
                                    struct kw_result (*hand_in)(struct kw_feed_service *service,
                                                                struct kw_feed_task *task,
                                                                struct kw_error *err),
                                    struct kw_feed_task task, struct kw_error *err)
{
    struct chore *chore = calloc(1, sizeof(*chore));
    struct kw_result handed;

    KW_ENSURE(chore != NULL, err, MEMORY, "a chore");
    chore->task = task;
    handed = hand_in(service, &chore->task, err);
    if (!kw_ok(handed)) {
        free(chore);
        return handed;
    }
    service->chores++;
    return KW_OK;
}

static void chore_try(struct kw_feed_service *service,
                      struct kw_result (*hand_in)(struct kw_feed_service *service,
                                                  struct kw_feed_task *task, struct kw_error *err),
                      struct kw_feed_task task)
{
    struct kw_error error = {0};

    if (!kw_ok(chore_start(service, hand_in, task, &error))) {
        kw_feed_service_log(service, "upkeep of the feed", &error);
    }
}

/* --- what waits --- */

static struct kw_result run_release(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct chore *chore = KW_CONTAINER_OF(job, struct chore, task.job);
    size_t released;

    return kw_feed_release(chore->task.service->options.feed, tx, kw_clock_wall_ms(), &released,
                           &chore->more, err);
}

static void release(struct kw_feed_service *service);

static void release_done(struct kw_feed_task *task)
{
    struct chore *chore = KW_CONTAINER_OF(task, struct chore, task);
    struct kw_feed_service *service = task->service;
    bool more = kw_ok(task->job.result) && chore->more && !service->closing;

    chore_end(chore);
    if (more) {
        release(service);
    }
}

static void release(struct kw_feed_service *service)
{
    chore_try(service, kw_feed_task_write,
              (struct kw_feed_task){.job = {.run = run_release}, .done = release_done});
}

/* --- what everybody has --- */

static struct kw_result run_trim(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct chore *chore = KW_CONTAINER_OF(job, struct chore, task.job);

    return kw_feed_trim(chore->task.service->options.feed, tx, KW_FEED_TRIM_MAX, &chore->trimmed,
                        err);
}

static void trim_done(struct kw_feed_task *task)
{
    struct chore *chore = KW_CONTAINER_OF(task, struct chore, task);

    task->service->trims =
        task->service->trims || !kw_ok(task->job.result) || chore->trimmed == KW_FEED_TRIM_MAX;
    chore_end(chore);
}

static void trim(struct kw_feed_service *service)
{
    service->trims = false;
    chore_try(service, kw_feed_task_write,
              (struct kw_feed_task){.job = {.run = run_trim}, .done = trim_done});
}

/* --- what we hold --- */

static struct kw_result run_holdings(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    const struct kw_feed_service *service = KW_CONTAINER_OF(job, struct kw_feed_task, job)->service;
    bool said;

    return kw_feed_say_holdings(service->options.feed, tx, kw_clock_wall_ms(), &said, err);
}

/* Others say theirs in lanes, which nobody tells us of here: so what may be deleted is looked at as often. */
static void holdings_done(struct kw_feed_task *task)
{
    task->service->trims = true;
    chore_end(KW_CONTAINER_OF(task, struct chore, task));
}

static void say_holdings(struct kw_feed_service *service)
{
    service->holdings_looked_ns = kw_clock_mono_ns();
    service->holdings_owed = false;
    chore_try(service, kw_feed_task_write,
              (struct kw_feed_task){.job = {.run = run_holdings}, .done = holdings_done});
}

static void say_holdings_now_and_then(struct kw_feed_service *service)
{
    if (service->subscription != NULL &&
        kw_clock_mono_ns() - service->holdings_looked_ns >= KW_FEED_HOLDINGS_MS * KW_NS_PER_MS) {
        say_holdings(service);
    }
}

/* Not before what is being done is. */
static void say_owed_holdings(struct kw_feed_service *service)
{
    if (service->holdings_owed && service->chores == 0) {
        say_holdings(service);
    }
}

void kw_feed_upkeep_heard(struct kw_feed_service *service, struct kw_id store)
{
    service->holdings_owed =
        service->holdings_owed ||
        !(kw_id_is_none(store) || kw_feed_neighbours_have(&service->neighbours, store));
}

/* --- figures --- */

/* The age of what a member in force promised last. A store has a lane for each life and writer: the newest. */
static struct kw_result show_age(const struct kw_feed_service *service, struct kw_tx *tx,
                                 struct kw_id store, uint64_t closed, struct kw_error *err)
{
    char label[2 * KW_PLACE_NAME_SIZE + 1];
    struct kw_stamp stamp = {.hlc = closed};
    uint64_t now_ms = kw_clock_wall_ms();
    struct kw_store_about about;

    KW_TRY(
        kw_store_about(service->options.feed, service->options.identity, tx, store, &about, err));
    if (about.state == KW_STORE_ACTIVE && about.region[0] != '\0') {
        (void)snprintf(label, sizeof(label), "%s/%s", about.region, about.cell);
        kw_metric_set(KW_M_FEED_PROMISE_AGE, label,
                      now_ms > kw_stamp_ms(&stamp) ? (int64_t)(now_ms - kw_stamp_ms(&stamp)) : 0);
    }
    return KW_OK;
}

/* Has none before it the same store? Then the newest promise of all of them is the store's. */
static struct kw_result show_store(const struct kw_feed_service *service, struct kw_tx *tx,
                                   const struct kw_feed_lane *lanes, size_t count, size_t at,
                                   struct kw_error *err)
{
    struct kw_id store = lanes[at].lane.store;
    uint64_t closed = 0;

    for (size_t i = 0; i < count; i++) {
        if (kw_id_equal(lanes[i].lane.store, store)) {
            if (i < at) {
                return KW_OK;
            }
            closed = lanes[i].closed > closed ? lanes[i].closed : closed;
        }
    }
    return kw_id_equal(store, service->options.feed->options.store)
               ? KW_OK
               : show_age(service, tx, store, closed, err);
}

static void show_kept(const struct kw_feed_lane *lanes, size_t count)
{
    uint64_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        kept += lanes[i].point.seq - lanes[i].floor.seq;
    }
    kw_metric_set(KW_M_FEED_KEPT, NULL, (int64_t)kept);
}

static struct kw_result show_lanes(const struct kw_feed_service *service, struct kw_tx *tx,
                                   struct kw_arena *arena, struct kw_error *err)
{
    struct kw_feed_lane *lanes = kw_arena_alloc(arena, KW_LANES_MAX * sizeof(*lanes));
    size_t count;

    KW_ENSURE(lanes != NULL, err, MEMORY, "the lanes");
    KW_TRY(kw_feed_lanes(service->options.feed, tx, KW_ID_NONE, lanes, KW_LANES_MAX, &count, err));
    kw_metric_set(KW_M_FEED_LANES, NULL, (int64_t)count);
    show_kept(lanes, count);
    for (size_t i = 0; i < count; i++) {
        KW_TRY(show_store(service, tx, lanes, count, i, err));
    }
    return KW_OK;
}

/* Made in the transaction that all figures are made in. */
static struct kw_result look_how_fresh(struct kw_feed_service *service, struct kw_tx *tx,
                                       struct kw_error *err)
{
    uint64_t now_ms = kw_clock_wall_ms();
    struct kw_freshness freshness;
    bool alone;

    KW_TRY(kw_feed_freshness(service->options.feed, tx, now_ms, &freshness, err));
    alone = freshness.age_ms == 0 && kw_id_is_none(freshness.store);
    if (alone) {
        atomic_store(&service->promised_ms, KW_PROMISED_BY_NOBODY);
    } else {
        atomic_store(&service->promised_ms,
                     freshness.age_ms < now_ms ? now_ms - freshness.age_ms : KW_PROMISED_UNKNOWN);
    }
    return KW_OK;
}

uint64_t kw_feed_service_age_ms(const struct kw_feed_service *service, uint64_t wall_ms)
{
    uint64_t promised_ms =
        service != NULL ? atomic_load(&service->promised_ms) : KW_PROMISED_BY_NOBODY;

    if (promised_ms == KW_PROMISED_BY_NOBODY) {
        return 0;
    }
    if (promised_ms == KW_PROMISED_UNKNOWN) {
        return KW_FRESHNESS_NEVER;
    }
    return wall_ms > promised_ms ? wall_ms - promised_ms : 0;
}

static struct kw_result run_figures(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct chore *chore = KW_CONTAINER_OF(job, struct chore, task.job);
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    uint64_t quarantined;
    struct kw_result shown;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for the lanes");
    shown = show_lanes(chore->task.service, tx, arena, err);
    kw_arena_free(arena);
    KW_TRY(shown);
    KW_TRY(look_how_fresh(chore->task.service, tx, err));
    KW_TRY(kw_feed_waits(tx, &chore->held, &quarantined, err));
    kw_metric_set(KW_M_FEED_WAITING, "held", (int64_t)chore->held);
    kw_metric_set(KW_M_FEED_WAITING, "quarantine", (int64_t)quarantined);
    return KW_OK;
}

static void figures_done(struct kw_feed_task *task)
{
    struct chore *chore = KW_CONTAINER_OF(task, struct chore, task);

    if (kw_ok(task->job.result)) {
        task->service->held = chore->held;
    } else {
        atomic_store(&task->service->promised_ms, KW_PROMISED_UNKNOWN);
    }
    chore_end(chore);
}

/* --- when --- */

static bool is_busy(const struct kw_feed_service *service)
{
    return service->subscription != NULL || service->held > 0 || service->trims ||
           service->introduction_owed;
}

void kw_feed_upkeep_fire(struct kw_timer *timer)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(timer, struct kw_feed_service, upkeep);

    if (service->chores == 0) {
        release(service);
        say_holdings_now_and_then(service);
        chore_try(service, kw_feed_task_read,
                  (struct kw_feed_task){.job = {.run = run_figures}, .done = figures_done});
        if (service->trims && kw_clock_mono_ns() >= service->trims_from_ns) {
            trim(service);
        }
    }
    kw_feed_copies_look(service);
    kw_feed_introduction_tend(service);
    kw_feed_keeping_tend(service);
    kw_feed_errands_tend(service);
    kw_feed_scrubbing_tend(service);
    kw_feed_showing_tend(service);
    kw_timer_start(&service->upkeep, is_busy(service) ? KW_FEED_UPKEEP_MS : KW_CREDENTIALS_CHECK_MS,
                   0);
}

void kw_feed_upkeep_wake(struct kw_feed_service *service)
{
    if (service->closing) {
        return;
    }
    if (service->subscription == NULL) {
        kw_timer_stop(&service->beat);
    } else if (!uv_is_active((const uv_handle_t *)&service->beat.uv)) {
        kw_timer_start(&service->beat, 0, KW_HEARTBEAT_MS);
    }
    if (is_busy(service)) {
        kw_timer_start(&service->upkeep, KW_FEED_UPKEEP_MS, 0);
    }
}
