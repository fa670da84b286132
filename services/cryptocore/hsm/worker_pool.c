/* The pool as a whole: submissions, dispatch, deadlines, circuit state. */
#include "services/cryptocore/hsm/worker_pool.h"

#include "common/base/clock.h"
#include "services/cryptocore/hsm/pool_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ATTEMPTS_MAX 2

/* --- state --- */

/* A draining worker still counts: most come back. */
static bool any_working(const struct kw_hsm_pool *pool)
{
    for (unsigned i = 0; i < pool->worker_count; i++) {
        if (pool->workers[i].state == KW_HSM_WORKER_READY ||
            pool->workers[i].state == KW_HSM_WORKER_DRAINING ||
            pool->workers[i].state == KW_HSM_WORKER_RETIRING) {
            return true;
        }
    }
    return false;
}

static enum kw_hsm_state state_now(const struct kw_hsm_pool *pool)
{
    if (pool->closing) {
        return KW_HSM_CLOSED;
    }
    if (any_working(pool)) {
        return KW_HSM_READY;
    }
    if (pool->login_refused) {
        return KW_HSM_LOGIN_REFUSED;
    }
    return pool->ever_ready ? KW_HSM_DOWN : KW_HSM_STARTING;
}

void kw_hsm_pool_state_update(struct kw_hsm_pool *pool)
{
    enum kw_hsm_state state = state_now(pool);

    if (state == pool->state) {
        return;
    }
    pool->state = state;
    if (pool->events.state_changed != NULL) {
        pool->events.state_changed(pool->events.context, state);
    }
}

enum kw_hsm_state kw_hsm_pool_state(const struct kw_hsm_pool *pool)
{
    return pool->state;
}

enum kw_reason kw_hsm_pool_trouble(const struct kw_hsm_pool *pool)
{
    return pool->trouble;
}

void kw_hsm_pool_stats(const struct kw_hsm_pool *pool, struct kw_hsm_stats *ret_stats)
{
    *ret_stats = pool->stats;
}

/* --- dispatch --- */

static struct kw_hsm_worker *least_loaded(struct kw_hsm_pool *pool, size_t count)
{
    struct kw_hsm_worker *best = NULL;

    for (unsigned i = 0; i < pool->worker_count; i++) {
        struct kw_hsm_worker *worker = &pool->workers[i];

        if (kw_hsm_worker_takes(worker, count) &&
            (best == NULL || worker->in_flight.items < best->in_flight.items)) {
            best = worker;
        }
    }
    return best;
}

void kw_hsm_pool_dispatch(struct kw_hsm_pool *pool)
{
    while (pool->queue.head != NULL && !pool->closing) {
        struct kw_hsm_worker *worker = least_loaded(pool, pool->queue.head->count);

        if (worker == NULL) {
            return;
        }
        kw_hsm_worker_give(worker, kw_hsm_queue_pop(&pool->queue));
    }
}

/* End of a turn: all that was submitted in it leaves in one write per worker. */
static void on_flush(struct kw_flush *flush)
{
    struct kw_hsm_pool *pool =
        (struct kw_hsm_pool *)((char *)flush - offsetof(struct kw_hsm_pool, flush));

    kw_hsm_pool_dispatch(pool);
    for (unsigned i = 0; i < pool->worker_count; i++) {
        if (pool->workers[i].child != NULL) {
            kw_hsm_child_flush(pool->workers[i].child);
        }
    }
}

void kw_hsm_pool_reclaim(struct kw_hsm_pool *pool, struct kw_hsm_queue *lost)
{
    struct kw_hsm_queue again = {0};
    struct kw_hsm_pending *pending;

    while ((pending = kw_hsm_queue_pop(lost)) != NULL) {
        if (pending->call != NULL && pending->idempotent && pending->attempts < ATTEMPTS_MAX &&
            !pool->closing) {
            kw_hsm_pending_reset(pending);
            pool->stats.retried += pending->count;
            kw_hsm_queue_push(&again, pending);
        } else {
            kw_hsm_pending_fail(pending, KW_E_HSM_UNAVAILABLE, "the worker was lost");
            kw_hsm_pending_free(pending);
        }
    }
    while (again.tail != NULL) { /* in front of the others, in their order */
        pending = again.tail;
        kw_hsm_queue_remove(&again, pending);
        kw_hsm_queue_push_front(&pool->queue, pending);
    }
    kw_hsm_pool_dispatch(pool);
}

/* --- deadlines --- */

