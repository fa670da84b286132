/* Loop: the one thread that runs all code of a service, and the mailbox by which other threads
 * reach it.
 *
 *     pump thread (gRPC) ──┐
 *     SQL threads ─────────┼── kw_loop_post ──▶ mailbox ──▶ loop thread: uv_run
 *     worker pool ─────────┘                                every mail, then every flush hook
 *
 * "Drain, then flush": in one turn everything that has arrived is delivered; only then do the flush
 * hooks run (hop streams, edge connections, store writer), each writing once for everything that
 * became ready. No timer, and no added latency when idle.
 */
#ifndef KW_COMMON_LOOP_LOOP_H
#define KW_COMMON_LOOP_LOOP_H

#include "common/base/result.h"

#include <stdint.h>
#include <uv.h>

struct kw_loop;

/* A message to the loop thread: embedded in the object it speaks of, one at a time in a mailbox. */
struct kw_mail {
    struct kw_mail *next;
    void (*deliver)(struct kw_mail *mail);
};

/* A hook that runs on the loop thread after each turn's deliveries in which it was marked. */
struct kw_flush {
    struct kw_flush *next;
    void (*run)(struct kw_flush *flush);
    bool marked;
};

struct kw_timer {
    uv_timer_t uv;
    void (*fire)(struct kw_timer *timer);
    void (*closed)(struct kw_timer *timer); /* from here on the memory may be reused */
    bool initialised;
};

struct kw_result kw_loop_new(struct kw_loop **ret_loop, struct kw_error *err);

/* After kw_loop_run has returned and every handle is closed. Accepts NULL. Aborts if a handle is
 * still open. */
void kw_loop_free(struct kw_loop *loop);

/* Runs until kw_loop_stop and until all handles are closed. The caller becomes the loop thread. */
void kw_loop_run(struct kw_loop *loop);

/* Closes the loop's own handles; kw_loop_run returns once the others are closed too. Loop thread.
 * Nothing may be posted after it returns. */
void kw_loop_stop(struct kw_loop *loop);

/* Hands `mail` to the loop thread, in order of posting per thread. Any thread; never blocks. */
void kw_loop_post(struct kw_loop *loop, struct kw_mail *mail);

/* Has `flush` run once at the end of this turn. Loop thread. */
void kw_loop_mark(struct kw_loop *loop, struct kw_flush *flush);

/* For uv handles of the edge and of Redis. */
uv_loop_t *kw_loop_uv(struct kw_loop *loop);

/* Timers: caller's storage. Loop thread. kw_timer_close accepts one that was never initialised and
 * then calls `closed` at once; `closed` may be NULL. */
void kw_timer_init(struct kw_timer *timer, struct kw_loop *loop,
                   void (*fire)(struct kw_timer *timer));
void kw_timer_start(struct kw_timer *timer, uint64_t after_ms, uint64_t repeat_ms);
void kw_timer_stop(struct kw_timer *timer);
void kw_timer_close(struct kw_timer *timer, void (*closed)(struct kw_timer *timer));

#endif
