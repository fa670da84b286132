/* The inner end: a gRPC server with one method, and the streams of the peers that were let in. */
#include "common/base/log.h"
#include "common/rpc/creds.h"
#include "common/rpc/hop_roles.h"

#include <stdlib.h>

#define ACCEPTS 4U /* streams may arrive while the loop is busy with one */

/* A request slot: gRPC fills it with the next incoming stream, or with a call of any other method.
 */
struct accept {
    struct kw_rpc_tag tag;
    struct kw_hop_server *server;
    grpc_call *call;
    grpc_metadata_array metadata;
    grpc_call_details details; /* of an unknown method */
    gpr_timespec deadline;
};

/* A stream and who is at its other end. */
struct guest {
    struct guest *next;
    struct guest **link;
    struct kw_hop_server *server;
    struct kw_hop_stream *stream;
    struct kw_hop_peer peer;
    char spiffe_id[];
};

struct kw_hop_server {
    struct kw_rpc *rpc;
    grpc_server *server;
    void *method;
    struct kw_hop_handler handler;
    char **peers; /* NULL-terminated copy */
    struct guest *guests;
    struct kw_hop_stats stats;
    struct accept accepts[ACCEPTS];
    struct accept unknown;
    struct kw_rpc_tag stop_tag;
    unsigned pending; /* slots and stop_tag that gRPC still holds */
    bool draining;
    bool closing;
    void (*drained)(void *context);
    void *drained_context;
    void (*closed)(void *context);
    void *closed_context;
};

static void server_free(struct kw_hop_server *server)
{
    for (size_t i = 0; server->peers != NULL && server->peers[i] != NULL; i++) {
        free(server->peers[i]);
    }
    free(server->peers);
    if (server->server != NULL) {
        grpc_server_destroy(server->server);
    }
    free(server);
}

static void finish_close(struct kw_hop_server *server)
{
    if (server->closing && server->pending == 0 && server->guests == NULL) {
        void (*closed)(void *context) = server->closed;
        void *context = server->closed_context;

        server_free(server);
        if (closed != NULL) {
            closed(context);
        }
    }
}

static void finish_drain(struct kw_hop_server *server)
{
    if (server->draining && server->guests == NULL && server->drained != NULL) {
        void (*drained)(void *context) = server->drained;

        server->drained = NULL;
        drained(server->drained_context);
    }
}

/* --- the role --- */

static void on_ready(struct kw_hop_stream *stream)
{
    struct guest *guest = stream->owner;

    guest->peer.boot_id = stream->peer_boot_id;
}

static bool on_frame(struct kw_hop_stream *stream, const Keyward__Internal__V1__Frame *frame)
{
    const struct guest *guest = stream->owner;

    return kw_hop_inner_frame(stream, frame, &guest->server->handler, &guest->peer);
}

static void on_idle(struct kw_hop_stream *stream)
{
    (void)stream; /* the outer side leaves by itself when it was told to */
}

static void on_over(struct kw_hop_stream *stream)
{
    const struct guest *guest = stream->owner;

    KW_LOG(DEBUG, "hop peer left", KW_F_STR("peer", guest->spiffe_id));
}

static void on_gone(struct kw_hop_stream *stream)
{
    struct guest *guest = stream->owner;
    struct kw_hop_server *server = guest->server;

    *guest->link = guest->next;
    if (guest->next != NULL) {
        guest->next->link = guest->link;
    }
    free(guest);
    finish_drain(server);
    finish_close(server);
}

static const struct kw_hop_role inner_role = {
    .ready = on_ready,
    .frame = on_frame,
    .expired = kw_hop_inner_expired,
    .lost = kw_hop_inner_lost,
    .idle = on_idle,
    .over = on_over,
    .gone = on_gone,
};

/* --- letting peers in --- */

static bool is_peer(const struct kw_hop_server *server, struct kw_bytes id)
{
    for (size_t i = 0; server->peers[i] != NULL; i++) {
        if (kw_bytes_equal(id, kw_bytes_str(server->peers[i]))) {
            return true;
        }
    }
    return false;
}

/* The verifier has judged the certificate at the handshake; asked again here, because this is the
 * point at which a stream gets its name and no stream must exist without one. */
