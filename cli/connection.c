/* One place that packs, signs and calls. */
#include "cli/connection.h"

#include "cli/message.h"
#include "common/audit/request_signature.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "common/rpc/resource.h"

#include <stdio.h>

#define SIGNATURE_LIFE_MS 120000U

/* A call that is made, before it is sent. Borrows from the arena and from `signature`. */
struct outgoing {
    const struct kw_method *method;
    const ProtobufCMethodDescriptor *messages;
    struct kw_bytes body;
    struct kw_buf signature;
    struct kw_client_metadata metadata[2];
    struct kw_client_call call;
};

static void outgoing_done(struct outgoing *out)
{
    kw_buf_done(&out->signature);
}

struct kw_result kw_connection_open(struct kw_connection *connection,
                                    const struct kw_client_options *options, uint64_t timeout_ms,
                                    struct kw_refusal *refusal, struct kw_error *err)
{
    struct kw_connection c = {.timeout_ms = timeout_ms, .refusal = refusal};
    struct kw_result result;

    KW_ENSURE(
        options->target != NULL && options->ca_file != NULL && options->cert_file != NULL &&
            options->key_file != NULL,
        err, CONFIG_INVALID,
        "target, ca_file, cert_file and key_file are needed: by --config=FILE, KEYWARD_… or flags");
    KW_TRY(kw_private_key_from_file(&c.key, options->key_file, err));
    result = kw_client_new(options, &c.client, err);
    if (!kw_ok(result)) {
        kw_private_key_done(&c.key);
        return result;
    }
    *connection = c;
    return KW_OK;
}

void kw_connection_done(struct kw_connection *connection)
{
    if (connection != NULL) {
        kw_client_free(connection->client);
        kw_private_key_done(&connection->key);
        *connection = (struct kw_connection){0};
    }
}

static struct kw_result request_id_fill(ProtobufCMessage *request, struct kw_arena *arena,
                                        struct kw_error *err)
{
    char text[KW_REQUEST_ID_TEXT_SIZE];
    struct kw_id id;

    if (kw_message_request_id(request)[0] != '\0') {
        return KW_OK;
    }
    KW_TRY(kw_id_v7(&id, err));
    return kw_message_set(request, "request_id", kw_request_id_text(id, text), arena, err);
}

static struct kw_result sign(const struct kw_connection *connection, struct outgoing *out,
                             const ProtobufCMessage *request, struct kw_error *err)
{
    uint8_t hash[KW_SHA256_LEN];
    struct kw_id id;
    struct kw_signed_request signed_request = {.method = kw_bytes_str(out->method->path),
                                               .body_hash = hash};

    KW_TRY(kw_request_id_parse(kw_message_request_id(request), &id, err));
    KW_TRY(kw_sha256(out->body, hash, err));
    signed_request.request_id = kw_id_bytes(&id);
    KW_TRY(kw_request_signature_make(&connection->key, &signed_request,
                                     kw_clock_wall_ms() + SIGNATURE_LIFE_MS, &out->signature, err));
    out->metadata[0] =
        (struct kw_client_metadata){"keyward-signature-bin", kw_buf_bytes(&out->signature)};
    out->call.metadata = out->metadata;
    out->call.metadata_count = 1;
    if (connection->wait != NULL) {
        out->metadata[out->call.metadata_count++] =
            (struct kw_client_metadata){"keyward-wait", kw_bytes_str(connection->wait)};
    }
    return KW_OK;
}

static struct kw_result prepare(const struct kw_connection *connection, enum kw_method_id id,
                                ProtobufCMessage *request, struct kw_arena *arena,
                                struct outgoing *out, struct kw_error *err)
{
    out->method = kw_method_by_id(id);
    out->messages = kw_method_messages(out->method);
    out->call =
        (struct kw_client_call){.path = out->method->path,
                                .timeout_ms = connection->timeout_ms < out->method->deadline_ms_max
                                                  ? connection->timeout_ms
                                                  : out->method->deadline_ms_max};
    if (!kw_method_has(out->method, KW_METHOD_MUTATES)) {
        return kw_arena_pack(arena, request, &out->body, err);
    }
    KW_TRY(request_id_fill(request, arena, err));
    KW_TRY(kw_arena_pack(arena, request, &out->body, err));
    return sign(connection, out, request, err);
}

