/* A link: an address of its own, a target, faults each way, and the connections through it. */
#ifndef KW_TESTS_SUPPORT_PROXY_LINK_H
#define KW_TESTS_SUPPORT_PROXY_LINK_H

#include "tests/support/proxy/connection.h"

struct link;

struct link_options {
    struct kw_loop *loop;
    struct endpoint listen; /* port 0: the kernel's choice */
    struct endpoint target; /* none: not yet */
    uint64_t seed;
};

/* Listens. Fails: SYSTEM. */
struct kw_result link_new(const struct link_options *options, struct link **ret_link,
                          struct kw_error *err);

/* Where it listens. */
const struct endpoint *link_local(const struct link *link);

/* For connections from now on. */
void link_target(struct link *link, const struct endpoint *target);

/* Refuses new connections as a host does on which nobody listens; or takes them again. Fails: SYSTEM. */
struct kw_result link_refuse(struct link *link, bool refuse, struct kw_error *err);

/* Faults are read for every byte: after a change, link_look. */
struct proxy_books *link_books(struct link *link);
void link_look(struct link *link);

/* Resets its connections; how many. */
unsigned link_reset(struct link *link);

/* Closes address and connections, and frees. Its memory lives until the loop has closed the handles. */
void link_close(struct link *link);

#endif
