/* One worker of the pool: its states, its deadlines, its health. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/random.h"
#include "services/cryptocore/hsm/pool_internal.h"

#include <signal.h>
#include <sys/stat.h>

#define PROBE_INTERVAL_MS 500U /* so that an HSM that went is known within a second */
#define PROBE_DEADLINE_MS 2000U
#define PIN_WATCH_MS      500U

static void worker_lost(struct kw_hsm_worker *worker);

/* --- states --- */

static void become(struct kw_hsm_worker *worker, enum kw_hsm_worker_state state, uint64_t timer_ms)
{
    worker->state = state;
    if (timer_ms > 0) {
        kw_timer_start(&worker->timer, timer_ms, 0);
    } else {
        kw_timer_stop(&worker->timer);
    }
    kw_hsm_pool_state_update(worker->pool);
}

/* Half of the backoff is random, so that many cores do not come back in step. */
static uint64_t backoff_next(struct kw_hsm_worker *worker)
{
    uint64_t now = worker->backoff_ms;
    uint16_t dice = 0;

    KW_IGNORE(kw_random(&dice, sizeof(dice), NULL));
    worker->backoff_ms = now * 2 < KW_HSM_RESTART_MAX_MS ? now * 2 : KW_HSM_RESTART_MAX_MS;
    return now / 2 + dice % (now / 2 + 1);
}

static void probe_done(struct kw_hsm_call *call, const struct kw_hsm_answer *answers, size_t count)
{
    struct kw_hsm_worker *worker =
        (struct kw_hsm_worker *)((char *)call - offsetof(struct kw_hsm_worker, probe));

    (void)count;
    worker->probing = false;
    if (!kw_ok(answers[0].result)) {
        KW_LOG(WARN, "hsm health probe failed", KW_F_U64("worker", worker->index),
               KW_F_ERR(&answers[0].error));
    }
}

/* A worker whose HSM does not answer the canary as it should ends by itself. */
static void probe_start(struct kw_hsm_worker *worker)
{
    struct kw_hsm_request request = {.op = KW_HSM_HEALTH};
    struct kw_hsm_pending *pending;

    kw_timer_start(&worker->timer, PROBE_INTERVAL_MS, 0);
    if (worker->probing) {
        return;
    }
    worker->probe = (struct kw_hsm_call){
        .deadline_ns = kw_clock_mono_ns() + (uint64_t)PROBE_DEADLINE_MS * KW_NS_PER_MS,
        .done = probe_done,
    };
    if (kw_ok(kw_hsm_pending_new(&worker->probe, worker->pool->next_number++, &request, 1, &pending,
                                 NULL))) {
        worker->probing = true;
        pending->idempotent = false; /* another worker's health says nothing of this one's */
        kw_hsm_worker_give(worker, pending);
        kw_hsm_pool_deadline(worker->pool, pending->deadline_ns);
    }
}

/* --- trouble --- */

/* What operators must look at, told apart from a mere outage. */
static bool is_incident(enum kw_reason reason)
{
    return reason == KW_E_HSM_LOGIN_REFUSED || reason == KW_E_HSM_KEY_MISSING ||
           reason == KW_E_HSM_SELF_TEST;
}

static void incident_count(enum kw_reason reason)
{
    if (is_incident(reason)) {
        kw_metric_add(KW_M_HSM_INCIDENTS, kw_reason_row(reason)->label, 1);
    }
}

static void start_failed(struct kw_hsm_worker *worker, const struct kw_hsm_hello *hello)
{
    struct kw_hsm_pool *pool = worker->pool;
    enum kw_reason reason = hello->result.reason;

    KW_LOG(ERROR, "hsm worker cannot start", KW_F_U64("worker", worker->index),
           KW_F_ERR(&hello->error));
    incident_count(reason);
    pool->trouble = is_incident(reason) ? reason : KW_E_HSM_UNAVAILABLE;
    pool->login_refused |= reason == KW_E_HSM_LOGIN_REFUSED;
}

/* True when the PIN file is not the one that was there at the latest start. */
static bool pin_changed(struct kw_hsm_pool *pool)
{
    struct stat st;
    bool same;

    if (stat(pool->configure.pin_path, &st) != 0) {
        return false;
    }
    same = st.st_ino == pool->pin_inode && st.st_mtim.tv_sec == pool->pin_time.tv_sec &&
           st.st_mtim.tv_nsec == pool->pin_time.tv_nsec;
    pool->pin_inode = st.st_ino;
    pool->pin_time = st.st_mtim;
    return !same;
}