static uint64_t earliest(const struct kw_hsm_queue *queue, uint64_t at_ns)
{
    for (const struct kw_hsm_pending *p = queue->head; p != NULL; p = p->next) {
        if (p->call != NULL && p->deadline_ns < at_ns) {
            at_ns = p->deadline_ns;
        }
    }
    return at_ns;
}

void kw_hsm_pool_deadline(struct kw_hsm_pool *pool, uint64_t at_ns)
{
    uint64_t now_ns = kw_clock_mono_ns();
    uint64_t left_ns = at_ns > now_ns ? at_ns - now_ns : 0;

    if (at_ns >= pool->deadline_ns) {
        return;
    }
    pool->deadline_ns = at_ns;
    kw_timer_start(&pool->deadline, left_ns / KW_NS_PER_MS + 1, 0);
}

static void deadline_rearm(struct kw_hsm_pool *pool)
{
    uint64_t at_ns = earliest(&pool->queue, UINT64_MAX);

    for (unsigned i = 0; i < pool->worker_count; i++) {
        at_ns = earliest(&pool->workers[i].in_flight, at_ns);
    }
    pool->deadline_ns = UINT64_MAX;
    kw_hsm_pool_deadline(pool, at_ns);
}

static struct kw_hsm_pending *first_expired(const struct kw_hsm_queue *queue, uint64_t now_ns)
{
    struct kw_hsm_pending *p = queue->head;

    while (p != NULL && (p->call == NULL || p->deadline_ns > now_ns)) {
        p = p->next;
    }
    return p;
}

/* Callers may submit or close from `done`, so every search begins anew. */
static void queue_expire(struct kw_hsm_pool *pool, uint64_t now_ns)
{
    struct kw_hsm_pending *pending;

    while ((pending = first_expired(&pool->queue, now_ns)) != NULL) {
        kw_hsm_queue_remove(&pool->queue, pending);
        kw_hsm_pending_fail(pending, KW_E_DEADLINE_EXCEEDED, "no worker in time");
        kw_hsm_pending_free(pending);
    }
}

static void worker_expire(struct kw_hsm_worker *worker, uint64_t now_ns)
{
    struct kw_hsm_pending *pending;

    while ((pending = first_expired(&worker->in_flight, now_ns)) != NULL) {
        kw_hsm_worker_late(worker, pending);
        kw_hsm_pending_fail(pending, KW_E_DEADLINE_EXCEEDED, "the worker did not answer in time");
    }
}

static void on_deadline(struct kw_timer *timer)
{
    struct kw_hsm_pool *pool =
        (struct kw_hsm_pool *)((char *)timer - offsetof(struct kw_hsm_pool, deadline));
    uint64_t now_ns = kw_clock_mono_ns();

    queue_expire(pool, now_ns);
    for (unsigned i = 0; i < pool->worker_count; i++) {
        worker_expire(&pool->workers[i], now_ns);
    }
    if (!pool->closing) {
        deadline_rearm(pool);
    }
}

/* --- submit --- */

static struct kw_result admit(const struct kw_hsm_pool *pool, const struct kw_hsm_call *call,
                              size_t count, struct kw_error *err)
{
    if (pool->state != KW_HSM_READY) {
        return kw_error_make(err, pool->trouble, __FILE__, __LINE__, "no worker is ready");
    }
    KW_ENSURE(call->deadline_ns > kw_clock_mono_ns(), err, DEADLINE_EXCEEDED, "before submission");
    KW_ENSURE(pool->queue.items + count <= KW_HSM_QUEUE_ITEMS_MAX, err, HSM_BUSY,
              "%zu requests are waiting", pool->queue.items);
    return KW_OK;
}

struct kw_result kw_hsm_submit(struct kw_hsm_pool *pool, struct kw_hsm_call *call,
                               const struct kw_hsm_request *requests, size_t count,
                               struct kw_error *err)
{
    struct kw_hsm_pending *pending;

    KW_TRY(admit(pool, call, count, err));
    KW_TRY(kw_hsm_pending_new(call, pool->next_number++, requests, count, &pending, err));
    kw_hsm_queue_push(&pool->queue, pending);
    kw_loop_mark(pool->loop, &pool->flush);
    kw_hsm_pool_deadline(pool, call->deadline_ns);
    return KW_OK;
}

/* --- life --- */

static struct kw_result setting_copy(char *to, const char *from, const char *name,
                                     struct kw_error *err)
{
    int len = from != NULL ? snprintf(to, KW_HSM_SETTING_SIZE, "%s", from) : 0;

