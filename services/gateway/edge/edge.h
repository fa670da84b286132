/* Edge: the public gRPC listener: sockets (libuv), TLS 1.3 with client certificates (OpenSSL),
 * HTTP/2 (nghttp2) and gRPC's mapping onto it. It knows connections, calls and messages; it does
 * not know methods, callers or protobuf. What a call may do is the handler's question (the
 * gateway).
 *
 *     client                edge                            handler
 *     HEADERS         ────▶ checks, limits            ────▶ open
 *     DATA …          ────▶ one gRPC message          ────▶ message …
 *                           (room)                    ◀──── kw_edge_consume
 *     END_STREAM      ────▶                           ────▶ end
 *     RST, loss, late ────▶                           ────▶ cancel (the last event)
 *     DATA            ◀──── framing, flow control     ◀──── kw_edge_send (false: await `writable`)
 *     trailers        ◀────                           ◀──── kw_edge_finish
 *
 * Everything is called on, and calls back on, the loop thread. Handler events never come from
 * inside a kw_edge_* call, so a handler may send and finish from any event. Bytes given to an event
 * are valid during it; bytes given to a function are copied before it returns.
 *
 * Standards: gRPC over HTTP/2 (PROTOCOL-HTTP2.md), RFC 9113, RFC 8446.
 */
#ifndef KW_SERVICES_GATEWAY_EDGE_EDGE_H
#define KW_SERVICES_GATEWAY_EDGE_EDGE_H

#include "common/base/bytes.h"
#include "common/loop/loop.h"

struct kw_edge;
struct kw_edge_call;

/* Who is at the other end of the connection. Valid as long as any of its calls. The certificate's
 * chain was verified at the handshake, and the handler recognised whom it names. */
struct kw_edge_peer {
    struct kw_bytes certificate; /* leaf, DER */
    const char *address;         /* "192.0.2.7:41822", "[2001:db8::1]:41822" */
    uint64_t connection; /* number of the connection in this process, for logs and per-connection
                            state */
};

/* What a call begins with. Borrowed: path and metadata live as long as the call, the struct during
 * `open`. */
struct kw_edge_open {
    struct kw_bytes path;        /* "/keyward.v1.StatusService/GetStatus" */
    uint64_t deadline_ns;        /* monotonic; 0: the client sent none (see kw_edge_set_deadline) */
    struct kw_bytes signature;   /* keyward-signature-bin, decoded; empty: none */
    struct kw_bytes wait;        /* keyward-wait as sent; empty: none */
    struct kw_bytes traceparent; /* W3C trace context as sent; empty: none */
    struct kw_bytes
        request_id; /* x-request-id as sent if it is well formed, else one made here; never empty */
    const struct kw_edge_peer *peer;
};

struct kw_edge_handler {
    /* A new call. `user` of the other events is what kw_edge_serve was given here; a call neither
     * served nor finished when `open` returns is answered INTERNAL. */
    void (*open)(struct kw_edge_call *call, const struct kw_edge_open *open, void *context);

    /* One whole message, at most limits.message_len bytes. Its room in the stream's window comes
     * back by kw_edge_consume; a handler that is busy just does not call it. */
    void (*message)(struct kw_edge_call *call, struct kw_bytes message, void *user);

    /* The client sends no more. */
    void (*end)(struct kw_edge_call *call, void *user);

    /* There is room again after kw_edge_send said no. May be NULL if the handler never sends more
     * than one. */
    void (*writable)(struct kw_edge_call *call, void *user);

    /* The call is over: cancelled by the client, late, or the connection was lost; `reason` is
     * CANCELLED, DEADLINE_EXCEEDED, or what the edge itself answered (e.g. BODY_TOO_LARGE). It must
     * not be touched any more. */
    void (*cancel)(struct kw_edge_call *call, enum kw_reason reason, void *user);

    /* Appends the google.rpc.Status for an error the edge makes itself (code and text are those of
     * errors.def), so that every error has its ErrorInfo and RATE_LIMITED its RetryInfo. May be
     * NULL: code and message only. */
    void (*describe)(enum kw_reason reason, struct kw_buf *details, void *context);

    void *context; /* for open, describe and recognise */

    /* Asked in the handshake, once the chain is verified: does this leaf (DER) name somebody who
     * may call here at all? False refuses the connection. May be NULL: anybody whom the CAs
     * certified. */
    bool (*recognise)(struct kw_bytes certificate, void *context);
};

/* Zero in a field means the default of common/base/limits.h, group `edge`. Times in milliseconds.
 */