/* Another PIN deserves an attempt, by whichever worker starts next; those that wait follow when it
 * has succeeded. Whether it really is another one the worker knows for sure. */
static void pin_look(struct kw_hsm_pool *pool)
{
    if (pin_changed(pool)) {
        pool->login_refused = false;
    }
}

static void pin_watch(struct kw_hsm_worker *worker)
{
    if (!worker->pool->login_refused) {
        return; /* another worker has begun */
    }
    pin_look(worker->pool);
    if (worker->pool->login_refused) {
        kw_timer_start(&worker->timer, PIN_WATCH_MS, 0);
    } else {
        kw_hsm_worker_start(worker);
    }
}

static void on_timer(struct kw_timer *timer)
{
    struct kw_hsm_worker *worker =
        (struct kw_hsm_worker *)((char *)timer - offsetof(struct kw_hsm_worker, timer));

    switch (worker->state) {
    case KW_HSM_WORKER_IDLE:
        pin_watch(worker);
        break;
    case KW_HSM_WORKER_STARTING:
    case KW_HSM_WORKER_DRAINING:
    case KW_HSM_WORKER_RETIRING:
        KW_LOG(WARN, "hsm worker killed: it does not answer", KW_F_U64("worker", worker->index));
        kw_hsm_child_kill(worker->child);
        break;
    case KW_HSM_WORKER_READY:
        probe_start(worker);
        break;
    case KW_HSM_WORKER_LOST:
        if (worker->pool->login_refused) {
            become(worker, KW_HSM_WORKER_IDLE, PIN_WATCH_MS);
        } else {
            kw_hsm_worker_start(worker);
        }
        break;
    }
}

/* --- messages --- */

static struct kw_result on_hello(struct kw_hsm_worker *worker, struct kw_reader fields,
                                 struct kw_error *err)
{
    struct kw_hsm_hello hello;

    KW_ENSURE(worker->state == KW_HSM_WORKER_STARTING, err, ENCODING_INVALID, "hello twice");
    KW_TRY(kw_hsm_hello_get(fields, &hello, err));
    if (!kw_ok(hello.result)) {
        start_failed(worker, &hello);
        return KW_OK; /* it ends by itself */
    }
    worker->pool->ever_ready = true;
    worker->pool->trouble = KW_E_HSM_UNAVAILABLE;
    become(worker, KW_HSM_WORKER_READY, PROBE_INTERVAL_MS);
    kw_hsm_pool_start_next(worker->pool);
    kw_hsm_pool_dispatch(worker->pool);
    return KW_OK;
}

static struct kw_hsm_pending *in_flight(const struct kw_hsm_worker *worker, uint64_t number)
{
    struct kw_hsm_pending *pending = worker->in_flight.head;

    while (pending != NULL && pending->number != number) {
        pending = pending->next;
    }
    return pending;
}

static struct kw_result on_answer(struct kw_hsm_worker *worker, struct kw_reader fields,
                                  struct kw_error *err)
{
    struct kw_hsm_pending *pending;
    uint64_t number;
    size_t index;

    kw_hsm_answer_message_get(&fields, &number, &index);
    pending = in_flight(worker, number);
    KW_ENSURE(pending != NULL, err, ENCODING_INVALID, "answer to no call");
    return pending->call != NULL ? kw_hsm_pending_answer(pending, index, fields, err) : KW_OK;
}

static uint32_t stats_add(struct kw_hsm_stats *stats, const struct kw_hsm_end *end)
{
    uint32_t sum = 0;

    for (size_t f = 0; f < KW_C_COUNT_; f++) {
        stats->calls[f] += end->calls[f];
        if (end->calls[f] > 0) {
            kw_metric_add(KW_M_HSM_CALLS, kw_hsm_function_name((enum kw_hsm_function)f),
                          end->calls[f]);
        }
        sum += end->calls[f];
    }
    return sum;
}

/* --- replacing --- */

/* Only while all others work: one is away at a time, and the last one never. */
static bool can_be_spared(const struct kw_hsm_worker *worker)
{
    const struct kw_hsm_pool *pool = worker->pool;
    unsigned ready = 0;

    for (unsigned i = 0; i < pool->worker_count; i++) {
        ready += pool->workers[i].state == KW_HSM_WORKER_READY ? 1 : 0;
    }
    return ready == pool->worker_count && ready > 1;
}

