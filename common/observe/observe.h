/* Observe: a small plaintext HTTP server for probes and for Prometheus.
 *
 *     GET /metrics   everything in metrics.def, text format 0.0.4
 *     GET /livez     200 while the process does its work, 503 when it should be restarted
 *     GET /readyz    200 when every condition holds, else 503; a JSON body says which one does not
 *
 * It runs on a thread of its own, so that it answers when the loop thread is busy. It is for the
 * loopback interface or the pod's network; nothing it says is a secret, and nobody outside should
 * reach it.
 */
#ifndef KW_COMMON_OBSERVE_OBSERVE_H
#define KW_COMMON_OBSERVE_OBSERVE_H

#include "common/base/limits.h"
#include "common/base/result.h"

#include <stdint.h>

struct kw_observe;
struct kw_process; /* common/loop; here its name alone */

/* What must hold for the service to be sent work. */
struct kw_readiness {
    struct {
        const char *name; /* snake_case, static */
        bool holds;
    } conditions[KW_OBSERVE_CONDITIONS_MAX];
    size_t count;
};

struct kw_observe_hooks {
    /* Says which conditions there are and whether they hold, by kw_readiness_add. Called on the
     * server's thread: reads atomics, takes no lock of the service, does not block. */
    void (*readiness)(void *context, struct kw_readiness *readiness);
    /* False when only a restart helps: an answer alone says nothing of the service, whose thread is another. Same rules. */
    bool (*alive)(const struct kw_process *process);
    const struct kw_process *process; /* what is asked of it; outlives the server, as does: */
    void *context;
};

/* For the readiness hook. */
void kw_readiness_add(struct kw_readiness *readiness, const char *name, bool holds);

/* Listens on `address`, "host:port" with a numeric host; port 0 lets the kernel choose.
 *
 * Ownership: release by kw_observe_stop.
 * Thread: any, once signals are blocked as kw_process_prepare does.
 * Fails: CONFIG_INVALID (address), SYSTEM (cannot listen), MEMORY. */
struct kw_result kw_observe_start(const char *address, const struct kw_observe_hooks *hooks,
                                  struct kw_observe **ret_observe, struct kw_error *err);

/* The port it listens on. */
uint16_t kw_observe_port(const struct kw_observe *observe);

/* Stops the server, waits for its thread, frees. Accepts NULL. */
void kw_observe_stop(struct kw_observe *observe);

#endif
