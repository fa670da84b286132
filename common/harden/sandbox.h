/* Sandbox: the list of system calls that a process may still make. Any other ends it with SIGSYS,
 * at once and with all its threads; the kernel's audit log names the call.
 *
 * A list is made of groups, each with its reason. A service puts its own together from those below
 * and some of its own: it begins with what the process was observed to call (strace over the
 * suite), and ends with what the C library falls back to where a kernel is older or a container
 * has no vDSO.
 */
#ifndef KW_COMMON_HARDEN_SANDBOX_H
#define KW_COMMON_HARDEN_SANDBOX_H

#include "common/base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KW_SANDBOX_INT UINT32_MAX /* a mask: an int, compared whole */

/* One call that is allowed only with certain arguments, or that is refused and nothing worse. Both
 * conditions must hold; several rules for one call: any may. */
struct kw_sandbox_rule {
    const char *call; /* NULL ends a list */
    int refuse;       /* 0: allowed; an errno: fails with it */
    unsigned argument;
    uint64_t mask; /* of the argument; 0: whatever it is */
    uint64_t value;
    unsigned argument2; /* another one */
    uint64_t mask2;
    uint64_t value2;
};

struct kw_sandbox_group {
    const char *why;
    const char *const *calls;            /* allowed whatever their arguments; NULL ends; or NULL */
    const struct kw_sandbox_rule *rules; /* or NULL */
};

/* Shared by the lists of several processes. */
extern const struct kw_sandbox_group kw_sandbox_run;     /* memory, locks, time, its own end */
extern const struct kw_sandbox_group kw_sandbox_files;   /* opening, reading, writing */
extern const struct kw_sandbox_group kw_sandbox_threads; /* beginning and ending threads */
extern const struct kw_sandbox_group kw_sandbox_network; /* TCP and UDP sockets, waiting */

/* From here on this process, all its threads, may make the calls of `groups` (NULL ends) and no
 * other. Builds with sanitizers or counters allow what those need, too. Needs kw_harden_privacy.
 * Fails: SYSTEM (no seccomp in this kernel), INTERNAL (a name that is no call's). */
struct kw_result kw_sandbox_enter(const struct kw_sandbox_group *const *groups,
                                  struct kw_error *err);

#endif
