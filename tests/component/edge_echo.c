/* A server for the edge's component tests: the edge with a handler that has one method for each
 * thing a test wants to see.
 *
 *   /test.Echo/Unary    the one message; trailers echo-signature-bin, echo-request-id
 *   /test.Echo/Stream   each message, with back-pressure in both directions
 *   /test.Echo/Hold     never answers: for deadlines and cancellation
 *   /test.Echo/Release  answers, and with it every call that is held
 *   /test.Echo/Flood    as many messages of 64 KiB as the request is bytes long
 *   /test.Echo/Early    PERMISSION_DENIED with details at once, whatever is still being sent
 *   /test.Echo/First    the first message, and the end, while it is being told of that message
 *   /test.Echo/Stats    the edge's counters as "label value" lines
 *   anything else       UNIMPLEMENTED
 *
 *   edge_echo DIR CA_FILE [limit=value …]
 *
 * prints READY port=N, drains on SIGTERM, and exits 0 when everything was released.
 */
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "services/gateway/edge/edge.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define FLOOD_MESSAGE_LEN (64 * 1024)

enum method {
    UNARY,
    STREAM,
    HOLD,
    RELEASE,
    FLOOD,
    EARLY,
    FIRST,
    STATS,
    METHOD_COUNT
};

static const char *const paths[METHOD_COUNT] = {
    "/test.Echo/Unary", "/test.Echo/Stream", "/test.Echo/Hold",  "/test.Echo/Release",
    "/test.Echo/Flood", "/test.Echo/Early",  "/test.Echo/First", "/test.Echo/Stats"};

struct echo_call {
    struct echo_call *prev;
    struct echo_call *next;
    struct kw_edge_call *call;
    enum method method;
    struct kw_buf signature;
    struct kw_buf request_id;
    struct kw_buf
        waiting; /* a message to be answered: UNARY at the end, STREAM when there is room */
    bool has_waiting;
    bool ended;
    unsigned messages;
    size_t flood_left;
};

static struct kw_loop *loop;
static struct kw_edge *edge;
static struct echo_call *calls;
static uv_signal_t term;

static void link_call(struct echo_call *echo)
{
    echo->next = calls;
    if (calls != NULL) {
        calls->prev = echo;
    }
    calls = echo;
}

static void free_call(struct echo_call *echo)
{
    *(echo->prev != NULL ? &echo->prev->next : &calls) = echo->next;
    if (echo->next != NULL) {
        echo->next->prev = echo->prev;
    }
    kw_buf_done(&echo->signature);
    kw_buf_done(&echo->request_id);
    kw_buf_done(&echo->waiting);
    free(echo);
}

static void finish(struct echo_call *echo, enum kw_grpc_code code, const char *message)
{
    const struct kw_edge_trailer trailers[] = {
        {"echo-signature-bin", kw_buf_bytes(&echo->signature)},
        {"echo-request-id", kw_buf_bytes(&echo->request_id)},
    };
    const struct kw_edge_status status = {
        .code = code, .message = message, .trailers = trailers, .trailer_count = 2};

    kw_edge_finish(echo->call, &status);
    free_call(echo);
}

static void finish_early(struct kw_edge_call *call, enum kw_grpc_code code, const char *message)
{
    const struct kw_edge_status status = {
        .code = code, .message = message, .details = kw_bytes_str("details")};

    kw_edge_finish(call, &status);
}

static enum method method_of(struct kw_bytes path)
{
    for (int m = 0; m < METHOD_COUNT; m++) {
        if (kw_bytes_equal(path, kw_bytes_str(paths[m]))) {
            return (enum method)m;
        }
    }
    return METHOD_COUNT;
}

static void on_open(struct kw_edge_call *call, const struct kw_edge_open *open, void *context)
{
    enum method method = method_of(open->path);
    struct echo_call *echo;

    (void)context;
    if (method == METHOD_COUNT) {
        finish_early(call, KW_GRPC_UNIMPLEMENTED, "no such method");
        return;
    }
    if (method == EARLY) {
        finish_early(call, KW_GRPC_PERMISSION_DENIED, "100% d\xc3\xa9nied");
        return;
    }
    echo = calloc(1, sizeof(*echo));
    if (echo == NULL) {
        abort();
    }
    echo->call = call;
    echo->method = method;
    KW_IGNORE(kw_buf_append(&echo->signature, open->signature, NULL));
    KW_IGNORE(kw_buf_append(&echo->request_id, open->request_id, NULL));
    link_call(echo);
    kw_edge_serve(call, echo);
}

static void release_all(void)
{
    for (struct echo_call *echo = calls, *next; echo != NULL; echo = next) {
        next = echo->next;
        if (echo->method == HOLD) {
            (void)kw_edge_send(echo->call, kw_bytes_str("released"));
            finish(echo, KW_GRPC_OK, NULL);
        }
    }
}

static void flood(struct echo_call *echo)
{
    static const uint8_t block[FLOOD_MESSAGE_LEN];

    while (echo->flood_left > 0 && kw_edge_send(echo->call, KW_BYTES_OF(block))) {
        echo->flood_left--;
    }
    if (echo->flood_left == 0) {
        finish(echo, KW_GRPC_OK, NULL);
    }
}

static void send_stats(struct echo_call *echo)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    char line[64];
    int len = snprintf(line, sizeof(line), "in_flight %zu\n", kw_edge_in_flight(edge));

    KW_IGNORE(kw_metrics_write(&text, NULL));
    KW_IGNORE(kw_buf_append(&text, KW_BYTES(line, (size_t)len), NULL));
    (void)kw_edge_send(echo->call, kw_buf_bytes(&text));
    finish(echo, KW_GRPC_OK, NULL);
}

