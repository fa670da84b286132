/* Pool: a few threads for work that blocks (files, DNS). Results come back to the loop thread. */
#ifndef KW_COMMON_LOOP_POOL_H
#define KW_COMMON_LOOP_POOL_H

#include "common/loop/loop.h"

struct kw_pool;

/* Embedded in the object that waits for it; must stay valid until `done` ran. */
struct kw_job {
    struct kw_mail mail;
    struct kw_job *next;
    struct kw_result result;
    struct kw_error error;
    struct kw_result (*run)(struct kw_job *job, struct kw_error *err); /* on a pool thread */
    void (*done)(struct kw_job *job); /* on the loop thread; see result */
};

struct kw_result kw_pool_new(struct kw_loop *loop, const char *name, unsigned threads,
                             size_t queue_len_max, struct kw_pool **ret_pool, struct kw_error *err);

/* Fails: LIMIT_REACHED (queue full). Then `done` will not run. Loop thread. */
struct kw_result kw_pool_submit(struct kw_pool *pool, struct kw_job *job, struct kw_error *err);

/* Finishes what is queued, then joins the threads. Before kw_loop_stop: results are posted to the
 * loop. */
void kw_pool_free(struct kw_pool *pool);

#endif