static struct guest *guest_new(struct kw_hop_server *server, grpc_call *call)
{
    grpc_auth_context *auth = grpc_call_auth_context(call);
    grpc_auth_property_iterator found =
        grpc_auth_context_find_properties_by_name(auth, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
    const grpc_auth_property *id = grpc_auth_property_iterator_next(&found);
    struct guest *guest = NULL;

    if (id != NULL && is_peer(server, KW_BYTES(id->value, id->value_length))) {
        guest = calloc(1, sizeof(*guest) + id->value_length + 1);
    }
    if (guest != NULL) {
        guest->server = server;
        kw_copy(guest->spiffe_id, id->value, id->value_length);
        guest->peer.spiffe_id = guest->spiffe_id;
    }
    grpc_auth_context_release(auth);
    return guest;
}

static void guest_add(struct kw_hop_server *server, struct guest *guest)
{
    guest->next = server->guests;
    guest->link = &server->guests;
    if (guest->next != NULL) {
        guest->next->link = &guest->next;
    }
    server->guests = guest;
}

/* Takes the call: it becomes a stream or it is cancelled. */
static void let_in(struct kw_hop_server *server, grpc_call *call)
{
    struct guest *guest = server->draining ? NULL : guest_new(server, call);

    if (guest == NULL || !kw_ok(kw_hop_stream_new(server->rpc, call, &inner_role, guest,
                                                  &server->stats, &guest->stream, NULL))) {
        free(guest);
        (void)grpc_call_cancel_with_status(call, GRPC_STATUS_UNAVAILABLE, "not accepted", NULL);
        grpc_call_unref(call);
        return;
    }
    guest_add(server, guest);
    kw_hop_stream_begin(guest->stream, true);
}

static void request_stream(struct accept *accept);

static void on_accepted(struct kw_rpc_tag *tag, bool ok)
{
    struct accept *accept = KW_CONTAINER(tag, struct accept, tag);
    struct kw_hop_server *server = accept->server;
    grpc_call *call = accept->call;

    server->pending--;
    grpc_metadata_array_destroy(&accept->metadata);
    if (!ok || server->closing) { /* shutting down */
        if (ok) {
            (void)grpc_call_cancel(call, NULL);
            grpc_call_unref(call);
        }
        finish_close(server);
        return;
    }
    request_stream(accept); /* first: with no slot out gRPC would queue without limit */
    let_in(server, call);
}

static void request_stream(struct accept *accept)
{
    struct kw_hop_server *server = accept->server;
    grpc_completion_queue *queue = kw_rpc_queue(server->rpc);

    accept->tag.done = on_accepted;
    grpc_metadata_array_init(&accept->metadata);
    if (grpc_server_request_registered_call(server->server, server->method, &accept->call,
                                            &accept->deadline, &accept->metadata, NULL, queue,
                                            queue, kw_rpc_arm(&accept->tag)) == GRPC_CALL_OK) {
        server->pending++;
    }
}

static void request_unknown(struct accept *accept);

/* A method nobody has: answered at once, or the caller would wait until its deadline. */
static void on_unknown(struct kw_rpc_tag *tag, bool ok)
{
    struct accept *accept = KW_CONTAINER(tag, struct accept, tag);
    struct kw_hop_server *server = accept->server;

    server->pending--;
    grpc_metadata_array_destroy(&accept->metadata);
    grpc_call_details_destroy(&accept->details);
    if (ok) {
        (void)grpc_call_cancel_with_status(accept->call, GRPC_STATUS_UNIMPLEMENTED,
                                           "no such method", NULL);
        grpc_call_unref(accept->call);
    }
    if (ok && !server->closing) {
        request_unknown(accept);
    } else {
        finish_close(server);
    }
}

static void request_unknown(struct accept *accept)
{
    struct kw_hop_server *server = accept->server;
    grpc_completion_queue *queue = kw_rpc_queue(server->rpc);

    accept->tag.done = on_unknown;
    grpc_metadata_array_init(&accept->metadata);
    grpc_call_details_init(&accept->details);
    if (grpc_server_request_call(server->server, &accept->call, &accept->details, &accept->metadata,
                                 queue, queue, kw_rpc_arm(&accept->tag)) == GRPC_CALL_OK) {
        server->pending++;
    }
}

static void accept_all(struct kw_hop_server *server)
{
    for (size_t i = 0; i < ACCEPTS; i++) {
        server->accepts[i].server = server;
        request_stream(&server->accepts[i]);
    }
    server->unknown.server = server;
    request_unknown(&server->unknown);
}

/* --- making it --- */

static struct kw_result copy_peers(struct kw_hop_server *server,
                                   const struct kw_hop_server_options *options,
                                   struct kw_error *err)
{
    size_t count = 0;

