/* Process: the life of a service as its main.c shows it.
 *
 *   starting ──READY line──▶ serving ──SIGTERM, SIGINT──▶ draining ──drained, grace over──▶ stopped
 *                                                            └──second signal──▶ exit(1) at once
 */
#ifndef KW_COMMON_LOOP_PROCESS_H
#define KW_COMMON_LOOP_PROCESS_H

#include "common/loop/loop.h"

struct kw_process;

struct kw_process_hooks {
    /* SIGTERM came: stop accepting, finish what runs, then call kw_process_drained. Loop thread. */
    void (*drain)(void *context);
    /* Drained, or the grace is over: close everything that is left so that the loop can end. Loop
     * thread. */
    void (*stop)(void *context);
    void *context;
    uint64_t grace_ms;
};

/* Before any thread exists: ignores SIGPIPE, turns core dumps off, blocks the signals that the loop
 * thread handles so that every later thread inherits the mask. Fails: SYSTEM. */
struct kw_result kw_process_prepare(struct kw_error *err);

struct kw_result kw_process_new(struct kw_loop *loop, const struct kw_process_hooks *hooks,
                                struct kw_process **ret_process, struct kw_error *err);

/* Prints the one machine-readable line, `READY port=… …` on stdout: `format` makes what follows
 * READY. */
void kw_process_ready(struct kw_process *process, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The service has nothing in flight any more. Loop thread; harmless when not draining. */
void kw_process_drained(struct kw_process *process);

bool kw_process_draining(const struct kw_process *process);

/* Begins the drain from inside, e.g. after a failed fsync: the process ends with `exit_code`. */
void kw_process_fail(struct kw_process *process, int exit_code);

/* False when its loop runs and stands still, for so long that only a restart helps. Any thread, until kw_process_end. */
bool kw_process_alive(const struct kw_process *process);

/* After kw_loop_run: frees and returns the exit code. */
int kw_process_end(struct kw_process *process);

#endif