struct kw_edge_limits {
    uint32_t message_len;             /* one message, without its 5-byte prefix */
    uint32_t header_list_len;         /* RFC 9113 6.5.2 count */
    uint32_t streams;                 /* concurrent calls on one connection */
    uint32_t calls;                   /* concurrent calls on all connections: above, RATE_LIMITED */
    uint32_t connections;             /* all */
    uint32_t connections_per_address; /* IPv4 address or IPv6 /64 */
    uint32_t handshakes; /* in progress at one time; of one address not more than are free */
    uint32_t buffered_per_connection; /* bytes of messages not yet whole */
    uint32_t buffered;                /* the same, all connections */
    uint32_t waste_len;               /* bytes that move nothing, before a connection is cut */
    uint32_t handshake_ms;            /* from accept to the client's SETTINGS */
    uint32_t idle_ms;                 /* without a call */
    uint32_t header_ms;               /* from the first to the last byte of a header block */
    uint32_t message_ms;              /* from the first to the last byte of a message */
    uint32_t stall_ms;                /* the peer takes nothing of what is ready for it */
    uint32_t age_ms;                  /* of a connection; 10 % jitter; then GOAWAY */
    uint32_t age_grace_ms;            /* from GOAWAY to the cut, for age and for idle */
};

struct kw_edge_options {
    const char *listen; /* "0.0.0.0:8443", "[::]:8443"; port 0: the system chooses */
    const char
        *credentials_dir; /* key.pem, cert.pem (leaf first), behind an atomically swapped symlink */
    const char *client_ca_file; /* PEM bundle: the CAs of partners, operators and stations */
    const char *version;        /* keyward-version in every answer */
    const char *region;         /* keyward-region in every answer */
    struct kw_edge_limits limits;
    struct kw_edge_handler handler;
};

/* Trailing metadata of an answer. A value under a name that ends in "-bin" is encoded here. */
struct kw_edge_trailer {
    const char *name; /* lower case */
    struct kw_bytes value;
};

/* How a call ends. */
struct kw_edge_status {
    enum kw_grpc_code code;
    const char *message;     /* UTF-8, percent-encoded here; NULL or "": none */
    struct kw_bytes details; /* google.rpc.Status for grpc-status-details-bin; may be empty */
    const struct kw_edge_trailer *trailers;
    size_t trailer_count;
};

/* Listens. `options` is copied where it must outlive the call (strings, not the handler's context).
 * Fails: CONFIG_INVALID (address), CRYPTO (credentials missing or not matching), SYSTEM (bind),
 * MEMORY. After a failure the loop must still run once before it is freed. */
struct kw_result kw_edge_new(struct kw_loop *loop, const struct kw_edge_options *options,
                             struct kw_edge **ret_edge, int *ret_port, struct kw_error *err);

/* Reads key, certificate and CA bundle again and uses them for new connections; old ones keep
 * theirs. Runs by itself within KW_EDGE_RELOAD_MS of a swap; call it on SIGHUP. Fails: CRYPTO; then
 * the old ones stay in use. */
struct kw_result kw_edge_reload(struct kw_edge *edge, struct kw_error *err);

/* Stops listening, tells every client to go elsewhere (GOAWAY in two steps), and calls `drained`
 * when the last connection has gone. Calls in flight finish. Combine with a timer and kw_edge_close
 * for a bound. */
void kw_edge_drain(struct kw_edge *edge, void (*drained)(void *context), void *context);

/* Cuts what is left (each call gets its `cancel`), releases everything; `closed` runs when the
 * memory is gone. A pending `drained` is not called any more. */
void kw_edge_close(struct kw_edge *edge, void (*closed)(void *context), void *context);

/* Calls that the handler holds now, and connections (with those in handshake). */
size_t kw_edge_in_flight(const struct kw_edge *edge);
size_t kw_edge_connections(const struct kw_edge *edge);

/* --- a call: from `open` until kw_edge_finish or `cancel` --- */

/* Accepts the call; `user` comes with each later event. Only from `open`. */
void kw_edge_serve(struct kw_edge_call *call, void *user);

/* Whoever asks for more than there is is listened to less often: nothing is read from this call's
 * connection for KW_EDGE_PAUSE_MS. What comes meanwhile is read, refused and answered together,
 * which costs a part of doing so for each. Answers to earlier calls do not wait. */
void kw_edge_pause(struct kw_edge_call *call);

/* Makes the deadline earlier, never later: the method's cap or default. At the deadline the edge
 * answers DEADLINE_EXCEEDED and cancels. */
void kw_edge_set_deadline(struct kw_edge_call *call, uint64_t deadline_ns);
uint64_t kw_edge_deadline_ns(const struct kw_edge_call *call);

/* Gives `len` bytes of delivered messages back to the client's window. Small unary calls need not
 * bother. */
void kw_edge_consume(struct kw_edge_call *call, size_t len);

/* Sends one message (with initial metadata before the first). False: the queue of this call is
 * full, nothing was sent, `writable` will come. */
bool kw_edge_send(struct kw_edge_call *call, struct kw_bytes message);

/* Ends the call. With nothing sent before, the answer is one header block ("trailers-only"). */
void kw_edge_finish(struct kw_edge_call *call, const struct kw_edge_status *status);

#endif
