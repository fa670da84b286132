/* Collecting, and one write at a time. */
#include "services/authz/diary.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "services/authz/quota_table.h"

#include <stdlib.h>

static void arm(struct kw_diary *diary)
{
    if (!diary->armed) {
        diary->armed = true;
        kw_timer_start(&diary->timer, KW_DIARY_DELAY_MS, 0);
    }
}

/* --- on the store's thread --- */

static void arena_done(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static struct kw_result quotas_write(struct kw_diary *diary, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_diary_page *page = &diary->page;
    const struct kw_feed_tx feed_tx = {diary->feed, tx, arena, page->now_ms};

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for quotas");
    for (size_t i = 0; i < page->quota_count; i++) {
        KW_TRY(kw_quota_store(&feed_tx, &page->quotas[i], err));
    }
    return KW_OK;
}

static struct kw_result page_write(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_diary *diary = KW_CONTAINER_OF(job, struct kw_diary, job);
    const struct kw_diary_page *page = &diary->page;

    KW_FAILPOINT(KW_FP_AUTHZ_BEFORE_DIARY, err);
    for (size_t i = 0; i < page->denial_count; i++) {
        KW_TRY(kw_denial_insert(tx, &diary->boot, &page->denials[i], err));
    }
    for (size_t i = 0; i < page->head_count; i++) {
        KW_TRY(kw_witness_store(tx, &page->heads[i], page->now_ms, err));
    }
    if (page->quota_count > 0) {
        KW_TRY(quotas_write(diary, tx, err));
    }
    KW_FAILPOINT(KW_FP_AUTHZ_AFTER_DIARY, err);
    return KW_OK;
}

/* --- on the loop thread --- */

/* The last of the disk is for what takes away. Whoever is denied could use it up, at will: denials
 * wait until there is more, unless this is the end. */
static bool denials_wait(struct kw_diary *diary)
{
    struct kw_error error = {0};
    bool wait = diary->waiting_count > 0 && diary->idle == NULL &&
                !kw_ok(kw_store_room(diary->store, &error));

    if (wait && !diary->held_back) {
        KW_LOG(WARN, "denials wait for room", KW_F_ERR(&error));
    }
    diary->held_back = wait;
    return wait;
}

static void denials_take(struct kw_diary *diary)
{
    struct kw_diary_page *page = &diary->page;
    struct kw_denial *empty = page->denials;

    page->denial_count = 0;
    if (denials_wait(diary)) {
        return;
    }
    page->denials = diary->waiting;
    page->denial_count = diary->waiting_count;
    diary->waiting = empty;
    diary->waiting_count = 0;
}

static bool page_take(struct kw_diary *diary)
{
    struct kw_diary_page *page = &diary->page;

    denials_take(diary);
    kw_copy(page->heads, diary->heads, diary->head_count * sizeof(diary->heads[0]));
    page->head_count = diary->head_count;
    diary->head_count = 0;
    page->quota_count = kw_quota_book_changes(&diary->quotas, page->quotas, KW_DIARY_QUOTAS_MAX);
    page->now_ms = kw_clock_wall_ms();
    return page->denial_count > 0 || page->head_count > 0 || page->quota_count > 0;
}

static void write_next(struct kw_diary *diary);

/* Numbers are dense: a page that the store may take later waits for it, unless this is the end. */
static bool stays(const struct kw_diary *diary, const struct kw_store_job *job)
{
    return !kw_ok(job->result) && diary->idle == NULL &&
           kw_store_may_pass(diary->store, job->result.reason);
}

/* Once for a page, however often it is tried. */
static void note_failure(struct kw_diary *diary, const struct kw_store_job *job)
{
    if (!kw_ok(job->result) && !diary->failure_noted) {
        KW_LOG(ERROR, diary->page_full ? "diary can't be written now" : "diary not written",
               KW_F_U64("denials", diary->page.denial_count), KW_F_ERR(&job->error));
    }
    diary->failure_noted = diary->page_full;
}

/* Of each there is an entry, as it was taken from the book: nothing fails. */
static void quotas_written(struct kw_diary *diary)
{
    for (size_t i = 0; i < diary->page.quota_count; i++) {
        KW_IGNORE(kw_quota_book_heard(&diary->quotas, &diary->page.quotas[i], NULL));
    }
}

static void page_written(struct kw_store_job *job)
{
    struct kw_diary *diary = KW_CONTAINER_OF(job, struct kw_diary, job);

    diary->writing = false;
    if (kw_ok(job->result)) {
        quotas_written(diary);
    }
    diary->page_full = stays(diary, job);
    note_failure(diary, job);
    if (diary->idle != NULL) {
        write_next(diary);
    } else if (diary->page_full || diary->waiting_count > 0 || diary->head_count > 0 ||
               diary->quotas.changed != NULL) {
        arm(diary);
    }
}

/* The store's queue is full, or it has failed. */
static void not_taken(struct kw_diary *diary, const struct kw_error *error)
{
    diary->job.result.reason = error->reason;
    diary->job.error = *error;
    page_written(&diary->job);
}

static void write_next(struct kw_diary *diary)
{
    struct kw_error error;

    if (diary->writing) {
        return;
    }
    diary->page_full = diary->page_full || page_take(diary);
    if (!diary->page_full) {
        if (diary->idle != NULL) {
            diary->idle(diary->context);
        } else if (diary->held_back) {
            arm(diary);
        }
        return;
    }
    diary->job.run = page_write;
    diary->job.done = page_written;
    diary->job.vital = true;
    diary->writing = kw_ok(kw_store_write(diary->store, &diary->job, &error));
    if (!diary->writing) {
        not_taken(diary, &error);
    }
}

static void denial_keep(const struct kw_denial *denial, void *context)
{
    struct kw_diary *diary = context;

    if (diary->waiting_count == KW_DENIALS_WAITING_MAX) {
        kw_metric_add(KW_M_LIMITS_REACHED, "denials_waiting", 1);
        KW_LOG(WARN, "denial not recorded", KW_F_STR("caller", denial->caller),
               KW_F_STR("reason", denial->reason));
        return;
    }
    diary->waiting[diary->waiting_count] = *denial;
    diary->waiting[diary->waiting_count].seq = ++diary->seq;
    diary->waiting_count++;
    arm(diary);
}

static void sweep(struct kw_diary *diary, bool all)
{
    const struct kw_denial_sink sink = {denial_keep, diary};

    kw_denial_rate_sweep(diary->rate, kw_clock_wall_ms(), all, &sink);
}

static void on_timer(struct kw_timer *timer)
{
    struct kw_diary *diary = KW_CONTAINER_OF(timer, struct kw_diary, timer);

    diary->armed = false;
    sweep(diary, false);
    write_next(diary);
    if (diary->rate->holding > 0) {
        arm(diary);
    }
}

struct kw_result kw_diary_start(struct kw_diary *diary, struct kw_loop *loop,
                                struct kw_store *store, struct kw_feed *feed, struct kw_id boot,
                                struct kw_error *err)
{
    diary->loop = loop;
    diary->feed = feed;
    diary->boot = boot;
    diary->rate = calloc(1, sizeof(*diary->rate));
    diary->waiting = calloc(KW_DENIALS_WAITING_MAX, sizeof(*diary->waiting));
    diary->page.denials = calloc(KW_DENIALS_WAITING_MAX, sizeof(*diary->page.denials));
    KW_ENSURE(diary->rate != NULL && diary->waiting != NULL && diary->page.denials != NULL, err,
              MEMORY, "diary");
    kw_timer_init(&diary->timer, loop, on_timer);
    diary->store = store; /* what has one is finished; what has none is only taken apart */
    return KW_OK;
}

void kw_diary_deny(struct kw_diary *diary, const struct kw_denial *denial)
{
    const struct kw_denial_sink sink = {denial_keep, diary};

    kw_metric_add(KW_M_DENIALS, denial->reason, 1);
    kw_denial_rate_take(diary->rate, denial, &sink);
    if (diary->rate->holding > 0) {
        arm(diary);
    }
}

static bool same_chain(const struct kw_witness *a, const struct kw_witness *b)
{
    return kw_id_equal(a->core, b->core) && kw_id_equal(a->stream, b->stream);
}

/* Of its chain, or else a free place. NULL: there is none. */
static struct kw_witness *head_place(struct kw_diary *diary, const struct kw_witness *head)
{
    for (size_t i = 0; i < diary->head_count; i++) {
        if (same_chain(&diary->heads[i], head)) {
            return &diary->heads[i];
        }
    }
    if (diary->head_count == KW_DIARY_HEADS_MAX) {
        return NULL;
    }
    return memset(&diary->heads[diary->head_count++], 0, sizeof(diary->heads[0]));
}

static void head_keep(struct kw_diary *diary, const struct kw_witness *head)
{
    struct kw_witness *place = head_place(diary, head);

    if (place == NULL) {
        kw_metric_add(KW_M_LIMITS_REACHED, "diary_heads", 1);
        KW_LOG(WARN, "head not recorded", KW_F_U64("seq", head->seq));
    } else if (place->seq < head->seq) {
        *place = *head;
        arm(diary);
    }
}

void kw_diary_witness(struct kw_diary *diary, const struct kw_witness *witness)
{
    head_keep(diary, witness);
    if (!same_chain(witness, &diary->witness) || witness->seq > diary->witness.seq) {
        diary->witness = *witness;
    }
}

size_t kw_diary_unwritten_heads(const struct kw_diary *diary, struct kw_witness *ret_heads)
{
    size_t written = diary->writing || diary->page_full ? diary->page.head_count : 0;

    kw_copy(ret_heads, diary->page.heads, written * sizeof(*ret_heads));
    kw_copy(ret_heads + written, diary->heads, diary->head_count * sizeof(*ret_heads));
    return written + diary->head_count;
}

void kw_diary_quotas_changed(struct kw_diary *diary)
{
    arm(diary);
}

void kw_diary_finish(struct kw_diary *diary, void (*idle)(void *context), void *context)
{
    sweep(diary, true);
    kw_timer_stop(&diary->timer);
    diary->armed = true; /* nothing starts it again */
    diary->idle = idle;
    diary->context = context;
    write_next(diary);
}

void kw_diary_done(struct kw_diary *diary)
{
    kw_timer_close(&diary->timer, NULL);
    kw_quota_book_done(&diary->quotas);
    free(diary->page.denials);
    free(diary->waiting);
    free(diary->rate);
    diary->page.denials = NULL;
    diary->waiting = NULL;
    diary->rate = NULL;
}
