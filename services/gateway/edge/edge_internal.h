/* The edge's objects, shared by its files and by nobody else.
 *
 *     kw_edge ──▶ connections ──▶ calls
 *
 * One file for each concern: listener.c accepts and ends, credentials.c makes TLS contexts, tls.c
 * and handshake.c run TLS on a connection, connection.c reads, output.c writes, watch.c looks at
 * the clock, h2.c hears nghttp2, request.c and response.c translate headers, call.c is the life of
 * a call.
 *
 * Three rules keep this free of use-after-free:
 *   - nghttp2's callbacks only note what happened; the handler hears of it afterwards
 * (kw_edge_calls_deliver).
 *   - A call is freed only by kw_edge_calls_deliver, a connection only by the close callback of its
 * socket.
 *   - While a write is pending (`writing`), nothing touches the connection's TLS or its wire
 * buffer.
 */
#ifndef KW_SERVICES_GATEWAY_EDGE_EDGE_INTERNAL_H
#define KW_SERVICES_GATEWAY_EDGE_EDGE_INTERNAL_H

#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "services/gateway/edge/address.h"
#include "services/gateway/edge/budget.h"
#include "services/gateway/edge/credentials.h"
#include "services/gateway/edge/edge.h"
#include "services/gateway/edge/fields.h"
#include "services/gateway/edge/grpc_message.h"
#include "services/gateway/edge/handshake.h"
#include "services/gateway/edge/timers.h"
#include "services/gateway/tls/tls.h"

#include <nghttp2/nghttp2.h>

/* Who holds a call. */
enum kw_edge_call_phase {
    KW_EDGE_CALL_NEW,    /* ours: the handler has not heard of it */
    KW_EDGE_CALL_SERVED, /* the handler's */
    KW_EDGE_CALL_DONE,   /* finished, refused or cancelled: the handler has forgotten it */
};

/* A piece of a call's metadata buffer. */
struct kw_edge_span {
    size_t at;
    size_t len;
};

struct kw_edge_request {
    struct kw_buf text; /* holds what the spans speak of */
    struct kw_edge_span path;
    struct kw_edge_span signature;
    struct kw_edge_span wait;
    struct kw_edge_span traceparent;
    struct kw_edge_span request_id;
    size_t list_len;        /* RFC 9113 6.5.2: names, values and 32 for each */
    unsigned http_status;   /* 0, or why this is no gRPC request: 405, 415 */
    enum kw_reason refusal; /* KW_E_NONE, or the first thing that is wrong with it */
    bool has_content_type;
    bool has_signature;
};

struct kw_edge_call {
    struct kw_edge_connection *connection;
    struct kw_edge_call *prev;
    struct kw_edge_call *next;
    struct kw_edge_call *next_ready;
    enum kw_edge_call_phase phase;
    int32_t stream;
    bool ready;         /* on the connection's ready list */
    bool headers_done;  /* the request's headers are complete */
    bool remote_ended;  /* END_STREAM came */
    bool end_told;      /* and the handler knows */
    bool stream_closed; /* nghttp2 has forgotten the stream */
    bool answered;      /* our headers are submitted */
    bool deferred;      /* nghttp2 waits for nghttp2_session_resume_data */
    bool wants_room;    /* kw_edge_send said no */
    struct kw_edge_request request;
    uint64_t deadline_ns; /* 0: none */
    struct kw_edge_inbox in;
    size_t in_counted;    /* bytes of `in` that the buffer limits know of */
    size_t in_owed;       /* bytes the handler has not consumed yet */
    uint64_t in_since_ns; /* since when a message is unfinished; 0: none is, or nobody waits */
    struct kw_buf out;
    size_t out_taken;
    uint64_t out_since_ns; /* since when the peer has taken nothing of it; 0: it is empty */
    struct kw_edge_fields trailers;
    struct kw_edge_timer timer;
    void *user;
};

