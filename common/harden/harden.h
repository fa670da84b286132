/* What a process gives up before it touches a secret: being dumped, being looked into by another
 * process of its user, every capability, and files that others may open. What it may ask of the
 * kernel at all is sandbox.h's. */
#ifndef KW_COMMON_HARDEN_HARDEN_H
#define KW_COMMON_HARDEN_HARDEN_H

#include "common/base/result.h"

/* No core file; not dumpable, so that nobody but root reads its memory, environment or descriptors
 * or attaches to it; and no program it starts gains anything. For whoever holds a secret, the
 * command included. Before any thread exists. Fails: SYSTEM. */
struct kw_result kw_harden_privacy(struct kw_error *err);

/* The same; besides, files made from here on are open to nobody else, and every capability is gone
 * for good: from here on root opens what its user owns, no more. Before any thread exists, since
 * capabilities are a thread's. What needs a privilege (a port below 1024, another user's files)
 * fails later, in words. Fails: SYSTEM. */
struct kw_result kw_harden(struct kw_error *err);

#endif
