/* A gRPC client that waits: for the command line and for tests, where a thread has nothing better
 * to do.
 *
 *     kw_client_new ── kw_client_unary …                              one message each way
 *                   └─ open ── send … ── end ── receive … ── finish   any kind of stream
 *
 * Mutual TLS 1.3; the server's certificate must have exactly one URI SAN, the expected one. A
 * client and its streams belong to one thread at a time. Not for services: those use hops and never
 * block.
 */
#ifndef KW_COMMON_RPC_CLIENT_H
#define KW_COMMON_RPC_CLIENT_H

#include "common/base/arena.h"

struct kw_client;
struct kw_client_stream;

struct kw_client_options {
    const char *target; /* "host:port" */
    const char *key_file;
    const char *cert_file;
    const char *ca_file;
    const char *peer; /* the server's SPIFFE id */
};

/* Names are lower case; the value of a name that ends in "-bin" is raw bytes, any other is ASCII
 * text. */
struct kw_client_metadata {
    const char *name;
    struct kw_bytes value;
};

/* What to call, beside the message. */
struct kw_client_call {
    const char *path; /* "/keyward.v1.StatusService/GetStatus" */
    const struct kw_client_metadata *metadata;
    size_t metadata_count;
    uint64_t timeout_ms; /* of the whole call */
};

/* How a call ended. Everything lives in the arena that was given. */
struct kw_client_reply {
    enum kw_grpc_code code;
    const char *text;        /* grpc-message */
    struct kw_bytes message; /* unary: the answer; empty when there is none */
    const struct kw_client_metadata *trailers;
    size_t trailer_count;
};

/* Starts gRPC; connects with the first call. Fails: CONFIG_INVALID (files), MEMORY. */
struct kw_result kw_client_new(const struct kw_client_options *options,
                               struct kw_client **ret_client, struct kw_error *err);

/* After its streams are freed. Accepts NULL. */
void kw_client_free(struct kw_client *client);

/* One message there, one back. Succeeds with any `code`: not reaching the server is UNAVAILABLE.
 * Fails: ARGUMENT_INVALID (metadata that HTTP/2 cannot carry), MEMORY (arena). */
struct kw_result kw_client_unary(struct kw_client *client, const struct kw_client_call *call,
                                 struct kw_bytes request, struct kw_arena *arena,
                                 struct kw_client_reply *ret_reply, struct kw_error *err);

/* Fails: ARGUMENT_INVALID (metadata), MEMORY. */
struct kw_result kw_client_stream_open(struct kw_client *client, const struct kw_client_call *call,
                                       struct kw_client_stream **ret_stream, struct kw_error *err);

/* Sends a copy. Waits until the message before it has left. Fails: PEER_UNAVAILABLE (the call is
 * over: finish tells why). */
struct kw_result kw_client_stream_send(struct kw_client_stream *stream, struct kw_bytes message,
                                       struct kw_error *err);

/* No more will be sent. Fails: PEER_UNAVAILABLE. */
struct kw_result kw_client_stream_end(struct kw_client_stream *stream, struct kw_error *err);

/* Waits for the next message. `ret_more` false: there is none, finish tells why. Fails: MEMORY
 * (arena). */
struct kw_result kw_client_stream_receive(struct kw_client_stream *stream, struct kw_arena *arena,
                                          struct kw_bytes *ret_message, bool *ret_more,
                                          struct kw_error *err);

/* Waits for the end, dropping messages still to come. Once per stream. Fails: MEMORY (arena). */
struct kw_result kw_client_stream_finish(struct kw_client_stream *stream, struct kw_arena *arena,
                                         struct kw_client_reply *ret_reply, struct kw_error *err);

/* Cancels what is not finished and frees. Accepts NULL. */
void kw_client_stream_free(struct kw_client_stream *stream);

/* The first trailer with this name, or NULL. */
const struct kw_bytes *kw_client_trailer(const struct kw_client_reply *reply, const char *name);

#endif
