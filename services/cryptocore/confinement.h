/* What whoever started this process confines it by: a platform that gives neither a filter of system calls nor memory to lock is
 * seen in the status, and not only in what was asked of it. */
#ifndef KW_SERVICES_CRYPTOCORE_CONFINEMENT_H
#define KW_SERVICES_CRYPTOCORE_CONFINEMENT_H

#include "common/base/result.h"

#define KW_CONFINEMENT_TEXT_SIZE 24 /* any 64-bit number, or a word */

struct kw_confinement {
    bool filtered; /* by seccomp, from outside: the core installs no filter for itself */
    char locked_memory[KW_CONFINEMENT_TEXT_SIZE]; /* bytes that may be locked, or "unlimited" */
};

/* Looks, and says it in the log. Fails: SYSTEM. */
struct kw_result kw_confinement_look(struct kw_confinement *confinement, struct kw_error *err);

#endif
