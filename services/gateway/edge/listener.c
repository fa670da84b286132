/* The edge as a whole: made, listening, reloading its certificates, draining, closed. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "services/gateway/edge/edge_internal.h"
#include "services/gateway/edge/files.h"

#include <assert.h>
#include <stdlib.h>

#define BACKLOG 1024

/* --- the clock behind all timers --- */

static void set_clock(struct kw_edge *edge)
{
    uint64_t due_ns = kw_edge_timers_next(&edge->timers);
    uint64_t now_ns = kw_clock_mono_ns();
    uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;

    edge->clock_due_ns = due_ns;
    if (due_ns != UINT64_MAX) {
        kw_timer_start(&edge->clock, (wait_ns + KW_NS_PER_MS - 1) / KW_NS_PER_MS, 0);
    }
}

static void on_clock(struct kw_timer *timer)
{
    struct kw_edge *edge = KW_CONTAINER_OF(timer, struct kw_edge, clock);

    kw_edge_timers_run(&edge->timers, kw_clock_mono_ns());
    if (!edge->closing) {
        set_clock(edge);
    }
}

void kw_edge_set_timer(struct kw_edge *edge, struct kw_edge_timer *timer, uint64_t due_ns)
{
    kw_edge_timers_set(&edge->timers, timer, due_ns);
    if (due_ns < edge->clock_due_ns && !edge->closing) {
        set_clock(edge);
    }
}

/* --- certificates --- */

struct kw_result kw_edge_reload(struct kw_edge *edge, struct kw_error *err)
{
    struct kw_result r = kw_edge_credentials_reload(&edge->credentials, err);

    kw_metric_add(KW_M_CERTIFICATE_RELOADS, kw_ok(r) ? "ok" : "failed", 1);
    return r;
}

static void on_reload(struct kw_timer *timer)
{
    struct kw_edge *edge = KW_CONTAINER_OF(timer, struct kw_edge, reload);
    struct kw_error err = {0};

    if (!kw_edge_credentials_changed(&edge->credentials)) {
        return;
    }
    if (kw_ok(kw_edge_reload(edge, &err))) {
        KW_LOG(INFO, "certificates reloaded", KW_F_STR("file", edge->credentials.path[0]));
    } else {
        KW_LOG(ERROR, "certificates not reloaded", KW_F_ERR(&err));
    }
}

/* --- the beginning --- */

static void on_connection(uv_stream_t *listener, int status)
{
    struct kw_edge *edge = listener->data;

    if (status == 0) {
        kw_edge_connection_accept(edge);
    } else {
        kw_metric_add(KW_M_EDGE_LIMITS, "accept", 1); /* libuv goes on listening */
    }
}

static void on_accept_again(struct kw_edge_timer *timer)
{
    struct kw_edge *edge = KW_CONTAINER_OF(timer, struct kw_edge, accept_timer);

    if (!uv_is_closing((uv_handle_t *)&edge->listener)) {
        kw_edge_connection_accept(edge);
    }
}

/* Releases what is not a libuv handle. */
static void free_edge(struct kw_edge *edge)
{
    kw_edge_timers_done(&edge->timers);
    kw_edge_credentials_done(&edge->credentials);
    nghttp2_session_callbacks_del(edge->h2_callbacks);
    nghttp2_option_del(edge->h2_options);
    free(edge->version);
    free(edge->region);
    free(edge);
}

static struct kw_result prepare(struct kw_edge *edge, const struct kw_edge_options *options,
                                struct kw_error *err)
{
    edge->limits = options->limits;
    kw_edge_limits_complete(&edge->limits);
    kw_edge_files_raise(edge->limits.connections);
    edge->handler = options->handler;
    edge->clock_due_ns = UINT64_MAX;
    edge->version = strdup(options->version);
    edge->region = strdup(options->region);
    KW_ENSURE(edge->version != NULL && edge->region != NULL, err, MEMORY, "edge");
    KW_TRY(kw_edge_timers_add(&edge->timers, &edge->drain_timer, kw_edge_drain_fire, err));
    KW_TRY(kw_edge_timers_add(&edge->timers, &edge->accept_timer, on_accept_again, err));
    KW_TRY(kw_tls_setup(err));
    KW_TRY(kw_edge_h2_setup(edge, err));
    return kw_edge_credentials_init(&edge->credentials, options->credentials_dir,
                                    options->client_ca_file, err);
}

