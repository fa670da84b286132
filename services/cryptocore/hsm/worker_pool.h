/* The crypto core's side of the HSM: N worker processes, fed from the loop thread.
 *
 *     kw_hsm_submit ─▶ queue ─▶ least loaded ready worker ─▶ socket ─▶ answers ─▶ call->done
 *
 * What is submitted in one turn of the loop goes to a worker in one write. A worker that dies fails
 * what it had in flight with HSM_UNAVAILABLE, except idempotent requests, which run once more on
 * another worker. At a call's deadline its caller is answered and the worker gets no new work until
 * it has caught up; after KW_HSM_DRAIN_MS it is killed. Workers come back with backoff. All of it
 * on the loop thread.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_WORKER_POOL_H
#define KW_SERVICES_CRYPTOCORE_HSM_WORKER_POOL_H

#include "common/loop/loop.h"
#include "services/cryptocore/hsm/ops.h"
#include "services/cryptocore/hsm/sandbox_mode.h"
#include "services/cryptocore/hsm/stats.h"

struct kw_hsm_pool;
struct kw_hsm_call;

struct kw_hsm_settings {
    const char *worker_path; /* the executable keyward-hsm-worker */
    const char *provider;    /* row of the provider table: "softhsm", "cloudhsm" */
    const char *module_path; /* the PKCS#11 module; it reads its own environment (SOFTHSM2_CONF),
                                inherited */
    const char *token_label;
    const char *pin_path;  /* file with the user's PIN, mode 0600; only workers read it */
    const char *lock_path; /* file by which workers on this machine log in one after the other */
    unsigned workers;      /* 1 … KW_HSM_WORKERS_MAX */
    enum kw_hsm_sandbox sandbox;
};

/* Health of the HSM as a whole. */
enum kw_hsm_state {
    KW_HSM_STARTING,      /* no worker has been ready yet */
    KW_HSM_READY,         /* at least one worker is */
    KW_HSM_DOWN,          /* none is: the circuit is open, submits fail at once */
    KW_HSM_LOGIN_REFUSED, /* the PIN was refused: no further attempt is made with it, since tokens
                             lock */
    KW_HSM_CLOSED,
};

struct kw_hsm_events {
    void (*state_changed)(void *context, enum kw_hsm_state state); /* may be NULL */
    void *context;
};

/* One submission; embedded in the object that waits for it, which must stay until `done` ran. */
struct kw_hsm_call {
    uint64_t deadline_ns; /* kw_clock_mono_ns; set by the caller */
    /* Runs exactly once, on the loop thread, never from inside kw_hsm_submit. `answers` has one
     * entry for each request, in order, and dies when `done` returns. */
    void (*done)(struct kw_hsm_call *call, const struct kw_hsm_answer *answers, size_t count);
    uint32_t hsm_calls; /* PKCS#11 calls that the submission cost; set before `done` */
};

/* Starts the first worker; the others follow when its login succeeded. `settings` is copied.
 * Fails: CONFIG_INVALID (no such executable, or a setting out of range), MEMORY, SYSTEM. */
struct kw_result kw_hsm_pool_new(struct kw_loop *loop, const struct kw_hsm_settings *settings,
                                 const struct kw_hsm_events *events, struct kw_hsm_pool **ret_pool,
                                 struct kw_error *err);

/* Hands in `count` requests (1 … KW_HSM_ITEMS_MAX); they are copied. All go to one worker and are
 * answered together, so that independent work is better submitted apart. Fails: ARGUMENT_INVALID (a
 * count or length over its limit), HSM_UNAVAILABLE (no worker is ready; HSM_LOGIN_REFUSED,
 * HSM_KEY_MISSING, HSM_SELF_TEST when that is why), HSM_BUSY (queue full),
 * DEADLINE_EXCEEDED, MEMORY. Then `done` will not run. */
struct kw_result kw_hsm_submit(struct kw_hsm_pool *pool, struct kw_hsm_call *call,
                               const struct kw_hsm_request *requests, size_t count,
                               struct kw_error *err);

enum kw_hsm_state kw_hsm_pool_state(const struct kw_hsm_pool *pool);

/* Why there is no worker, when there is none: HSM_LOGIN_REFUSED, HSM_KEY_MISSING, HSM_SELF_TEST, or
 * nothing more particular than HSM_UNAVAILABLE. */
enum kw_reason kw_hsm_pool_trouble(const struct kw_hsm_pool *pool);

/* Sums since the pool was made, dead workers included. */
void kw_hsm_pool_stats(const struct kw_hsm_pool *pool, struct kw_hsm_stats *ret_stats);

/* Fails what is queued or in flight with DRAINING, ends the workers, and calls `closed` when all
 * have gone: from then on nothing of the pool is left. `closed` may be NULL. */
void kw_hsm_pool_close(struct kw_hsm_pool *pool, void (*closed)(void *context), void *context);

#endif
