/* The look: how far each neighbour holds each lane. Of what is merely on its way somebody has what comes next.
 *
 * Where a lane stands still, and everybody who holds more of it has deleted what comes next, nothing but a
 * snapshot brings us on. Who joins says nothing, so nobody joins by a store that joins, which would be to
 * wait for one another.
 *
 * To join is to refuse everybody meanwhile, so nobody makes us do so by a word that others could give and don't: that a store
 * has deleted its own changes, which we heard of until then, is believed when nobody else can be asked, or when the lane has
 * stood still for long. Until then it is as if that store were silent, and what is strict is refused for its age. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed_service/errands.h"
#include "common/feed_service/feed_service_internal.h"

#define LATE_TIMES 3 /* who says nothing so often is not waited for */
#define PAUSES_MAX 6 /* times that the pause after a join doubles */

static void ask_next(struct kw_feed_service *service);

/* --- what is behind --- */

/* A store can make up as many lanes of its own as it likes. */
static bool has_room(const struct kw_feed_errands *errands, bool alone)
{
    size_t count = 0;

    for (size_t i = 0; i < errands->behind_count; i++) {
        count += errands->behind[i].alone;
    }
    return errands->behind_count < KW_FEED_BEHIND_MAX && (!alone || count < KW_FEED_BEHIND_OWN);
}

static struct kw_feed_behind *behind_of(struct kw_feed_errands *errands, struct kw_id lane,
                                        bool alone)
{
    for (size_t i = 0; i < errands->behind_count; i++) {
        if (kw_id_equal(errands->behind[i].lane, lane)) {
            return &errands->behind[i];
        }
    }
    if (!has_room(errands, alone)) {
        return NULL; /* those that are noted say as much */
    }
    errands->behind[errands->behind_count] = (struct kw_feed_behind){.lane = lane, .alone = alone};
    return &errands->behind[errands->behind_count++];
}

static void offer(struct kw_feed_errands *errands, enum kw_feed_offer offer)
{
    enum kw_feed_offer *present = &errands->offers[errands->at];

    *present = offer > *present ? offer : *present;
}

static void note(struct kw_feed_errands *errands, const struct kw_lane_lack *lack)
{
    struct kw_feed_behind *behind = behind_of(errands, lack->lane, lack->own);

    if (behind == NULL) {
        return;
    }
    if (behind->since_ns == 0 || behind->seq != lack->seq) {
        behind->seq = lack->seq;
        behind->since_ns = kw_clock_mono_ns();
    }
    behind->alone = behind->alone && lack->own;
    behind->unheard = lack->unheard;
    behind->there = behind->there || !lack->deleted;
    behind->own = behind->own || (lack->deleted && lack->own);
    behind->deleted = behind->deleted || (lack->deleted && !lack->own);
    if (lack->deleted) {
        offer(errands, lack->own ? KW_FEED_OFFER_OWN : KW_FEED_OFFER_ALL);
    }
}

static bool stands_for(const struct kw_feed_behind *behind, uint64_t ms)
{
    return kw_clock_mono_ns() - behind->since_ns >= ms * KW_NS_PER_MS;
}

/* Does nothing but a snapshot bring us on? Whose word is the only one is believed after long, also that it has what does not
 * come. */
static bool is_stuck(const struct kw_feed_errands *errands, const struct kw_feed_behind *behind)
{
    if (stands_for(behind, KW_FEED_WORD_MS)) {
        return behind->deleted || behind->own;
    }
    return !behind->there &&
           (behind->deleted || (behind->own && (behind->unheard || errands->answered <= 1)));
}

struct stuck {
    size_t lanes;
    bool is_long; /* one of them for so long that it is no matter of time */
    bool unheard; /* others than its store say so of one of which nothing was ever here */
};

/* Those that stand still; the others are forgotten. */
static struct stuck keep_stuck(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    uint64_t stuck_ms = service->options.pace_ms * KW_ERRAND_STUCK;
    struct stuck stuck = {0};
    size_t kept = 0;

    for (size_t i = 0; i < errands->behind_count; i++) {
        const struct kw_feed_behind *behind = &errands->behind[i];

        if (is_stuck(errands, behind)) {
            stuck.lanes++;
            stuck.unheard = stuck.unheard || (behind->unheard && behind->deleted);
            stuck.is_long = stuck.is_long || stands_for(behind, stuck_ms);
        }
        if (behind->deleted || behind->own || errands->late) { /* who is late may say so yet */
            errands->behind[kept++] = *behind;
        }
    }
    errands->behind_count = kept;
    return stuck;
}

