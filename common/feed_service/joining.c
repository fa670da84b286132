/* Joining: a run of the donor's rows after the other, each one write job. Where it is, is in the database, so a
 * restart goes on there. Until the end the owner decides nothing (kw_feed_service_joins).
 *
 *     begin ─▶ ask ─▶ take, and keep the next question ─▶ ask … joined
 *       ▲       └──▶ none, or it fails: once more, until it is over with this donor (donors.h)
 *       └── another donor ──┘                              └─▶ nobody is left: given up, if that may be
 */
#include "common/feed/feed_join.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed_service/errands.h"
#include "common/feed_service/feed_service_internal.h"

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
    struct kw_feed_errands *errands = &service->errands;
    const struct kw_feed *feed = service->options.feed;

    if (!kw_id_is_none(errands->donor)) {
        KW_TRY(errands->again ? kw_feed_join_again(feed, tx, errands->donor, err)
                              : kw_feed_join(feed, tx, errands->donor, err));
    }
    KW_TRY(kw_feed_join_may_end(tx, &errands->may_end, err));
    return keep_question(service, tx, err);
}

static void fail(struct kw_feed_service *service, const struct kw_error *error)
{
    kw_feed_service_log(service, "joining", error);
    kw_feed_errand_end(service, KW_ERRAND_SOON);
}

static void ask_on(struct kw_feed_service *service);

static void begin_done(struct kw_feed_task *task)
{
    struct kw_feed_service *service = task->service;
    struct kw_feed_errands *errands = &service->errands;

    errands->at_store = false;
    if (!kw_ok(task->job.result)) {
        fail(service, &task->job.error);
        return;
    }
    show(service, errands->joins);
    if (!errands->joins || service->closing) {
        kw_feed_errand_end(service, KW_ERRAND_SOON);
        return;
    }
    kw_feed_donor_begin(&errands->donors, errands->ask.store, !errands->may_end);
    ask_on(service);
}

static void hand_in(struct kw_feed_service *service,
                    struct kw_result (*run)(struct kw_store_job *job, struct kw_tx *tx,
                                            struct kw_error *err),
                    void (*done)(struct kw_feed_task *task))
{
    struct kw_feed_errands *errands = &service->errands;
    struct kw_error error = {0};

    service->errand = (struct kw_feed_task){.job = {.run = run}, .done = done};
    errands->at_store = kw_ok(kw_feed_task_write(service, &service->errand, &error));
    if (!errands->at_store) {
        fail(service, &error);
    }
}

void kw_feed_joining_begin(struct kw_feed_service *service, struct kw_id donor, bool again)
{
    struct kw_feed_errands *errands = &service->errands;

    errands->now = &errand;
    errands->donor = donor;
    errands->again = again;
    hand_in(service, run_begin, begin_done);
}

/* --- the end --- */

static void end(struct kw_feed_service *service, const char *outcome)
{
    struct kw_feed_errands *errands = &service->errands;

    show(service, false);
    errands->joined_ns = kw_clock_mono_ns();
    kw_feed_donor_done(&errands->donors);
    kw_metric_add(KW_M_FEED_DONORS, outcome, 1);
    kw_feed_subscription_nudge(service);
    kw_feed_errand_end(service, KW_ERRAND_SOON);
}

static struct kw_result run_give_up(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(job, struct kw_feed_task, job)->service;
    bool given_up = false;

    KW_TRY(kw_feed_join_give_up(tx, &given_up, err));
    service->errands.joins = !given_up;
    return KW_OK;
}

static void give_up_done(struct kw_feed_task *task)
{
    struct kw_feed_service *service = task->service;

    service->errands.at_store = false;
    if (!kw_ok(task->job.result)) {
        fail(service, &task->job.error);
    } else if (service->errands.joins) {
        kw_feed_errand_end(service, KW_ERRAND_SOON);
    } else {
        KW_LOG(ERROR, "no store hands over all that it holds: this one goes on without");
        end(service, "none");
    }
}

/* --- another donor --- */

/* One that has not failed; else any, unless we can do without. */
static void ask_another(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    uint64_t now_ns = kw_clock_mono_ns();
    struct kw_id next =
        kw_feed_donor_next(&errands->donors, &service->neighbours, !errands->may_end, now_ns);

    if (service->neighbours.count == 0) {
        kw_feed_errand_end(service, KW_ERRAND_SOON); /* there is nobody to blame */
    } else if (kw_id_is_none(next)) {
        hand_in(service, run_give_up, give_up_done);
    } else {
        kw_feed_joining_begin(service, next, false);
    }
}

static void drop_donor(struct kw_feed_service *service, const char *why)
{
    struct kw_feed_errands *errands = &service->errands;

    KW_LOG(WARN, "a store does not hand over all that it holds: another is asked",
           KW_F_HEX("donor", kw_id_bytes(&errands->donors.present)), KW_F_STR("why", why));
    kw_metric_add(KW_M_FEED_DONORS, why, 1);
    kw_feed_donor_bar(&errands->donors, kw_clock_mono_ns());
    ask_another(service);
}

/* The next run, as long as this donor has a share left, and there is a way to it. */
static void ask_on(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    const char *over = kw_feed_donor_over(&errands->donors);

    if (over != NULL) {
        drop_donor(service, over);
    } else if (!kw_feed_neighbours_have(&service->neighbours, errands->ask.store)) {
        ask_another(service);
    } else {
        kw_feed_donor_asked(&errands->donors, kw_clock_mono_ns());
        kw_feed_errand_ask_so(service, NULL, 0);
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
    kw_feed_donor_gave(&service->errands.donors, kw_clock_mono_ns());
    if (!service->errands.joined) {
        ask_on(service);
        return;
    }
    kw_metric_add(KW_M_FEED_JOINED, NULL, 1);
    end(service, "whole");
}

/* It is asked once more soon; if that is in vain, or there is no way to it, another is. */
static void refused(struct kw_feed_service *service, enum kw_feed_answered how)
{
    (void)how;
    kw_feed_donor_failed(&service->errands.donors, kw_clock_mono_ns());
    if (kw_feed_donor_over(&service->errands.donors) != NULL) {
        ask_on(service);
    } else {
        kw_feed_errand_end(service, KW_ERRAND_SOON);
    }
}

static const struct kw_feed_errand errand = {
    .writes = true, .run = run, .done = done, .refused = refused};
