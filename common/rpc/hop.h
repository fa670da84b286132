/* Hop: the pipelined stream between two neighbouring layers (docs/architecture.md).
 *
 * One bidirectional gRPC stream between two processes carries all calls between them. A message on
 * it holds as many frames as were waiting, up to KW_HOP_FRAMES_MAX. A call is symmetric after OPEN:
 * both sides send data and end; the inner side closes it with a status.
 *
 *     outer                                   inner
 *     kw_hop_open ──OPEN(+DATA+END)──────▶ handler->open
 *     kw_hop_send ──DATA─────────────────▶ events->data
 *     kw_hop_end  ──END──────────────────▶ events->end
 *     events->data ◀─────────────────DATA── kw_hop_send
 *     events->status ◀─────────────STATUS── kw_hop_finish
 *     kw_hop_cancel ──CANCEL─────────────▶ events->cancel
 *
 * Everything here is called on, and calls back on, the loop thread. Bytes given to a callback are
 * valid only during it. Bytes given to a send are copied before it returns.
 */
#ifndef KW_COMMON_RPC_HOP_H
#define KW_COMMON_RPC_HOP_H

#include "common/base/bytes.h"
#include "common/base/id.h"
#include "common/loop/loop.h"

struct kw_rpc; /* the process's gRPC: queue, pump thread (rpc.h) */
struct kw_hop_server;
struct kw_hop_client;
struct kw_hop_call;

/* How a call ended. `reason` KW_E_NONE is success. Strings and bytes are borrowed. */
struct kw_hop_status {
    enum kw_reason reason;
    const char *field;       /* the invalid field, for ARGUMENT_INVALID; or "" */
    const char *description; /* safe to show the caller; or "" */
    uint32_t retry_after_ms; /* for RetryInfo; 0: none */
};

/* One item of a call: the bytes of one message and, beside it, what only the layers see. */
struct kw_hop_item {
    struct kw_bytes data;
    struct kw_bytes context; /* an internal message (hop.proto); may be empty */
};

/* What happens on a call. All but `status` (outer) and `cancel` (inner) may be NULL when not
 * needed. After `status` (outer side) or after kw_hop_finish or `cancel` (inner side) the call must
 * not be touched. */
struct kw_hop_events {
    void (*data)(struct kw_hop_call *call, struct kw_hop_item item, void *user);
    void (*end)(struct kw_hop_call *call, void *user); /* inner: the outer side sends no more */
    void (*writable)(struct kw_hop_call *call,
                     void *user); /* credit came back after kw_hop_send said no */
    void (*status)(struct kw_hop_call *call, const struct kw_hop_status *status,
                   struct kw_bytes context, void *user); /* outer: the call is over */
    void (*cancel)(struct kw_hop_call *call,
                   void *user); /* inner: cancelled, timed out, or stream lost */
};

/* What a call begins with. `method` is a row number of the method table. */
struct kw_hop_open {
    uint32_t method;
    uint64_t deadline_ns;    /* monotonic; carried as time left */
    struct kw_bytes trace;   /* W3C traceparent, 55 bytes, or empty */
    struct kw_hop_item item; /* the first message, if has_item */
    bool has_item;
    bool end;  /* no more will be sent: unary */
    bool kept; /* outer side: it may have a place of the last KW_HOP_CALLS_KEPT */
    /* Outer side: it goes on the stream of this call, behind what was sent there, or nowhere: to the same
     * process, in order. NULL: on any. */
    const struct kw_hop_call *beside;
};

/* --- inner side --- */

struct kw_hop_peer {
    const char *spiffe_id;
    struct kw_id
        boot_id; /* of the peer process, from its hello: identifies the stream for receipts */
};

struct kw_hop_handler {
    /* A new call. The handler sets its events and user with kw_hop_serve before it returns, or
     * finishes it. */
    void (*open)(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                 const struct kw_hop_open *open, void *context);
    void *context;
};

void kw_hop_serve(struct kw_hop_call *call, const struct kw_hop_events *events, void *user);

/* --- both sides --- */

/* Sends one message. False: no credit or queue full; nothing was sent, `writable` will come.
 * An item over KW_BODY_LEN_MAX (data or context) ends the call with BODY_TOO_LARGE, soon and on
 * both sides. */
bool kw_hop_send(struct kw_hop_call *call, struct kw_hop_item item);