static struct kw_result listen_on(struct kw_edge *edge, const struct kw_edge_address *address,
                                  int *ret_port, struct kw_error *err)
{
    struct kw_edge_address bound = {0};
    int len = sizeof(bound);
    int rc = uv_tcp_bind(&edge->listener, &address->at.any, 0);

    if (rc == 0) {
        rc = uv_listen((uv_stream_t *)&edge->listener, BACKLOG, on_connection);
    }
    if (rc == 0) {
        rc = uv_tcp_getsockname(&edge->listener, &bound.at.any, &len);
    }
    KW_ENSURE(rc == 0, err, SYSTEM, "listen: %s", uv_strerror(rc));
    *ret_port = kw_edge_address_port(&bound);
    return KW_OK;
}

static void open_handles(struct kw_edge *edge)
{
    (void)uv_tcp_init(kw_loop_uv(edge->loop), &edge->listener);
    edge->listener.data = edge;
    kw_timer_init(&edge->clock, edge->loop, on_clock);
    kw_timer_init(&edge->reload, edge->loop, on_reload);
    kw_timer_start(&edge->reload, KW_EDGE_RELOAD_MS, KW_EDGE_RELOAD_MS);
    edge->handles = 3;
}

struct kw_result kw_edge_new(struct kw_loop *loop, const struct kw_edge_options *options,
                             struct kw_edge **ret_edge, int *ret_port, struct kw_error *err)
{
    struct kw_edge_address address;
    struct kw_edge *edge;
    struct kw_result r;

    KW_TRY(kw_edge_address_parse(options->listen, &address, err));
    edge = calloc(1, sizeof(*edge));
    KW_ENSURE(edge != NULL, err, MEMORY, "edge");
    edge->loop = loop;
    r = prepare(edge, options, err);
    if (!kw_ok(r)) {
        free_edge(edge);
        return r;
    }
    open_handles(edge);
    r = listen_on(edge, &address, ret_port, err);
    if (!kw_ok(r)) {
        kw_edge_close(edge, NULL, NULL);
        return r;
    }
    *ret_edge = edge;
    return KW_OK;
}

/* --- the end --- */

static void end_if_empty(struct kw_edge *edge)
{
    void (*closed)(void *context) = edge->closed;
    void *context = edge->closed_context;

    if (edge->handles > 0 || edge->connection_count > 0) {
        return;
    }
    free_edge(edge);
    if (closed != NULL) {
        closed(context);
    }
}

static void on_handle_closed(struct kw_edge *edge)
{
    edge->handles--;
    if (edge->closing) {
        end_if_empty(edge);
    }
}

static void on_listener_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static void on_clock_closed(struct kw_timer *timer)
{
    on_handle_closed(KW_CONTAINER_OF(timer, struct kw_edge, clock));
}

static void on_reload_closed(struct kw_timer *timer)
{
    on_handle_closed(KW_CONTAINER_OF(timer, struct kw_edge, reload));
}

static void stop_listening(struct kw_edge *edge)
{
    if (!uv_is_closing((uv_handle_t *)&edge->listener)) {
        uv_close((uv_handle_t *)&edge->listener, on_listener_closed);
    }
}

void kw_edge_drain_fire(struct kw_edge_timer *timer)
{
    struct kw_edge *edge = KW_CONTAINER_OF(timer, struct kw_edge, drain_timer);
    void (*drained)(void *context) = edge->drained;

    edge->drained = NULL;
    if (drained != NULL) {
        drained(edge->drained_context);
    }
}

/* From the clock, so that `drained` never runs inside kw_edge_drain. */
static void report_drained(struct kw_edge *edge)
{
    if (edge->draining && edge->connection_count == 0) {
        kw_edge_set_timer(edge, &edge->drain_timer, kw_clock_mono_ns());
    }
}

void kw_edge_connection_gone(struct kw_edge *edge)
{
    if (edge->closing) {
        end_if_empty(edge);
    } else {
        report_drained(edge);
    }
}

void kw_edge_drain(struct kw_edge *edge, void (*drained)(void *context), void *context)
{
    edge->draining = true;
    edge->drained = drained;
    edge->drained_context = context;
    stop_listening(edge);
    for (struct kw_edge_connection *conn = edge->connections; conn != NULL; conn = conn->next) {
        kw_edge_connection_leave(conn);
    }
    report_drained(edge);
}

void kw_edge_close(struct kw_edge *edge, void (*closed)(void *context), void *context)
{
    assert(!edge->closing);
    edge->closing = true;
    edge->closed = closed;
    edge->closed_context = context;
    stop_listening(edge);
    kw_timer_close(&edge->clock, on_clock_closed);
    kw_timer_close(&edge->reload, on_reload_closed);
    for (struct kw_edge_connection *conn = edge->connections; conn != NULL; conn = conn->next) {
        kw_edge_connection_cut(conn);
    }
}

size_t kw_edge_in_flight(const struct kw_edge *edge)
{
    return edge->held;
}

size_t kw_edge_connections(const struct kw_edge *edge)
{
    return edge->connection_count;
}
