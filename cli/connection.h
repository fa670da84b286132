/* Calls of the public API by one identity: packed, signed where the method table says so, and a
 * refusal in words. */
#ifndef KW_CLI_CONNECTION_H
#define KW_CLI_CONNECTION_H

#include "cli/refusal.h"
#include "common/crypto/key.h"

#include <protobuf-c/protobuf-c.h>

#define KW_DURABILITY_SIZE 16

/* Release with kw_connection_done. One thread at a time. */
struct kw_connection {
    struct kw_client *client;
    struct kw_private_key key;
    uint64_t timeout_ms;
    const char
        *wait; /* how far a change is to be held before it is answered: REGION, ALL; or NULL */
    char durability[KW_DURABILITY_SIZE]; /* how far the last one was; "": nothing was said */
    struct kw_refusal *refusal;
};

/* Opens with the identity in `options`. Connects with the first call. Every call that fails writes
 * `refusal`, which outlives the connection; several may share one. Fails: CONFIG_INVALID (something
 * is missing, or a file is not what it should be), MEMORY. */
struct kw_result kw_connection_open(struct kw_connection *connection,
                                    const struct kw_client_options *options, uint64_t timeout_ms,
                                    struct kw_refusal *refusal, struct kw_error *err);

/* Accepts NULL and zeroed. */
void kw_connection_done(struct kw_connection *connection);

/* Calls a unary method. A mutation without request_id gets one; every mutation is signed. Request
 * and response live in `arena`. Fails: whatever the server says (INTERNAL for a reason not known
 * here), PEER_UNAVAILABLE (nobody answered), and what packing, signing and unpacking fail with. */
struct kw_result kw_connection_call(struct kw_connection *connection, enum kw_method_id id,
                                    ProtobufCMessage *request, struct kw_arena *arena,
                                    ProtobufCMessage **ret_response, struct kw_error *err);

/* Takes one message of an answer, which lives until it returns. A failure ends the call. */
typedef struct kw_result kw_response_take(const ProtobufCMessage *message, void *context,
                                          struct kw_error *err);

/* Calls a method whose answer is a stream. Fails: as kw_connection_call, and as `take`. */
struct kw_result kw_connection_stream(struct kw_connection *connection, enum kw_method_id id,
                                      ProtobufCMessage *request, struct kw_arena *arena,
                                      kw_response_take *take, void *context, struct kw_error *err);

#endif