/* A reply that is not OK, as a failure with its reason. */
static struct kw_result judge(const struct kw_connection *connection,
                              const struct kw_client_reply *reply, struct kw_error *err)
{
    struct kw_refusal *refusal = connection->refusal;

    if (reply->code == KW_GRPC_OK) {
        return KW_OK;
    }
    kw_refusal_from_reply(reply, refusal);
    return kw_error_make(err, refusal->reason, __FILE__, __LINE__, "%s: %s", refusal->name,
                         refusal->text);
}

static void note_durability(struct kw_connection *connection, const struct kw_client_reply *reply)
{
    const struct kw_bytes *value = kw_client_trailer(reply, "keyward-durability");

    connection->durability[0] = '\0';
    if (value != NULL) {
        (void)snprintf(connection->durability, sizeof(connection->durability), "%.*s",
                       (int)value->len, (const char *)value->data);
    }
}

struct kw_result kw_connection_call(struct kw_connection *connection, enum kw_method_id id,
                                    ProtobufCMessage *request, struct kw_arena *arena,
                                    ProtobufCMessage **ret_response, struct kw_error *err)
{
    KW_SCOPED(outgoing_done) struct outgoing out = {0};
    struct kw_client_reply reply = {0};

    KW_TRY(prepare(connection, id, request, arena, &out, err));
    KW_TRY(kw_client_unary(connection->client, &out.call, out.body, arena, &reply, err));
    KW_TRY(judge(connection, &reply, err));
    note_durability(connection, &reply);
    return kw_arena_unpack(arena, out.messages->output, reply.message, ret_response, err);
}

/* Takes messages, each in an arena of its own, until there is none. */
static struct kw_result take_all(struct kw_client_stream *stream,
                                 const ProtobufCMessageDescriptor *type, kw_response_take *take,
                                 void *context, struct kw_error *err)
{
    struct kw_result result = KW_OK;
    bool more = true;

    while (kw_ok(result) && more) {
        struct kw_arena *arena = kw_arena_new(2 * KW_REQUEST_ARENA_MAX);
        struct kw_bytes bytes = KW_BYTES_NONE;
        ProtobufCMessage *message = NULL;

        KW_ENSURE(arena != NULL, err, MEMORY, "a message");
        result = kw_client_stream_receive(stream, arena, &bytes, &more, err);
        if (kw_ok(result) && more) {
            result = kw_arena_unpack(arena, type, bytes, &message, err);
        }
        if (kw_ok(result) && more) {
            result = take(message, context, err);
        }
        kw_arena_free(arena);
    }
    return result;
}

/* A call that is over already is no failure of ours: its status says why. */
static struct kw_result send_one(struct kw_client_stream *stream, struct kw_bytes body,
                                 struct kw_error *err)
{
    struct kw_result result = kw_client_stream_send(stream, body, err);

    if (kw_ok(result)) {
        result = kw_client_stream_end(stream, err);
    }
    return result.reason == KW_E_PEER_UNAVAILABLE ? KW_OK : result;
}

struct kw_result kw_connection_stream(struct kw_connection *connection, enum kw_method_id id,
                                      ProtobufCMessage *request, struct kw_arena *arena,
                                      kw_response_take *take, void *context, struct kw_error *err)
{
    KW_SCOPED(outgoing_done) struct outgoing out = {0};
    struct kw_client_reply reply = {0};
    struct kw_client_stream *stream = NULL;
    struct kw_result result;

    KW_TRY(prepare(connection, id, request, arena, &out, err));
    KW_TRY(kw_client_stream_open(connection->client, &out.call, &stream, err));
    result = send_one(stream, out.body, err);
    if (kw_ok(result)) {
        result = take_all(stream, out.messages->output, take, context, err);
    }
    if (kw_ok(result)) {
        result = kw_client_stream_finish(stream, arena, &reply, err);
    }
    kw_client_stream_free(stream);
    KW_TRY(result);
    return judge(connection, &reply, err);
}