/* A worker that has served enough gets nothing new, and ends when it has answered everything. */
static void retire_if_due(struct kw_hsm_worker *worker)
{
    if (worker->state == KW_HSM_WORKER_READY && worker->served >= worker->pool->requests_max &&
        can_be_spared(worker)) {
        become(worker, KW_HSM_WORKER_RETIRING, KW_HSM_DRAIN_MS);
    }
    if (worker->state == KW_HSM_WORKER_RETIRING && worker->in_flight.items == 0) {
        kw_hsm_child_kill(worker->child);
    }
}

static void operations_count(const struct kw_hsm_pending *pending)
{
    for (size_t i = 0; i < pending->count; i++) {
        incident_count(pending->answers[i].result.reason);
        kw_metric_add(KW_M_HSM_OPERATIONS, kw_hsm_op_name(pending->answers[i].op), 1);
    }
}

static struct kw_result on_end(struct kw_hsm_worker *worker, struct kw_reader fields,
                               struct kw_error *err)
{
    struct kw_hsm_pool *pool = worker->pool;
    struct kw_hsm_pending *pending;
    struct kw_hsm_end end;
    uint32_t calls;

    KW_TRY(kw_hsm_end_get(fields, &end, err));
    pending = in_flight(worker, end.call);
    KW_ENSURE(pending != NULL &&
                  (pending->call == NULL || pending->answered_count == pending->count),
              err, ENCODING_INVALID, "end of a call that is not answered");
    calls = stats_add(&pool->stats, &end);
    pool->stats.requests += pending->count;
    worker->served += pending->count;
    operations_count(pending);
    kw_hsm_queue_remove(&worker->in_flight, pending);
    worker->backoff_ms = KW_HSM_RESTART_MIN_MS;
    if (worker->state == KW_HSM_WORKER_DRAINING) {
        become(worker, KW_HSM_WORKER_READY, PROBE_INTERVAL_MS);
    }
    if (pending->call != NULL) {
        pending->call->hsm_calls = calls;
    }
    kw_hsm_pending_complete(pending);
    kw_hsm_pending_free(pending);
    retire_if_due(worker);
    kw_hsm_pool_dispatch(pool);
    return KW_OK;
}

static struct kw_result message_take(struct kw_hsm_worker *worker,
                                     const struct kw_hsm_message *message, struct kw_error *err)
{
    switch (message->kind) {
    case KW_HSM_MSG_HELLO:
        return on_hello(worker, message->fields, err);
    case KW_HSM_MSG_ANSWER:
        return on_answer(worker, message->fields, err);
    case KW_HSM_MSG_END:
        return on_end(worker, message->fields, err);
    case KW_HSM_MSG_CONFIGURE:
    case KW_HSM_MSG_BATCH:
        break;
    }
    KW_FAIL(err, ENCODING_INVALID, "message kind %d from a worker", (int)message->kind);
}

static void on_message(void *context, const struct kw_hsm_message *message)
{
    struct kw_hsm_worker *worker = context;
    struct kw_error err;

    if (worker->pool->closing) {
        return;
    }
    if (!kw_ok(message_take(worker, message, &err))) {
        KW_LOG(ERROR, "hsm worker killed: it breaks the protocol",
               KW_F_U64("worker", worker->index), KW_F_ERR(&err));
        kw_hsm_child_kill(worker->child);
    }
}

/* --- process --- */

static void on_gone(void *context, int64_t exit_status, int signal)
{
    struct kw_hsm_worker *worker = context;

    worker->child = NULL;
    if (worker->pool->closing) {
        return;
    }
    if (worker->state == KW_HSM_WORKER_RETIRING && worker->in_flight.items == 0) {
        KW_LOG(INFO, "hsm worker replaced", KW_F_U64("worker", worker->index));
        kw_hsm_worker_start(worker);
        return;
    }
    if (signal == SIGSYS) {
        kw_metric_add(KW_M_SANDBOX_KILLS, "hsm-worker", 1);
        KW_LOG(ERROR, "hsm worker made a system call that its sandbox does not allow",
               KW_F_U64("worker", worker->index),
               KW_F_STR("sandbox", kw_hsm_sandbox_name(worker->pool->sandbox)),
               KW_F_STR("which", "the kernel's audit log names it: type=1326"));
    }
    KW_LOG(WARN, "hsm worker lost", KW_F_U64("worker", worker->index),
           KW_F_I64("exit", exit_status), KW_F_I64("signal", signal));
    worker_lost(worker);
}

