/* The fault proxy as a process of a C test. A failure here ends the test, and with a test ends its proxy.
 *
 *     proxy_start(&proxy);
 *     proxy_link(&proxy, port_of_the_service, &link);      clients connect to link.port
 *     proxy_set(&link, "way=up delay_ms=%d", 150);
 *     proxy_await(&link, "up.delayed", 1);
 *     proxy_stop(&proxy);
 */
#ifndef KW_TESTS_SUPPORT_PROXY_FIXTURE_H
#define KW_TESTS_SUPPORT_PROXY_FIXTURE_H

#include <stdint.h>
#include <sys/types.h>

struct proxy {
    pid_t pid;
    int fd; /* both ways */
};

struct proxy_link {
    struct proxy *proxy;
    unsigned number;
    int port;
};

void proxy_start(struct proxy *proxy);

/* Must end with status 0, whatever is open. */
void proxy_stop(struct proxy *proxy);

/* A link to 127.0.0.1:target_port. */
void proxy_link(struct proxy *proxy, int target_port, struct proxy_link *ret_link);

/* Faults, e.g. "way=down stall=1"; README.md has them. In force when it returns. */
void proxy_set(const struct proxy_link *link, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* All faults off. */
void proxy_heal(const struct proxy_link *link);

/* Resets its connections. */
void proxy_reset(const struct proxy_link *link);

/* A count of `stats`, e.g. "up.held". */
uint64_t proxy_count(const struct proxy_link *link, const char *count);

/* Waits until the count is (at least) so much. */
void proxy_await(const struct proxy_link *link, const char *count, uint64_t value);

#endif
