/* Who is to have a copy, and who has one, is read now and then, and often while somebody waits: what a store that is not
 * linked with us holds comes in its lane, and another instance of this database may be the one that is told. Who waits
 * is told by that, by acknowledgements, or by the clock. */
#include "common/feed_service/second_copy.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/metrics.h"
#include "common/feed/feed_copies.h"
#include "common/feed_service/feed_service_internal.h"

#include <stdlib.h>

/* --- in the job --- */

void kw_second_copy_begin(struct kw_second_copy *copy, const struct kw_feed *feed)
{
    copy->before = feed->said;
}

struct kw_result kw_second_copy_note(struct kw_second_copy *copy, const struct kw_feed_tx *feed_tx,
                                     struct kw_error *err)
{
    copy->owed = feed_tx->feed->said != copy->before;
    if (!copy->owed) {
        return KW_OK;
    }
    return kw_feed_said(feed_tx, &copy->wait.lane, &copy->wait.seq, err);
}

/* --- the wait --- */

/* Of what nobody else is told all have it that there are. */
static void conclude(struct kw_second_copy *copy, const struct kw_feed_service *service)
{
    const struct kw_copy_wait *wait = &copy->wait;
    enum kw_copy_level level =
        service != NULL ? kw_copies_level(&service->copies, wait->lane, wait->seq) : KW_COPY_ALL;
    bool reached =
        service == NULL || kw_copies_reached(&service->copies, wait->lane, wait->seq, wait->level);

    copy->reached = copy->said && copy->reached < level ? copy->reached : level;
    copy->said = true;
    copy->missing = copy->reached < KW_COPY_CELL;
    kw_metric_add(KW_M_LOCAL_ONLY, NULL, level < KW_COPY_CELL);
    kw_metric_add(KW_M_WAITS_IN_VAIN, NULL, !reached && wait->level > KW_COPY_CELL);
}

static void wait_over(struct kw_copy_wait *wait, bool reached)
{
    struct kw_second_copy *copy = KW_CONTAINER_OF(wait, struct kw_second_copy, wait);

    (void)reached; /* as what is held says, too */
    conclude(copy, copy->service);
    copy->done(copy);
}

static uint64_t deadline_of(const struct kw_second_copy *copy,
                            const struct kw_feed_service *service)
{
    uint64_t soon_ns = kw_clock_mono_ns() + KW_SECOND_COPY_MS * KW_NS_PER_MS;

    return copy->wait.level == KW_COPY_CELL || service->hurries ? soon_ns : copy->until_ns;
}

static void begin_wait(struct kw_second_copy *copy, struct kw_feed_service *service)
{
    copy->wait.done = wait_over;
    copy->wait.deadline_ns = deadline_of(copy, service);
    if (service->copies.waits == NULL) {
        kw_timer_start(&service->copies_tick, KW_SECOND_COPY_TICK_MS, KW_SECOND_COPY_TICK_MS);
    }
    kw_copies_wait(&service->copies, &copy->wait);
}

bool kw_second_copy_await(struct kw_second_copy *copy, struct kw_feed_service *service,
                          void (*done)(struct kw_second_copy *copy))
{
    struct kw_copy_wait *wait = &copy->wait;

    if (!copy->owed) {
        return false;
    }
    copy->owed = false;
    copy->service = service;
    copy->done = done;
    wait->level = copy->asked > KW_COPY_CELL ? copy->asked : KW_COPY_CELL;
    if (service != NULL) {
        kw_copies_lane(&service->copies, wait->lane);
    }
    if (service == NULL || service->closing ||
        kw_copies_reached(&service->copies, wait->lane, wait->seq, wait->level)) {
        conclude(copy, service);
        return false;
    }
    begin_wait(copy, service);
    return true;
}

void kw_second_copy_give_up(struct kw_second_copy *copy)
{
    if (copy->wait.link != NULL) {
        kw_copies_forget(&copy->wait);
        wait_over(&copy->wait, false);
    }
}

void kw_feed_service_hurry(struct kw_feed_service *service)
{
    if (service != NULL) {
        service->hurries = true;
        kw_copies_hurry(&service->copies, kw_clock_mono_ns() + KW_SECOND_COPY_MS * KW_NS_PER_MS);
    }
}

void kw_feed_copies_tick(struct kw_timer *timer)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(timer, struct kw_feed_service, copies_tick);
    uint64_t now_ns = kw_clock_mono_ns();

    if (!kw_copies_tick(&service->copies, now_ns)) {
        kw_timer_stop(timer);
    } else if (now_ns - service->members_looked_ns >= KW_COPIES_LOOK_MS * KW_NS_PER_MS) {
        kw_feed_copies_look(service);
    }
}

void kw_feed_held(struct kw_feed_service *service)
{
    if (service->options.held != NULL && !service->closing) {
        service->options.held(service->options.context);
    }
}

/* --- the members --- */

struct members_task {
    struct kw_feed_task task;
    struct kw_id lane; /* of ours, of which it is asked */
    struct kw_copies now;
};

static struct kw_result run_members(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct members_task *members = KW_CONTAINER_OF(job, struct members_task, task.job);
    const struct kw_feed_service_options *options = &members->task.service->options;
    const struct kw_feed_self self = {options->feed->options.store,
                                      kw_bytes_str(options->identity->trust.self.region)};
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for the members");
    result = kw_feed_copies(tx, &self, members->lane, arena, &members->now, err);
    kw_arena_free(arena);
    return result;
}

static void take_members(struct kw_feed_service *service, const struct members_task *members)
{
    const struct kw_copies *now = &members->now;

    kw_copies_members(&service->copies, now->holders, now->count);
    for (size_t i = 0; i < now->count; i++) {
        kw_copies_held(&service->copies, now->holders[i].store, members->lane, now->holders[i].seq);
    }
}

/* What could not be read leaves what was known, or that nothing is. */
static void members_done(struct kw_feed_task *task)
{
    struct members_task *members = KW_CONTAINER_OF(task, struct members_task, task);
    struct kw_feed_service *service = task->service;

    service->members_read = false;
    if (kw_ok(task->job.result)) {
        take_members(service, members);
        kw_feed_held(service);
    } else {
        kw_feed_service_log(service, "the members can't be read", &task->job.error);
    }
    free(members);
}

void kw_feed_copies_look(struct kw_feed_service *service)
{
    struct members_task *members = service->members_read ? NULL : calloc(1, sizeof(*members));
    struct kw_error error = {0};

    if (members == NULL) {
        return;
    }
    members->task.job.run = run_members;
    members->task.done = members_done;
    members->lane = service->copies.lane;
    service->members_looked_ns = kw_clock_mono_ns();
    service->members_read = kw_ok(kw_feed_task_read(service, &members->task, &error));
    if (!service->members_read) {
        kw_feed_service_log(service, "the members can't be read", &error);
        free(members);
    }
}