static void on_child_closed(void *context)
{
    struct kw_hsm_worker *worker = context;

    kw_hsm_pool_part_closed(worker->pool);
}

/* After a refused PIN nothing is started again until there is another PIN: the next attempts would
 * lock the token. */
static void worker_lost(struct kw_hsm_worker *worker)
{
    struct kw_hsm_pool *pool = worker->pool;
    struct kw_hsm_queue lost = worker->in_flight;

    worker->in_flight = (struct kw_hsm_queue){0};
    pool->stats.workers_lost++;
    kw_metric_add(KW_M_HSM_RESTARTS, NULL, 1);
    if (pool->login_refused) {
        become(worker, KW_HSM_WORKER_IDLE, PIN_WATCH_MS);
    } else {
        become(worker, KW_HSM_WORKER_LOST, backoff_next(worker));
    }
    kw_hsm_pool_reclaim(pool, &lost);
}

static struct kw_result start_process(struct kw_hsm_worker *worker, struct kw_error *err)
{
    struct kw_hsm_pool *pool = worker->pool;
    struct kw_hsm_child_events events = {on_message, on_gone, on_child_closed, worker};
    struct kw_result result;

    pool->open_parts++;
    result = kw_hsm_child_start(pool->loop, pool->worker_path, pool->sandbox, &events,
                                &worker->child, err);
    if (result.reason == KW_E_MEMORY) {
        pool->open_parts--;
    }
    KW_TRY(result);
    KW_TRY(kw_hsm_configure_put(kw_hsm_child_out(worker->child), &pool->configure, err));
    kw_loop_mark(pool->loop, &pool->flush);
    return KW_OK;
}

void kw_hsm_worker_start(struct kw_hsm_worker *worker)
{
    struct kw_error err;

    pin_look(worker->pool);
    worker->pool->stats.workers_started++;
    worker->served = 0;
    become(worker, KW_HSM_WORKER_STARTING, KW_HSM_START_MS);
    if (kw_ok(start_process(worker, &err))) {
        return;
    }
    KW_LOG(ERROR, "hsm worker not started", KW_F_U64("worker", worker->index), KW_F_ERR(&err));
    if (worker->child != NULL) {
        kw_hsm_child_kill(worker->child);
    } else {
        worker_lost(worker);
    }
}

void kw_hsm_worker_init(struct kw_hsm_worker *worker, struct kw_hsm_pool *pool, unsigned index)
{
    *worker =
        (struct kw_hsm_worker){.pool = pool, .index = index, .backoff_ms = KW_HSM_RESTART_MIN_MS};
    kw_timer_init(&worker->timer, pool->loop, on_timer);
    pool->open_parts++;
}

bool kw_hsm_worker_takes(const struct kw_hsm_worker *worker, size_t count)
{
    return worker->state == KW_HSM_WORKER_READY &&
           (worker->in_flight.items == 0 ||
            worker->in_flight.items + count <= KW_HSM_WORKER_ITEMS_MAX);
}

void kw_hsm_worker_give(struct kw_hsm_worker *worker, struct kw_hsm_pending *pending)
{
    pending->attempts++;
    kw_hsm_queue_push(&worker->in_flight, pending);
    kw_loop_mark(worker->pool->loop, &worker->pool->flush);
    if (!kw_ok(kw_buf_append(kw_hsm_child_out(worker->child), kw_buf_bytes(&pending->message),
                             NULL))) {
        kw_hsm_child_kill(worker->child); /* the socket has a gap now; `gone` sorts it out */
    }
}

/* What waits behind the first in its socket is refused by the worker itself when it gets there. */
void kw_hsm_worker_late(struct kw_hsm_worker *worker, const struct kw_hsm_pending *pending)
{
    if (worker->state == KW_HSM_WORKER_READY && worker->in_flight.head == pending) {
        become(worker, KW_HSM_WORKER_DRAINING, KW_HSM_DRAIN_MS);
    }
}

static void on_timer_closed(struct kw_timer *timer)
{
    struct kw_hsm_worker *worker =
        (struct kw_hsm_worker *)((char *)timer - offsetof(struct kw_hsm_worker, timer));

    kw_hsm_pool_part_closed(worker->pool);
}

void kw_hsm_worker_close(struct kw_hsm_worker *worker)
{
    kw_timer_close(&worker->timer, on_timer_closed);
    if (worker->child != NULL) {
        kw_hsm_child_kill(worker->child);
    }
}
