/* The look: how far each neighbour holds each lane. Of what is merely on its way somebody has what comes next.
 *
 * Where a lane stands still, and everybody who holds more of it has deleted what comes next, nothing but a
 * snapshot brings us on. Who joins says nothing, so nobody joins by a store that joins, which would be to
 * wait for one another. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/feed_service/errands.h"
#include "common/feed_service/feed_service_internal.h"

#define NS_PER_MS  1000000U
#define LATE_TIMES 3 /* who says nothing so often is not waited for */
#define PAUSES_MAX 6 /* times that the pause after a join doubles */

static void ask_next(struct kw_feed_service *service);

/* --- what is behind --- */

static struct kw_feed_behind *behind_of(struct kw_feed_errands *errands, struct kw_id lane)
{
    for (size_t i = 0; i < errands->behind_count; i++) {
        if (kw_id_equal(errands->behind[i].lane, lane)) {
            return &errands->behind[i];
        }
    }
    if (errands->behind_count == KW_FEED_BEHIND_MAX) {
        return NULL; /* those that are noted say as much */
    }
    errands->behind[errands->behind_count] = (struct kw_feed_behind){.lane = lane};
    return &errands->behind[errands->behind_count++];
}

static void note(struct kw_feed_errands *errands, const struct kw_lane_lack *lack)
{
    struct kw_feed_behind *behind = behind_of(errands, lack->lane);

    if (behind == NULL) {
        return;
    }
    if (behind->since_ns == 0 || behind->seq != lack->seq) {
        behind->seq = lack->seq;
        behind->since_ns = kw_clock_mono_ns();
    }
    behind->deleted = behind->deleted || lack->deleted;
    behind->there = behind->there || !lack->deleted;
    errands->offers[errands->at] = errands->offers[errands->at] || lack->deleted;
}

/* Those that stand still; `*ret_long`: one for so long that it is no matter of time. */
static void keep_stuck(struct kw_feed_service *service, bool *ret_long)
{
    struct kw_feed_errands *errands = &service->errands;
    uint64_t now_ns = kw_clock_mono_ns();
    uint64_t stuck_ns = service->options.pace_ms * KW_ERRAND_STUCK * NS_PER_MS;
    size_t kept = 0;

    *ret_long = false;
    for (size_t i = 0; i < errands->behind_count; i++) {
        struct kw_feed_behind behind = errands->behind[i];

        if (behind.deleted && !behind.there) {
            *ret_long = *ret_long || now_ns - behind.since_ns >= stuck_ns;
            behind.deleted = false;
            errands->behind[kept++] = behind;
        }
    }
    errands->behind_count = kept;
}

/* --- by whom --- */

/* Who has what we lack, in our region if somebody there does. None: nobody. */
static struct kw_id donor_of(const struct kw_feed_service *service)
{
    const struct kw_feed_errands *errands = &service->errands;
    const char *region = service->options.identity->trust.self.region;
    struct kw_id donor = KW_ID_NONE;

    for (size_t i = 0; i < errands->round.count; i++) {
        const struct kw_feed_neighbour *one = &errands->round.list[i];

        if (errands->offers[i] && (kw_id_is_none(donor) || strcmp(one->region, region) == 0)) {
            donor = one->store;
        }
    }
    return donor;
}

/* Somebody said nothing: it may have what we lack. But not for ever. */
static bool is_conclusive(struct kw_feed_errands *errands)
{
    errands->rounds_late = errands->late ? errands->rounds_late + 1 : 0;
    return errands->rounds_late == 0 || errands->rounds_late >= LATE_TIMES;
}

/* Longer each time: what a snapshot has not brought the next one may not bring either. */
static bool has_just_joined(const struct kw_feed_errands *errands)
{
    uint64_t pause_ms = (uint64_t)KW_FEED_JOIN_PAUSE_MS << errands->pauses;

    return errands->joined_ns != 0 &&
           kw_clock_mono_ns() - errands->joined_ns < pause_ms * NS_PER_MS;
}

static void join(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;

    KW_LOG(WARN, "what is missing here was deleted elsewhere: the store joins anew",
           KW_F_U64("lanes", errands->behind_count));
    errands->pauses += errands->joined_ns != 0 && errands->pauses < PAUSES_MAX;
    errands->behind_count = 0;
    kw_feed_joining_begin(service, donor_of(service));
}

static void end_round(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    bool conclusive = is_conclusive(errands);
    bool stuck_long;

    keep_stuck(service, &stuck_long);
    if (has_just_joined(errands)) {
        kw_feed_comparing_begin(service);
    } else if (stuck_long && conclusive) {
        join(service);
    } else if (errands->behind_count > 0) {
        kw_feed_errand_end(service, KW_ERRAND_SOON);
    } else {
        kw_feed_comparing_begin(service);
    }
}

/* --- asking one after the other --- */

static struct kw_result run(struct kw_feed_service *service, struct kw_tx *tx,
                            struct kw_arena *arena, const struct kw_answer *answer,
                            struct kw_error *err)
{
    struct kw_feed_errands *errands = &service->errands;

    errands->lacks = kw_arena_alloc(arena, KW_ANSWER_ITEMS_MAX * sizeof(*errands->lacks));
    KW_ENSURE(errands->lacks != NULL, err, MEMORY, "lanes that are lacked");
    return kw_feed_lacks(service->options.feed, tx, &errands->ask, answer, &errands->verdict,
                         errands->lacks, &errands->lack_count, err);
}

static void done(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;

    for (size_t i = 0; i < errands->lack_count; i++) {
        note(errands, &errands->lacks[i]);
    }
    if (errands->answer.next.section == KW_SECTION_LANES) { /* there are more */
        kw_feed_errand_ask(service, errands->ask.store, KW_ASK_LANES, &errands->answer.next, NULL,
                           0);
        return;
    }
    errands->at++;
    ask_next(service);
}

static void refused(struct kw_feed_service *service, enum kw_feed_answered how)
{
    service->errands.late = service->errands.late || how == KW_FEED_ANSWER_LATE;
    service->errands.at++;
    ask_next(service);
}

static const struct kw_feed_errand errand = {.run = run, .done = done, .refused = refused};

static void ask_next(struct kw_feed_service *service)
{
    static const struct kw_answer_place beginning = {.section = KW_SECTION_LANES};
    struct kw_feed_errands *errands = &service->errands;

    if (errands->at == errands->round.count) {
        end_round(service);
        return;
    }
    kw_feed_errand_ask(service, errands->round.list[errands->at].store, KW_ASK_LANES, &beginning,
                       NULL, 0);
}

void kw_feed_lacks_begin(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;

    errands->now = &errand;
    errands->round = service->neighbours;
    errands->at = 0;
    errands->late = false;
    for (size_t i = 0; i < KW_PEERS_MAX; i++) {
        errands->offers[i] = false;
    }
    for (size_t i = 0; i < errands->behind_count; i++) {
        errands->behind[i].deleted = errands->behind[i].there = false;
    }
    ask_next(service);
}
