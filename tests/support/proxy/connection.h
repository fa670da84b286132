/* One connection through a link: two sockets and a channel each way. */
#ifndef KW_TESTS_SUPPORT_PROXY_CONNECTION_H
#define KW_TESTS_SUPPORT_PROXY_CONNECTION_H

#include "common/loop/loop.h"
#include "tests/support/proxy/endpoint.h"
#include "tests/support/proxy/faults.h"

enum proxy_way {
    PROXY_UP,   /* from who connected to the target */
    PROXY_DOWN, /* back */
    PROXY_WAYS
};

/* Of a link: what its connections suffer, and what they count. */
struct proxy_books {
    struct proxy_faults faults[PROXY_WAYS];
    struct proxy_counts counts[PROXY_WAYS];
    uint64_t accepted;
    uint64_t open;        /* now */
    uint64_t resets;      /* connections that were reset */
    uint64_t unreachable; /* connections whose target took none */
};

struct connection;

struct connection_options {
    struct kw_loop *loop;
    struct proxy_books *books;
    uint64_t seed;
    void (*gone)(struct connection *connection, void *context); /* it is freed after this */
    void *context;
};

/* Takes the connection that waits at `listener`, whose address is `local`, and goes on to `target`. One that is gone again
 * is closing when it is returned. What `options` points to must outlive it. */
struct connection *connection_accept(const struct connection_options *options,
                                     uv_stream_t *listener, const struct endpoint *local,
                                     const struct endpoint *target);

/* The faults have changed. It may close. */
void connection_look(struct connection *connection);

/* Resets both ends now. False: it was closing already. */
bool connection_reset(struct connection *connection);

/* Closes both ends; `gone` follows. Harmless when it closes already. */
void connection_close(struct connection *connection);

/* For the owner's list. */
struct connection *connection_next(const struct connection *connection);
void connection_link(struct connection **list, struct connection *connection);
void connection_unlink(struct connection **list, struct connection *connection);

#endif
