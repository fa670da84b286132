/* Plain unary gRPC: a completion queue, one thread that takes its events, handlers in that thread.
 * What a gRPC server or client in C is when nobody has done more about it. */
#ifndef KW_BENCH_UNARY_NODE_H
#define KW_BENCH_UNARY_NODE_H

#include "bench/bench.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

/* What a completion belongs to, and what to do with it. First member of whatever is a tag. */
struct step {
    void (*done)(struct step *step, int ok);
};

struct unary_node {
    grpc_completion_queue *queue;
    grpc_server *server;
    void *method;
    void *user; /* the server's: inner channel of a forwarder; NULL answers with the request */
};

void unary_node_init(struct unary_node *node);

/* Takes events for ever. */
void unary_node_run(struct unary_node *node);

/* Takes one event, if one comes until `until`. */
void unary_node_step(struct unary_node *node, gpr_timespec until);

void unary_start(grpc_call *call, const grpc_op *ops, size_t count, struct step *step);

/* A connection of its own. Takes the reference of `creds`. */
grpc_channel *unary_channel(const char *target, grpc_channel_credentials *creds);

/* --- calls to a server --- */

struct unary_call {
    struct step step; /* set `done`, then unary_call_start */
    struct unary_node *node;
    grpc_channel *channel;
    const char *path; /* must outlive all calls */
    int timeout_ms;
    grpc_byte_buffer *request; /* the call's from its start on */
    grpc_byte_buffer *answer;  /* the caller's when it is done; NULL unless all is well */
    grpc_call *call;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice details;
};

void unary_call_start(struct unary_call *call);

/* Releases everything but the answer. Is all well? */
int unary_call_end(struct unary_call *call);

/* --- a server --- */

struct unary_incoming {
    struct step step;
    struct unary_node *node;
    grpc_call *call;
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    grpc_byte_buffer *message; /* the request, then the answer */
    int cancelled;
    void (*serve)(struct unary_incoming *in);
};

/* Listens on a free port of 127.0.0.1 for `path`, and returns the port. `serve` ends with
 * unary_answer. Takes the reference of `creds`. */
int unary_listen(struct unary_node *node, const char *path, grpc_server_credentials *creds,
                 void (*serve)(struct unary_incoming *in));

/* Answers with `message`. */
void unary_answer(struct unary_incoming *in);

#endif