/* --- by whom --- */

/* Who has most of what we lack, in our region if somebody there does. None: nobody who has not failed. */
static struct kw_id donor_of(const struct kw_feed_service *service)
{
    const struct kw_feed_errands *errands = &service->errands;
    const char *region = service->options.identity->trust.self.region;
    enum kw_feed_offer best = KW_FEED_OFFER_NONE;
    struct kw_id donor = KW_ID_NONE;

    for (size_t i = 0; i < errands->round.count; i++) {
        const struct kw_feed_neighbour *one = &errands->round.list[i];
        enum kw_feed_offer offer = errands->offers[i];

        if (offer > best ||
            (offer == best && offer != KW_FEED_OFFER_NONE && strcmp(one->region, region) == 0)) {
            best = offer;
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

static uint64_t pause_ns(unsigned pauses)
{
    return ((uint64_t)KW_FEED_JOIN_PAUSE_MS << pauses) * KW_NS_PER_MS;
}

/* Longer each time: what a snapshot has not brought the next one may not bring either. */
static bool has_just_joined(const struct kw_feed_errands *errands)
{
    return errands->joined_ns != 0 &&
           kw_clock_mono_ns() - errands->joined_ns < pause_ns(errands->pauses);
}

/* What comes long after the last time has nothing to do with it. */
static void count_pause(struct kw_feed_errands *errands)
{
    uint64_t since_ns = kw_clock_mono_ns() - errands->joined_ns;

    if (errands->joined_ns == 0 || since_ns > 2 * pause_ns(PAUSES_MAX)) {
        errands->pauses = 0;
    } else if (errands->pauses < PAUSES_MAX) {
        errands->pauses++;
    }
}

static void join(struct kw_feed_service *service, struct kw_id donor, const struct stuck *stuck)
{
    struct kw_feed_errands *errands = &service->errands;

    KW_LOG(WARN, "what is missing here was deleted elsewhere: the store joins anew",
           KW_F_U64("lanes", stuck->lanes), KW_F_HEX("donor", kw_id_bytes(&donor)));
    count_pause(errands);
    errands->behind_count = 0;
    kw_feed_joining_begin(service, donor, !stuck->unheard);
}

static void end_round(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    bool conclusive = is_conclusive(errands);
    struct stuck stuck = keep_stuck(service);
    struct kw_id donor = donor_of(service);

    if (stuck.lanes == 0 || kw_id_is_none(donor) || has_just_joined(errands)) {
        kw_feed_comparing_begin(service);
    } else if (stuck.is_long && conclusive) {
        join(service, donor, &stuck);
    } else {
        kw_feed_errand_end(service, KW_ERRAND_SOON);
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

static void go_on(struct kw_feed_service *service)
{
    service->errands.at++;
    service->errands.answers = 0;
    ask_next(service);
}

/* Who failed when we joined by it does not make us do so again for a while. */
static bool is_believed(const struct kw_feed_errands *errands, const struct kw_lane_lack *lack)
{
    return !lack->deleted ||
           !kw_feed_donor_barred(&errands->donors, errands->ask.store, kw_clock_mono_ns());
}

static void done(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;

    for (size_t i = 0; i < errands->lack_count; i++) {
        if (is_believed(errands, &errands->lacks[i])) {
            note(errands, &errands->lacks[i]);
        }
    }
    if (errands->answer.next.section != KW_SECTION_LANES) {
        errands->answered++;
        go_on(service);
    } else if (++errands->answers == KW_LACKS_ANSWERS_MAX) {
        kw_metric_add(KW_M_LIMITS_REACHED, "feed_lacks", 1);
        go_on(service);
    } else {
        kw_feed_errand_ask(service, errands->ask.store, KW_ASK_LANES, &errands->answer.next, NULL,
                           0);
    }
}

static void refused(struct kw_feed_service *service, enum kw_feed_answered how)
{
    service->errands.late = service->errands.late || how == KW_FEED_ANSWER_LATE;
    go_on(service);
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
    errands->answers = 0;
    errands->answered = 0;
    errands->late = false;
    for (size_t i = 0; i < KW_PEERS_MAX; i++) {
        errands->offers[i] = KW_FEED_OFFER_NONE;
    }
    for (size_t i = 0; i < errands->behind_count; i++) {
        struct kw_feed_behind *behind = &errands->behind[i];

        behind->deleted = behind->own = behind->there = false;
    }
    ask_next(service);
}