/* Returns credit for `len` bytes of items' data that were received and are now consumed. Until then
 * the peer's window shrinks: this is the back-pressure. Small unary calls need not bother: credit
 * returns by itself when a call ends. */
void kw_hop_consume(struct kw_hop_call *call, size_t len);

uint64_t kw_hop_deadline_ns(const struct kw_hop_call *call);

/* The process at the other end, from its hello. */
struct kw_id kw_hop_boot_id(const struct kw_hop_call *call);

/* --- inner side: the end --- */
void kw_hop_finish(struct kw_hop_call *call, const struct kw_hop_status *status,
                   struct kw_bytes context);

/* One message and success in one frame: the usual end of a unary call. */
void kw_hop_reply(struct kw_hop_call *call, struct kw_hop_item item);

/* --- outer side --- */

/* Opens a call on the stream with the least in flight. Fails: PEER_UNAVAILABLE (no stream),
 * RATE_LIMITED (every stream has KW_HOP_CALLS_MAX, less KW_HOP_CALLS_KEPT unless `kept`, or its
 * queue is full), DEADLINE_EXCEEDED (already over), BODY_TOO_LARGE, ARGUMENT_INVALID (trace). Then no event will come. Otherwise
 * `events->status` comes exactly once; never before this returns. */
struct kw_result kw_hop_open(struct kw_hop_client *client, const struct kw_hop_open *open,
                             const struct kw_hop_events *events, void *user,
                             struct kw_hop_call **ret_call, struct kw_error *err);
void kw_hop_end(struct kw_hop_call *call);

/* Gives the call up; no event comes any more. */
void kw_hop_cancel(struct kw_hop_call *call);

/* --- making them --- */

/* A credentials directory holds key.pem, cert.pem (leaf first) and ca.pem. It is best a symlink
 * that is swapped at once: new connections use what is there within seconds. */
struct kw_hop_server_options {
    const char *listen; /* "127.0.0.1:0" */
    const char *credentials_dir;
    const char *trust_domain;
    const char *const *peers; /* SPIFFE ids that may connect, NULL-terminated: the layer outside */
    struct kw_hop_handler handler;
};

struct kw_hop_client_options {
    const char *const *targets; /* "host:port", NULL-terminated; a name means all its addresses */
    const char *credentials_dir;
    const char *trust_domain;
    const char *peer; /* the one SPIFFE id expected */
    /* A stream came or went; may be NULL. */
    void (*state)(bool connected, struct kw_id peer_boot_id, void *context);
    void *context;
};

struct kw_result kw_hop_server_new(struct kw_rpc *rpc, const struct kw_hop_server_options *options,
                                   struct kw_hop_server **ret_server, int *ret_port,
                                   struct kw_error *err);
struct kw_result kw_hop_client_new(struct kw_rpc *rpc, const struct kw_hop_client_options *options,
                                   struct kw_hop_client **ret_client, struct kw_error *err);

bool kw_hop_client_connected(const struct kw_hop_client *client);

/* Its streams are lost, and dialled anew: for who knows sooner than the network that nothing gets through.
 * TCP tries again ever later on a connection that was cut off; a new one does not. */
void kw_hop_client_redial(struct kw_hop_client *client);
size_t kw_hop_server_in_flight(const struct kw_hop_server *server);

/* What was written so far; frames per message is how well coalescing works. */
struct kw_hop_stats {
    uint64_t messages_sent;
    uint64_t frames_sent;
    uint64_t failed_connects; /* client: ended before the peer's hello */
};

struct kw_hop_stats kw_hop_server_stats(const struct kw_hop_server *server);
struct kw_hop_stats kw_hop_client_stats(const struct kw_hop_client *client);

/* Drain: the server says so to its peers (they send no new calls, and leave when their last one is
 * over) and calls `drained` when none is left. A peer that is silent delays it: the caller keeps a
 * grace period. */
void kw_hop_server_drain(struct kw_hop_server *server, void (*drained)(void *context),
                         void *context);

/* Cancels what is left, closes; `closed` runs on the loop thread when the memory is gone. */
void kw_hop_server_close(struct kw_hop_server *server, void (*closed)(void *context),
                         void *context);
void kw_hop_client_close(struct kw_hop_client *client, void (*closed)(void *context),
                         void *context);

#endif
