/* ConfirmDevice for many pens: a few threads, each with a connection of its own, take one pen after
 * the other. */
#include "cli/batch.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define WORKERS_MAX  32
#define PAUSE_MS_MAX 2000U

struct crew {
    const struct kw_confirm_plan *plan;
    atomic_size_t next;
    atomic_size_t confirmed;
    atomic_bool stop;
};

struct worker {
    struct crew *crew;
    pthread_t thread;
    struct kw_connection connection;
    struct kw_refusal refusal;
    struct kw_error error;
    struct kw_result result;
};

static void pause_for(uint64_t ms)
{
    const struct timespec time = {.tv_sec = (time_t)(ms / 1000),
                                  .tv_nsec = (long)(ms % 1000 * KW_NS_PER_MS)};

    (void)nanosleep(&time, NULL);
}

/* What was said at first, then twice that, … */
static uint64_t longer(uint64_t pause_ms, uint64_t said_ms)
{
    uint64_t twice = pause_ms == 0 ? said_ms : 2 * pause_ms;

    return twice < PAUSE_MS_MAX ? twice : PAUSE_MS_MAX;
}

/* A refusal that says when to come again is one to wait for, while there is time and nobody else failed: the core may
 * be waiting for a witness. With the same request id, so that it is the same request. */
static struct kw_result call_until_answered(struct worker *worker, ProtobufCMessage *request,
                                            struct kw_arena *arena, struct kw_error *err)
{
    uint64_t until_ns = kw_clock_mono_ns() + worker->crew->plan->timeout_ms * KW_NS_PER_MS;
    uint64_t pause_ms = 0;
    ProtobufCMessage *response = NULL;
    struct kw_result result;

    for (;;) {
        worker->refusal = (struct kw_refusal){0};
        result = kw_connection_call(&worker->connection, KW_METHOD_CONFIRM_DEVICE, request, arena,
                                    &response, err);
        pause_ms = longer(pause_ms, worker->refusal.retry_ms);
        if (kw_ok(result) || worker->refusal.retry_ms == 0 || atomic_load(&worker->crew->stop) ||
            kw_clock_mono_ns() + pause_ms * KW_NS_PER_MS > until_ns) {
            return result;
        }
        pause_for(pause_ms);
    }
}

static struct kw_result confirm_in(struct worker *worker, size_t index, struct kw_arena *arena,
                                   struct kw_error *err)
{
    const struct kw_pen_sim *pen = &worker->crew->plan->pens[index];
    struct kw_delivery *delivery = &worker->crew->plan->deliveries->items[index];
    Keyward__V1__ConfirmDeviceRequest request = KEYWARD__V1__CONFIRM_DEVICE_REQUEST__INIT;
    uint8_t challenge[KW_PEN_NONCE_SIZE];
    uint8_t tag[KW_PEN_TAG_SIZE];
    char serial[KW_PEN_SIM_SERIAL_SIZE];

    KW_TRY(kw_random(challenge, sizeof(challenge), err));
    KW_TRY(kw_pen_sim_prove(pen, challenge, tag, err));
    kw_copy(serial, pen->serial, sizeof(serial));
    request.device = delivery->device;
    request.challenge = (ProtobufCBinaryData){.len = sizeof(challenge), .data = challenge};
    request.tag = (ProtobufCBinaryData){.len = sizeof(tag), .data = tag};
    request.serial_number = serial;
    return call_until_answered(worker, &request.base, arena, err);
}

static struct kw_result confirm_one(struct worker *worker, size_t index, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "a call");
    result = confirm_in(worker, index, arena, err);
    kw_arena_free(arena);
    return result;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct crew *crew = worker->crew;

    while (kw_ok(worker->result) && !atomic_load(&crew->stop)) {
        size_t index = atomic_fetch_add(&crew->next, 1);

        if (index >= crew->plan->deliveries->count) {
            break;
        }
        worker->result = confirm_one(worker, index, &worker->error);
        if (kw_ok(worker->result)) {
            atomic_fetch_add(&crew->confirmed, 1);
        } else {
            atomic_store(&crew->stop, true);
        }
    }
    return NULL;
}

static struct kw_result worker_start(struct worker *worker, struct crew *crew, struct kw_error *err)
{
    int rc;

    worker->crew = crew;
    KW_TRY(kw_connection_open(&worker->connection, crew->plan->options, crew->plan->timeout_ms,
                              &worker->refusal, err));
    rc = pthread_create(&worker->thread, NULL, work, worker);
    if (rc != 0) {
        kw_connection_done(&worker->connection);
    }
    KW_ENSURE(rc == 0, err, SYSTEM, "a thread: %s", strerror(rc));
    return KW_OK;
}

/* The first worker's failure is the crew's. */
static struct kw_result worker_join(struct worker *worker, struct kw_result so_far,
                                    struct kw_refusal *refusal, struct kw_error *err)
{
    (void)pthread_join(worker->thread, NULL);
    kw_connection_done(&worker->connection);
    if (!kw_ok(so_far) || kw_ok(worker->result)) {
        return so_far;
    }
    *refusal = worker->refusal;
    if (err != NULL) {
        *err = worker->error;
    }
    return worker->result;
}

struct kw_result kw_batch_confirm(const struct kw_confirm_plan *plan, struct kw_refusal *refusal,
                                  size_t *ret_confirmed, struct kw_error *err)
{
    struct crew crew = {.plan = plan};
    struct worker workers[WORKERS_MAX] = {0};
    size_t wanted = plan->workers < WORKERS_MAX ? plan->workers : WORKERS_MAX;
    size_t started = 0;
    struct kw_result result = KW_OK;

    while (started < wanted && kw_ok(result)) {
        result = worker_start(&workers[started], &crew, err);
        if (kw_ok(result)) {
            started++;
        } else {
            atomic_store(&crew.stop, true);
        }
    }
    for (size_t i = 0; i < started; i++) {
        result = worker_join(&workers[i], result, refusal, err);
    }
    *ret_confirmed = atomic_load(&crew.confirmed);
    return result;
}
