/* One worker process as the core sees it: a process handle, a socket, messages in, bytes out. It
 * knows nothing of calls; worker_pool.h's parts decide what to send and when to kill.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_WORKER_CHILD_H
#define KW_SERVICES_CRYPTOCORE_HSM_WORKER_CHILD_H

#include "common/loop/loop.h"
#include "services/cryptocore/hsm/sandbox_mode.h"
#include "services/cryptocore/hsm/worker_protocol.h"

struct kw_hsm_child;

struct kw_hsm_child_events {
    /* A whole message; its fields are valid until the callback returns. */
    void (*message)(void *context, const struct kw_hsm_message *message);
    /* The process has ended and all that it wrote was delivered. Once; no message follows. */
    void (*gone)(void *context, int64_t exit_status, int signal);
    /* Nothing of the child is left. Once, after `gone`, also when the start failed. */
    void (*closed)(void *context);
    void *context;
};

/* Starts `path`, to be held as `sandbox` says. Loop thread, as everything here. On failure only `closed` will run, later.
 * Fails: MEMORY (then not even that), CONFIG_INVALID (the file cannot be executed), SYSTEM. */
struct kw_result kw_hsm_child_start(struct kw_loop *loop, const char *path,
                                    enum kw_hsm_sandbox sandbox,
                                    const struct kw_hsm_child_events *events,
                                    struct kw_hsm_child **ret_child, struct kw_error *err);

/* Where messages to the worker are appended; kw_hsm_child_flush writes them at once. */
struct kw_buf *kw_hsm_child_out(struct kw_hsm_child *child);
void kw_hsm_child_flush(struct kw_hsm_child *child);

/* SIGKILL; `gone` follows when the process has ended. */
void kw_hsm_child_kill(struct kw_hsm_child *child);

/* The process's id, for logs and tests. */
int kw_hsm_child_pid(const struct kw_hsm_child *child);

#endif
