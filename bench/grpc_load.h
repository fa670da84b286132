/* The load generator for anything that speaks gRPC: what its three ways of loading share. */
#ifndef KW_BENCH_GRPC_LOAD_H
#define KW_BENCH_GRPC_LOAD_H

#include "bench/messages.h"
#include "bench/unary_node.h"
#include "bench/watch.h"

#define LOAD_CHANNELS_MAX 16U

struct load {
    struct unary_node node;
    struct messages messages;
    struct bench_watch watch;
    grpc_channel *channels[LOAD_CHANNELS_MAX];
    /* settings */
    const char *target;
    const char *peer; /* the server's SPIFFE id */
    const char *key;
    const char *cert;
    const char *ca;
    const char *path;
    const char *messages_path;
    const char *mode;
    unsigned channel_count;
    unsigned in_flight;
    unsigned items; /* of one message of a stream */
    unsigned rate;  /* calls offered in a second */
    unsigned timeout_ms;
    double seconds;
};

grpc_byte_buffer *load_next_message(struct load *load);

/* bench/unary_load.c: `in_flight` calls at all times; or `rate` calls a second, whatever comes
 * back. */
void load_closed(struct load *load);
void load_open(struct load *load);

/* bench/stream_load.c: BatchGetDeviceAccess with `in_flight` items at all times, `items` to a
 * message. */
void load_stream(struct load *load);

#endif