    while (options->peers[count] != NULL) {
        KW_TRY(kw_creds_check_id(options->peers[count], options->trust_domain, err));
        count++;
    }
    server->peers = calloc(count + 1, sizeof(server->peers[0]));
    KW_ENSURE(server->peers != NULL, err, MEMORY, "hop server");
    for (size_t i = 0; i < count; i++) {
        server->peers[i] = strdup(options->peers[i]);
        KW_ENSURE(server->peers[i] != NULL, err, MEMORY, "hop server");
    }
    return KW_OK;
}

static grpc_server *make_server(struct kw_rpc *rpc)
{
    grpc_arg args[] = {
        KW_RPC_INTEGER_ARG(GRPC_ARG_ALLOW_REUSEPORT, 0),
        KW_RPC_INTEGER_ARG(GRPC_ARG_MAX_CONCURRENT_STREAMS, KW_HOP_STREAMS_PER_CONNECTION_MAX),
        KW_RPC_INTEGER_ARG(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, KW_HOP_MESSAGE_LEN_MAX),
        KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        KW_RPC_INTEGER_ARG(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, KW_HOP_CONNECT_MS),
        KW_RPC_INTEGER_ARG(GRPC_ARG_KEEPALIVE_TIME_MS, KW_HOP_KEEPALIVE_MS),
        KW_RPC_INTEGER_ARG(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KW_HOP_KEEPALIVE_TIMEOUT_MS),
        KW_RPC_INTEGER_ARG(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                           KW_HOP_KEEPALIVE_MS / 2),
    };
    const grpc_channel_args channel_args = {sizeof(args) / sizeof(args[0]), args};
    grpc_server *server = grpc_server_create(&channel_args, NULL);

    grpc_server_register_completion_queue(server, kw_rpc_queue(rpc), NULL);
    return server;
}

static struct kw_result listen_on(struct kw_hop_server *server,
                                  const struct kw_hop_server_options *options, int *ret_port,
                                  struct kw_error *err)
{
    grpc_server_credentials *creds;
    int port;

    KW_TRY(kw_creds_server_dir(options->credentials_dir, (const char *const *)server->peers, &creds,
                               err));
    server->server = make_server(server->rpc);
    server->method =
        grpc_server_register_method(server->server, KW_HOP_PATH, NULL, GRPC_SRM_PAYLOAD_NONE, 0);
    port = grpc_server_add_http2_port(server->server, options->listen, creds);
    grpc_server_credentials_release(creds);
    KW_ENSURE(port > 0, err, CONFIG_INVALID, "hop: cannot listen on %s", options->listen);
    grpc_server_start(server->server);
    *ret_port = port;
    return KW_OK;
}

struct kw_result kw_hop_server_new(struct kw_rpc *rpc, const struct kw_hop_server_options *options,
                                   struct kw_hop_server **ret_server, int *ret_port,
                                   struct kw_error *err)
{
    struct kw_hop_server *server = calloc(1, sizeof(*server));
    struct kw_result result;

    KW_ENSURE(server != NULL, err, MEMORY, "hop server");
    server->rpc = rpc;
    server->handler = options->handler;
    result = copy_peers(server, options, err);
    if (kw_ok(result)) {
        result = listen_on(server, options, ret_port, err);
    }
    if (!kw_ok(result)) {
        server_free(server);
        return result;
    }
    accept_all(server);
    *ret_server = server;
    return KW_OK;
}

size_t kw_hop_server_in_flight(const struct kw_hop_server *server)
{
    size_t count = 0;

    for (const struct guest *guest = server->guests; guest != NULL; guest = guest->next) {
        count += guest->stream->calls.count;
    }
    return count;
}

struct kw_hop_stats kw_hop_server_stats(const struct kw_hop_server *server)
{
    return server->stats;
}

/* --- ending it --- */

void kw_hop_server_drain(struct kw_hop_server *server, void (*drained)(void *context),
                         void *context)
{
    server->draining = true;
    server->drained = drained;
    server->drained_context = context;
    for (struct guest *guest = server->guests; guest != NULL; guest = guest->next) {
        Keyward__Internal__V1__Frame frame = KEYWARD__INTERNAL__V1__FRAME__INIT;

        frame.flags = KW_HOP_FLAG(DRAIN);
        guest->stream->draining = true;
        kw_hop_stream_put(guest->stream, &frame);
    }
    finish_drain(server);
}

static void on_stopped(struct kw_rpc_tag *tag, bool ok)
{
    struct kw_hop_server *server = KW_CONTAINER(tag, struct kw_hop_server, stop_tag);

    (void)ok;
    server->pending--;
    finish_close(server);
}

void kw_hop_server_close(struct kw_hop_server *server, void (*closed)(void *context), void *context)
{
    server->closing = true;
    server->draining = true;
    server->drained = NULL;
    server->closed = closed;
    server->closed_context = context;
    server->stop_tag.done = on_stopped;
    server->pending++;
    grpc_server_shutdown_and_notify(server->server, kw_rpc_queue(server->rpc),
                                    kw_rpc_arm(&server->stop_tag));
    grpc_server_cancel_all_calls(server->server);
}