/* The life of a connection. Only forward. */
enum kw_edge_phase {
    KW_EDGE_HANDSHAKE, /* TLS */
    KW_EDGE_GREETING,  /* TLS is up; the client's SETTINGS have not come */
    KW_EDGE_OPEN,
    KW_EDGE_LEAVING, /* GOAWAY: calls in flight go on */
    KW_EDGE_CLOSING, /* last bytes are being written; what comes in is thrown away */
    KW_EDGE_CLOSED,  /* uv_close has been called */
};

struct kw_edge_connection {
    struct kw_edge *edge;
    struct kw_edge_connection *prev;
    struct kw_edge_connection *next;
    enum kw_edge_phase phase;
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct kw_flush flush;
    struct kw_edge_timer timer;  /* watch.c */
    struct kw_edge_timer resume; /* more to write than one turn allows, or the pause is over */

    struct kw_edge_address address;
    struct kw_edge_peer peer;
    struct kw_buf certificate;
    char address_text[KW_EDGE_ADDRESS_SIZE];

    struct kw_tls tls;
    char serial[2 * KW_EDGE_SERIAL_LEN_MAX + 1]; /* of that certificate, in hex */
    char refused[KW_EDGE_REFUSED_SIZE]; /* subject and SAN of a certificate that did not verify */
    bool heard;                         /* at least one byte came */
    bool reading;
    bool writing;
    bool shut; /* uv_shutdown has been called */

    nghttp2_session *h2;
    uint32_t h2_error; /* why we end the session */
    struct kw_edge_budget budget;
    struct kw_edge_call *calls;
    struct kw_edge_call *ready;
    struct kw_edge_call **ready_tail;
    size_t call_count;
    size_t buffered;
    size_t unsent;    /* bytes of answers that the peer has not taken */
    bool held_back;   /* calls wait until there are fewer */
    bool goaway_sent; /* the second one */

    uint64_t phase_since_ns;
    uint64_t active_ns;       /* when the last call ended, or the connection opened */
    uint64_t header_since_ns; /* since when a header block is unfinished; 0: none is */
    int32_t header_stream;    /* whose it is */
    uint64_t write_since_ns;  /* since when a write is pending; 0: none is */
    uint64_t paused_until_ns; /* nothing is read before; 0: it is not paused */
    uint64_t age_due_ns;
};

struct kw_edge {
    struct kw_loop *loop;
    uv_tcp_t listener;
    struct kw_timer clock; /* fires when the first of `timers` is due */
    struct kw_timer reload;
    struct kw_edge_timers timers;
    uint64_t clock_due_ns;
    struct kw_edge_limits limits;
    struct kw_edge_handler handler;
    char *version;
    char *region;
    struct kw_edge_credentials credentials;
    nghttp2_session_callbacks *h2_callbacks;
    nghttp2_option *h2_options;

    struct kw_edge_connection *connections;
    uint64_t connection_number;
    size_t connection_count;
    size_t handshake_count;
    size_t held; /* calls the handler holds */
    size_t buffered;

    bool draining;
    bool closing;
    unsigned handles; /* of the edge itself, not yet closed */
    struct kw_edge_timer drain_timer;
    struct kw_edge_timer accept_timer;
    void (*drained)(void *context);
    void *drained_context;
    void (*closed)(void *context);
    void *closed_context;

    uint8_t received[KW_EDGE_READ_LEN]; /* ciphertext; used during one read */
    uint8_t plain[KW_EDGE_READ_LEN];    /* what TLS made of it */
    uint8_t record[KW_EDGE_READ_LEN];   /* frames being put together to one TLS record */
};

/* --- listener.c --- */
void kw_edge_set_timer(struct kw_edge *edge, struct kw_edge_timer *timer, uint64_t due_ns);
void kw_edge_connection_gone(struct kw_edge *edge);
void kw_edge_drain_fire(struct kw_edge_timer *timer);