    KW_ENSURE(len > 0 && len < KW_HSM_SETTING_SIZE, err, CONFIG_INVALID,
              "HSM setting %s is missing or too long", name);
    return KW_OK;
}

static struct kw_result settings_take(struct kw_hsm_pool *pool,
                                      const struct kw_hsm_settings *settings, struct kw_error *err)
{
    struct kw_hsm_configure *c = &pool->configure;

    KW_TRY(setting_copy(c->provider, settings->provider, "provider", err));
    KW_TRY(setting_copy(c->module_path, settings->module_path, "module", err));
    KW_TRY(setting_copy(c->token_label, settings->token_label, "token", err));
    KW_TRY(setting_copy(c->pin_path, settings->pin_path, "pin file", err));
    KW_TRY(setting_copy(c->lock_path, settings->lock_path, "lock file", err));
    KW_TRY(setting_copy(pool->worker_path, settings->worker_path, "worker", err));
    KW_ENSURE(access(pool->worker_path, X_OK) == 0, err, CONFIG_INVALID, "%s cannot be executed",
              pool->worker_path);
    KW_ENSURE(settings->workers >= 1 && settings->workers <= KW_HSM_WORKERS_MAX, err,
              CONFIG_INVALID, "%u HSM workers", settings->workers);
    pool->worker_count = settings->workers;
    pool->sandbox = settings->sandbox;
    return KW_OK;
}

/* One at a time: a PIN that is wrong is tried once, not once for each worker. */
void kw_hsm_pool_start_next(struct kw_hsm_pool *pool)
{
    for (unsigned i = 0; i < pool->worker_count && !pool->login_refused && !pool->closing; i++) {
        if (pool->workers[i].state == KW_HSM_WORKER_IDLE) {
            kw_hsm_worker_start(&pool->workers[i]);
            return;
        }
    }
}

struct kw_result kw_hsm_pool_new(struct kw_loop *loop, const struct kw_hsm_settings *settings,
                                 const struct kw_hsm_events *events, struct kw_hsm_pool **ret_pool,
                                 struct kw_error *err)
{
    struct kw_hsm_pool *pool = calloc(1, sizeof(*pool));
    struct kw_result result;

    KW_ENSURE(pool != NULL, err, MEMORY, "HSM pool");
    result = settings_take(pool, settings, err);
    if (!kw_ok(result)) {
        free(pool);
        return result;
    }
    pool->loop = loop;
    pool->queue.gauge = "hsm";
    pool->events = *events;
    pool->flush.run = on_flush;
    pool->requests_max = KW_HSM_WORKER_REQUESTS_MAX;
    pool->trouble = KW_E_HSM_UNAVAILABLE;
    pool->deadline_ns = UINT64_MAX;
    kw_timer_init(&pool->deadline, loop, on_deadline);
    pool->open_parts = 1;
    for (unsigned i = 0; i < pool->worker_count; i++) {
        kw_hsm_worker_init(&pool->workers[i], pool, i);
    }
    kw_hsm_pool_start_next(pool);
    *ret_pool = pool;
    return KW_OK;
}

static void queue_drop(struct kw_hsm_queue *queue)
{
    struct kw_hsm_pending *pending;

    while ((pending = kw_hsm_queue_pop(queue)) != NULL) {
        kw_hsm_pending_fail(pending, KW_E_DRAINING, "the HSM pool is closing");
        kw_hsm_pending_free(pending);
    }
}

static void on_deadline_closed(struct kw_timer *timer)
{
    kw_hsm_pool_part_closed(
        (struct kw_hsm_pool *)((char *)timer - offsetof(struct kw_hsm_pool, deadline)));
}

void kw_hsm_pool_close(struct kw_hsm_pool *pool, void (*closed)(void *context), void *context)
{
    pool->closing = true;
    pool->closed = closed;
    pool->closed_context = context;
    kw_hsm_pool_state_update(pool);
    queue_drop(&pool->queue);
    for (unsigned i = 0; i < pool->worker_count; i++) {
        queue_drop(&pool->workers[i].in_flight);
        kw_hsm_worker_close(&pool->workers[i]);
    }
    kw_timer_close(&pool->deadline, on_deadline_closed);
}

void kw_hsm_pool_part_closed(struct kw_hsm_pool *pool)
{
    void (*closed)(void *context) = pool->closed;
    void *context = pool->closed_context;

    if (--pool->open_parts > 0) {
        return;
    }
    free(pool);
    if (closed != NULL) {
        closed(context);
    }
}
