/* Inside common/health: a connection that waits no longer than its deadline. */
#ifndef KW_COMMON_HEALTH_WIRE_H
#define KW_COMMON_HEALTH_WIRE_H

#include "common/base/bytes.h"

/* Release with kw_health_hang_up. */
struct kw_health_wire {
    int fd;
    uint64_t deadline_ns; /* monotonic */
};

/* Connects to who listens on `listen`. All fail: CONFIG_INVALID (the address), PEER_UNAVAILABLE, DEADLINE_EXCEEDED. */
struct kw_result kw_health_dial(const char *listen, uint64_t deadline_ns,
                                struct kw_health_wire *ret_wire, struct kw_error *err);

/* All of the bytes. */
struct kw_result kw_health_send(struct kw_health_wire *wire, struct kw_bytes bytes,
                                struct kw_error *err);

/* What there is next; none at the end. */
struct kw_result kw_health_receive(struct kw_health_wire *wire, uint8_t *out, size_t size,
                                   size_t *ret_len, struct kw_error *err);

void kw_health_hang_up(struct kw_health_wire *wire);

#endif