/* --- limits.c --- */
void kw_edge_limits_complete(struct kw_edge_limits *limits);

/* --- connection.c --- */

/* Takes the connection that waits at the listener; refuses it there when a limit is reached. */
void kw_edge_connection_accept(struct kw_edge *edge);
void kw_edge_connection_move(struct kw_edge_connection *conn, enum kw_edge_phase phase);

/* Counts and logs which limit the peer has met; the caller closes. */
void kw_edge_connection_blame(const struct kw_edge_connection *conn, const char *limit);

/* Asks the client to go elsewhere; its calls go on. */
void kw_edge_connection_leave(struct kw_edge_connection *conn);

/* Writes what waits, then closes: the peer can read why. */
void kw_edge_connection_finish(struct kw_edge_connection *conn);

/* Closes at once. The calls' `cancel` comes from the close callback, never from here. */
void kw_edge_connection_cut(struct kw_edge_connection *conn);
void kw_edge_connection_read(struct kw_edge_connection *conn, bool on);
void kw_edge_connection_pause(struct kw_edge_connection *conn);

/* --- output.c --- */
void kw_edge_output_init(struct kw_edge_connection *conn);
void kw_edge_output_mark(struct kw_edge_connection *conn);
void kw_edge_output_resume(struct kw_edge_timer *timer);

/* --- watch.c --- */

/* Sets the connection's timer for the next thing that could be late. */
void kw_edge_watch(struct kw_edge_connection *conn);
void kw_edge_watch_fire(struct kw_edge_timer *timer);
void kw_edge_watch_call(struct kw_edge_call *call);
void kw_edge_watch_call_fire(struct kw_edge_timer *timer);

/* --- h2.c --- */
struct kw_result kw_edge_h2_setup(struct kw_edge *edge, struct kw_error *err);
struct kw_result kw_edge_h2_start(struct kw_edge_connection *conn, struct kw_error *err);

/* False: the session is over; a GOAWAY waits to be written. */
bool kw_edge_h2_receive(struct kw_edge_connection *conn, struct kw_bytes plain);

/* The two steps of leaving: first "no new calls, please", then, when the client's acknowledged PING
 * shows that it has read this, which calls were the last. */
void kw_edge_h2_notice(struct kw_edge_connection *conn);
void kw_edge_h2_goaway(struct kw_edge_connection *conn);

/* --- request.c --- */

/* One header of a request. False: the header list is a bomb. */
bool kw_edge_request_header(struct kw_edge_call *call, struct kw_bytes name, struct kw_bytes value);
void kw_edge_request_complete(struct kw_edge_call *call);
struct kw_bytes kw_edge_request_bytes(const struct kw_edge_request *request,
                                      struct kw_edge_span span);

/* --- response.c --- */
void kw_edge_respond(struct kw_edge_call *call, struct kw_bytes message);
void kw_edge_respond_status(struct kw_edge_call *call, const struct kw_edge_status *status);
void kw_edge_respond_http(struct kw_edge_call *call);

/* What can't be answered is reset: the client sees INTERNAL. */
void kw_edge_respond_reset(struct kw_edge_call *call);

/* --- call.c --- */
struct kw_edge_call *kw_edge_call_new(struct kw_edge_connection *conn, int32_t stream);
void kw_edge_call_ready(struct kw_edge_call *call);

/* The peer took `len` bytes of answers, or will never: calls that were held back may begin. */
void kw_edge_calls_taken(struct kw_edge_connection *conn, size_t len);

/* Ends a call from our side, whoever holds it: answers with the reason's row of errors.def. */
void kw_edge_call_fail(struct kw_edge_call *call, enum kw_reason reason);

/* Tells the handler what has happened on the ready calls, and frees those that are over. */
void kw_edge_calls_deliver(struct kw_edge_connection *conn);

/* The connection is gone: every call ends. */
void kw_edge_calls_end(struct kw_edge_connection *conn);

#endif
