/* When, and what every errand has in common. */
#include "common/feed_service/errands.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/feed/question.h"
#include "common/feed_service/feed_service_internal.h"

uint64_t kw_feed_errand_time(const struct kw_feed_service *service, unsigned paces)
{
    return kw_clock_mono_ns() + service->options.pace_ms * paces * KW_NS_PER_MS;
}

/* --- when --- */

void kw_feed_errands_hurry(struct kw_feed_service *service)
{
    uint64_t soon_ns = kw_feed_errand_time(service, KW_ERRAND_SOON);

    if (service->errands.due_ns == 0 || service->errands.due_ns > soon_ns) {
        service->errands.due_ns = soon_ns;
    }
}

void kw_feed_errands_tend(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;

    kw_feed_question_tend(service);
    if (errands->now != NULL || errands->at_store || service->neighbours.count == 0 ||
        service->draining || kw_clock_mono_ns() < errands->due_ns) {
        return;
    }
    if (atomic_load(&service->joining)) {
        kw_feed_joining_begin(service, KW_ID_NONE, false);
    } else {
        kw_feed_lacks_begin(service);
    }
}

void kw_feed_errand_end(struct kw_feed_service *service, unsigned paces)
{
    service->errands.now = NULL;
    service->errands.due_ns = kw_feed_errand_time(service, paces);
}

/* --- asking --- */

struct kw_result kw_feed_errand_keep(struct kw_feed_errands *errands, const struct kw_ask *ask,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf key = {0};

    KW_TRY(kw_buf_append(&key, ask->from.key, err)); /* which may be the one that is kept */
    kw_buf_clear(&errands->key);
    KW_TRY(kw_buf_append(&errands->key, kw_buf_bytes(&key), err));
    errands->ask = *ask;
    errands->ask.from.key = kw_buf_bytes(&errands->key);
    return KW_OK;
}

static struct kw_result ask_so(struct kw_feed_service *service, const struct kw_bytes *keys,
                               size_t key_count, struct kw_error *err)
{
    const struct kw_question question = {.mesh = service->options.feed->options.mesh,
                                         .ask = service->errands.ask,
                                         .keys = keys,
                                         .key_count = key_count};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_TRY(kw_question_encode(&question, &record, err));
    return kw_feed_question_ask(service, question.ask.store, kw_buf_bytes(&record), err);
}

static void fail(struct kw_feed_service *service, const struct kw_error *error)
{
    const struct kw_feed_errand *now = service->errands.now;
    bool joins = atomic_load(&service->joining);

    kw_feed_service_log(service, "a question to another cell", error);
    if (now != NULL && now->failed != NULL) {
        now->failed(service);
    } else {
        kw_feed_errand_end(service, joins ? KW_ERRAND_SOON : KW_ERRAND_LATER);
    }
}

void kw_feed_errand_ask_so(struct kw_feed_service *service, const struct kw_bytes *keys,
                           size_t key_count)
{
    struct kw_error error = {0};

    if (!kw_ok(ask_so(service, keys, key_count, &error))) {
        fail(service, &error);
    }
}

static struct kw_result ask(struct kw_feed_service *service, struct kw_id store,
                            enum kw_ask_purpose purpose, const struct kw_answer_place *place,
                            const struct kw_bytes *keys, size_t key_count, struct kw_error *err)
{
    struct kw_ask made;

    KW_TRY(kw_feed_ask(store, purpose, place, &made, err));
    KW_TRY(kw_feed_errand_keep(&service->errands, &made, err));
    return ask_so(service, keys, key_count, err);
}

void kw_feed_errand_ask(struct kw_feed_service *service, struct kw_id store,
                        enum kw_ask_purpose purpose, const struct kw_answer_place *place,
                        const struct kw_bytes *keys, size_t key_count)
{
    struct kw_error error = {0};

    if (!kw_ok(ask(service, store, purpose, place, keys, key_count, &error))) {
        fail(service, &error);
    }
}

/* --- the answer --- */

static struct kw_result run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(job, struct kw_feed_task, job)->service;
    struct kw_feed_errands *errands = &service->errands;
    struct kw_result decoded;

    kw_arena_free(errands->arena); /* it may run again */
    errands->arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    errands->verdict = KW_ANSWER_UNSIGNED;
    KW_ENSURE(errands->arena != NULL, err, MEMORY, "an arena for an answer");
    decoded = kw_answer_decode(kw_buf_bytes(&service->questions.answer), errands->arena,
                               &errands->answer, err);
    if (decoded.reason == KW_E_ENCODING_INVALID) {
        return KW_OK; /* nobody signed that */
    }
    KW_TRY(decoded);
    return errands->now->run(service, tx, errands->arena, &errands->answer, err);
}

/* Is it not the answer's fault? Then it is asked again later, as if nothing had come. */
static bool is_ours(enum kw_reason reason)
{
    return reason == KW_E_STORE_UNAVAILABLE || reason == KW_E_STORE_FULL || reason == KW_E_MEMORY;
}

/* What can't be looked at is no better than none: else whoever finds an answer that fails here would be asked for ever. */
static void fail_job(struct kw_feed_service *service, const struct kw_feed_task *task)
{
    if (is_ours(task->job.result.reason)) {
        fail(service, &task->job.error);
        return;
    }
    kw_feed_service_log(service, "another cell's answer", &task->job.error);
    service->errands.now->refused(service, KW_FEED_ANSWER_FAILED);
}

static void run_done(struct kw_feed_task *task)
{
    struct kw_feed_service *service = task->service;
    struct kw_feed_errands *errands = &service->errands;

    errands->at_store = false;
    if (service->closing) {
        kw_feed_errand_end(service, 0);
    } else if (!kw_ok(task->job.result)) {
        fail_job(service, task);
    } else if (errands->verdict != KW_ANSWER_GOOD) {
        errands->now->refused(service, KW_FEED_ANSWER_NONE);
    } else {
        errands->now->done(service);
    }
    kw_arena_free(errands->arena);
    errands->arena = NULL;
}

static void look(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    struct kw_error error = {0};
    struct kw_result handed;

    service->errand = (struct kw_feed_task){.job = {.run = run}, .done = run_done};
    handed = errands->now->writes ? kw_feed_task_write(service, &service->errand, &error)
                                  : kw_feed_task_read(service, &service->errand, &error);
    errands->at_store = kw_ok(handed);
    if (!errands->at_store) {
        fail(service, &error);
    }
}

void kw_feed_errands_answered(struct kw_feed_service *service, enum kw_feed_answered how)
{
    if (service->errands.now == NULL || service->closing) {
        return;
    }
    if (how == KW_FEED_ANSWERED) {
        look(service);
    } else {
        service->errands.now->refused(service, how);
    }
}

void kw_feed_errands_free(struct kw_feed_errands *errands)
{
    kw_arena_free(errands->arena);
    kw_buf_done(&errands->key);
    kw_buf_done(&errands->rest);
}