/* Echoes now, or when there is room; the client's window opens only then. */
static void echo_stream(struct echo_call *echo, struct kw_bytes message)
{
    if (kw_edge_send(echo->call, message)) {
        kw_edge_consume(echo->call, message.len);
        return;
    }
    kw_buf_clear(&echo->waiting);
    KW_IGNORE(kw_buf_append(&echo->waiting, message, NULL));
    echo->has_waiting = true;
}

static void on_message(struct kw_edge_call *call, struct kw_bytes message, void *user)
{
    struct echo_call *echo = user;

    echo->messages++;
    if (echo->method == UNARY) {
        kw_buf_clear(&echo->waiting);
        KW_IGNORE(kw_buf_append(&echo->waiting, message, NULL));
    } else if (echo->method == STREAM) {
        echo_stream(echo, message);
    } else if (echo->method == FLOOD) {
        echo->flood_left = message.len;
    } else if (echo->method == FIRST) {
        (void)kw_edge_send(call, message);
        finish(echo, KW_GRPC_OK, NULL);
    }
}

static void on_end(struct kw_edge_call *call, void *user)
{
    struct echo_call *echo = user;

    echo->ended = true;
    if (echo->method == UNARY && echo->messages == 1) {
        (void)kw_edge_send(call, kw_buf_bytes(&echo->waiting));
        finish(echo, KW_GRPC_OK, NULL);
    } else if (echo->method == UNARY) {
        finish(echo, KW_GRPC_INTERNAL, "expected one message");
    } else if (echo->method == STREAM && !echo->has_waiting) {
        finish(echo, KW_GRPC_OK, NULL);
    } else if (echo->method == RELEASE) {
        release_all();
        (void)kw_edge_send(call, KW_BYTES_NONE);
        finish(echo, KW_GRPC_OK, NULL);
    } else if (echo->method == FLOOD) {
        flood(echo);
    } else if (echo->method == STATS) {
        send_stats(echo);
    }
}

static void on_writable(struct kw_edge_call *call, void *user)
{
    struct echo_call *echo = user;

    if (echo->method == FLOOD) {
        flood(echo);
    } else if (echo->has_waiting) {
        echo->has_waiting = false;
        (void)kw_edge_send(call, kw_buf_bytes(&echo->waiting));
        kw_edge_consume(call, echo->waiting.len);
        if (echo->ended) {
            finish(echo, KW_GRPC_OK, NULL);
        }
    }
}

static void on_cancel(struct kw_edge_call *call, enum kw_reason reason, void *user)
{
    (void)call;
    KW_LOG(INFO, "cancelled", KW_F_STR("reason", kw_reason_row(reason)->name));
    free_call(user);
}

static void describe(enum kw_reason reason, struct kw_buf *details, void *context)
{
    (void)context;
    KW_IGNORE(kw_buf_append(details, kw_bytes_str(kw_reason_row(reason)->name), NULL));
}

static void on_closed(void *context)
{
    (void)context;
    kw_loop_stop(loop);
}

static void on_drained(void *context)
{
    (void)context;
    uv_close((uv_handle_t *)&term, NULL);
    kw_edge_close(edge, on_closed, NULL);
}

static void on_term(uv_signal_t *signal, int number)
{
    (void)number;
    (void)uv_signal_stop(signal);
    KW_LOG(INFO, "draining");
    kw_edge_drain(edge, on_drained, NULL);
}

static const struct {
    const char *name;
    size_t at;
} limit_names[] = {
#define LIMIT(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct kw_edge_limits, name)                                               \
    }
    LIMIT(calls),        LIMIT(connections),  LIMIT(connections_per_address),
    LIMIT(handshakes),   LIMIT(idle_ms),      LIMIT(header_ms),
    LIMIT(message_ms),   LIMIT(stall_ms),     LIMIT(age_ms),
    LIMIT(age_grace_ms), LIMIT(handshake_ms),
#undef LIMIT
};

static void set_limit(struct kw_edge_limits *limits, const char *setting)
{
    const char *value = strchr(setting, '=');

    for (size_t i = 0; value != NULL && i < sizeof(limit_names) / sizeof(limit_names[0]); i++) {
        size_t len = strlen(limit_names[i].name);

        if (strncmp(setting, limit_names[i].name, len) == 0 && setting + len == value) {
            *(uint32_t *)(void *)((char *)limits + limit_names[i].at) =
                (uint32_t)strtoul(value + 1, NULL, 10);
            return;
        }
    }
    (void)fprintf(stderr, "unknown limit: %s\n", setting);
    exit(2);
}

static void start(const struct kw_edge_options *options)
{
    struct kw_error err = {0};
    int port;

    if (!kw_ok(kw_edge_new(loop, options, &edge, &port, &err))) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    (void)uv_signal_init(kw_loop_uv(loop), &term);
    (void)uv_signal_start(&term, on_term, SIGTERM);
    (void)printf("READY port=%d\n", port);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct kw_edge_options options = {
        .listen = "127.0.0.1:0",
        .version = "0.1.0",
        .region = "test-1",
        .handler = {.open = on_open,
                    .message = on_message,
                    .end = on_end,
                    .writable = on_writable,
                    .cancel = on_cancel,
                    .describe = describe},
    };

    if (argc < 3) {
        (void)fprintf(stderr, "usage: edge_echo DIR CA_FILE [limit=value …]\n");
        return 2;
    }
    options.credentials_dir = argv[1];
    options.client_ca_file = argv[2];
    for (int i = 3; i < argc; i++) {
        set_limit(&options.limits, argv[i]);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    kw_log_setup("edge_echo", "test-1", KW_LOG_INFO);
    if (!kw_ok(kw_loop_new(&loop, NULL))) {
        return 1;
    }
    start(&options);
    kw_loop_run(loop);
    kw_loop_free(loop);
    return 0;
}
