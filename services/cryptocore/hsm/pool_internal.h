/* The pool's parts: pending submissions, workers, and the pool that holds them. Private to
 * worker_pool.c, pool_pending.c and pool_worker.c. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_POOL_INTERNAL_H
#define KW_SERVICES_CRYPTOCORE_HSM_POOL_INTERNAL_H

#include "common/base/arena.h"
#include "common/base/limits.h"
#include "services/cryptocore/hsm/worker_child.h"
#include "services/cryptocore/hsm/worker_pool.h"

/* One submission, from kw_hsm_submit until its worker has ended it. It outlives its call when the
 * deadline passes while a worker is busy with it: then `call` is NULL and the answers are nobody's.
 */
struct kw_hsm_pending {
    struct kw_hsm_pending *next;
    struct kw_hsm_call *call;
    uint64_t number;
    uint64_t deadline_ns;
    struct kw_buf message; /* the BATCH as sent */
    struct kw_arena *arena;
    struct kw_hsm_answer *answers; /* op is set; result says INTERNAL until the answer came */
    size_t *yields;                /* how many things a success holds */
    bool *answered;
    size_t count;
    size_t answered_count;
    unsigned attempts;
    bool idempotent; /* every request of it */
    bool completing; /* its call's `done` is running */
    bool doomed;     /* freed meanwhile: goes when `done` has returned */
};

/* First in, first out. */
struct kw_hsm_queue {
    struct kw_hsm_pending *head;
    struct kw_hsm_pending *tail;
    size_t items;      /* requests, not submissions */
    const char *gauge; /* shows `items`; NULL: nothing does */
};

/*   IDLE ──start──▶ STARTING ──hello──▶ READY ──deadline missed──▶ DRAINING ──caught up──▶ READY
 *   READY ──served enough──▶ RETIRING ──all answered, process gone──▶ STARTING
 *   STARTING, READY, DRAINING ──process gone──▶ LOST ──backoff over──▶ STARTING
 *   LOST ──PIN refused──▶ IDLE ──another PIN file──▶ STARTING
 */
enum kw_hsm_worker_state {
    KW_HSM_WORKER_IDLE,     /* not started yet; after a refused PIN timer: look at its file */
    KW_HSM_WORKER_STARTING, /* timer: must say hello */
    KW_HSM_WORKER_READY,    /* timer: next health probe */
    KW_HSM_WORKER_DRAINING, /* timer: must catch up */
    KW_HSM_WORKER_RETIRING, /* takes nothing new; timer: must have answered */
    KW_HSM_WORKER_LOST,     /* timer: is started again */
};

struct kw_hsm_worker {
    struct kw_hsm_pool *pool;
    unsigned index;
    enum kw_hsm_worker_state state;
    struct kw_hsm_child *child; /* NULL in IDLE and LOST */
    struct kw_timer timer;
    struct kw_hsm_queue in_flight;
    uint64_t backoff_ms;
    uint64_t served;          /* requests answered by this process */
    struct kw_hsm_call probe; /* health, each PROBE_INTERVAL_MS */
    bool probing;
};

struct kw_hsm_pool {
    struct kw_loop *loop;
    struct kw_hsm_configure configure;
    char worker_path[KW_HSM_SETTING_SIZE];
    enum kw_hsm_sandbox sandbox;
    struct kw_hsm_events events;
    struct kw_flush flush;
    struct kw_timer deadline; /* of the earliest pending submission */
    uint64_t deadline_ns;     /* when that is; UINT64_MAX: none */
    struct kw_hsm_queue queue;
    struct kw_hsm_worker workers[KW_HSM_WORKERS_MAX];
    unsigned worker_count;
    uint64_t requests_max; /* of one process; KW_HSM_WORKER_REQUESTS_MAX but in tests */
    uint64_t next_number;
    struct kw_hsm_stats stats;
    enum kw_hsm_state state;
    bool ever_ready;
    bool login_refused;     /* until the PIN file is another one */
    enum kw_reason trouble; /* why the latest start failed; HSM_UNAVAILABLE when it is nothing more
                               particular */
    struct timespec pin_time; /* of the PIN file, when it was last given to a worker */
    uint64_t pin_inode;
    bool closing;
    unsigned open_parts; /* timers and processes that must close before the pool can go */
    void (*closed)(void *context);
    void *closed_context;
};

/* pool_pending.c */

void kw_hsm_queue_push(struct kw_hsm_queue *queue, struct kw_hsm_pending *pending);
void kw_hsm_queue_push_front(struct kw_hsm_queue *queue, struct kw_hsm_pending *pending);
struct kw_hsm_pending *kw_hsm_queue_pop(struct kw_hsm_queue *queue);
void kw_hsm_queue_remove(struct kw_hsm_queue *queue, struct kw_hsm_pending *pending);

/* Copies the requests. Fails: ARGUMENT_INVALID, BODY_TOO_LARGE, MEMORY. */
struct kw_result kw_hsm_pending_new(struct kw_hsm_call *call, uint64_t number,
                                    const struct kw_hsm_request *requests, size_t count,
                                    struct kw_hsm_pending **ret_pending, struct kw_error *err);
void kw_hsm_pending_free(struct kw_hsm_pending *pending);

/* Takes one answer out of a message. What it holds is as much as was asked for: whoever asked reads by that number.
 * Fails: ENCODING_INVALID (not one that is awaited, or not as much), MEMORY. */
struct kw_result kw_hsm_pending_answer(struct kw_hsm_pending *pending, size_t index,
                                       struct kw_reader fields, struct kw_error *err);

/* Forgets the answers, so that it can run again. */
void kw_hsm_pending_reset(struct kw_hsm_pending *pending);

/* Gives what is not answered this failure, and the whole to the caller; `pending` stays, without a
 * call. */
void kw_hsm_pending_fail(struct kw_hsm_pending *pending, enum kw_reason reason,
                         const char *message);

/* Gives the answers to the caller, if there still is one. */
void kw_hsm_pending_complete(struct kw_hsm_pending *pending);

/* pool_worker.c */

void kw_hsm_worker_init(struct kw_hsm_worker *worker, struct kw_hsm_pool *pool, unsigned index);

/* Starts the process; a failure is a lost worker like any other. */
void kw_hsm_worker_start(struct kw_hsm_worker *worker);

/* May it be given `count` requests more? */
bool kw_hsm_worker_takes(const struct kw_hsm_worker *worker, size_t count);

/* Hands it a submission, to be written at the next flush. */
void kw_hsm_worker_give(struct kw_hsm_worker *worker, struct kw_hsm_pending *pending);

/* A deadline passed while it is busy with `pending`. */
void kw_hsm_worker_late(struct kw_hsm_worker *worker, const struct kw_hsm_pending *pending);

/* Ends it for good; its parts report to kw_hsm_pool_part_closed. */
void kw_hsm_worker_close(struct kw_hsm_worker *worker);

/* worker_pool.c */

void kw_hsm_pool_state_update(struct kw_hsm_pool *pool);
void kw_hsm_pool_dispatch(struct kw_hsm_pool *pool);
void kw_hsm_pool_part_closed(struct kw_hsm_pool *pool);

/* Has the deadline timer fire at this time at the latest. */
void kw_hsm_pool_deadline(struct kw_hsm_pool *pool, uint64_t at_ns);

/* Starts the next worker that is waiting for its first start. */
void kw_hsm_pool_start_next(struct kw_hsm_pool *pool);

/* What a lost worker had in flight: runs again, or fails. */
void kw_hsm_pool_reclaim(struct kw_hsm_pool *pool, struct kw_hsm_queue *lost);

#endif
