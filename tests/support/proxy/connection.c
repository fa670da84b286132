/* Sockets around two channels: what is read is put, what is due is written. No decision about a fault is made
 * here. */
#include "tests/support/proxy/connection.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "tests/support/dice.h"
#include "tests/support/proxy/channel.h"

#include <assert.h>
#include <stdlib.h>

#define MS_NS 1000000ULL

/* One way. */
struct flow {
    struct connection *connection;
    struct channel channel;
    union endpoint_stream *from;
    union endpoint_stream *to;
    struct kw_timer timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    size_t writing_len; /* 0: nothing is being written */
    bool source_over;   /* `from` says nothing more */
    bool ended;         /* `to` was told that no more comes */
};

struct connection {
    struct connection *prev;
    struct connection *next;
    struct connection_options options;
    union endpoint_stream ends[PROXY_WAYS]; /* who connected; the target */
    struct flow flows[PROXY_WAYS];
    uv_connect_t connect;
    unsigned handles_open;
    bool connected;
    bool finishing; /* one end is closed, the other has been told and is waited for */
    bool closing;
};

/* Read into, and put before anything else is read: one for all. */
static uint8_t read_buffer[PROXY_READ_LEN];

static void pump(struct flow *flow);

static struct flow *reverse_of(struct flow *flow)
{
    struct connection *connection = flow->connection;

    return &connection->flows[flow == &connection->flows[PROXY_UP] ? PROXY_DOWN : PROXY_UP];
}

/* --- the end --- */

static void handle_closed(struct connection *connection)
{
    if (--connection->handles_open > 0) {
        return;
    }
    connection->options.gone(connection, connection->options.context);
    for (int way = 0; way < PROXY_WAYS; way++) {
        channel_done(&connection->flows[way].channel);
    }
    free(connection);
}

static void on_end_closed(uv_handle_t *handle)
{
    handle_closed(((struct flow *)handle->data)->connection);
}

static void on_timer_closed(struct kw_timer *timer)
{
    handle_closed(KW_CONTAINER_OF(timer, struct flow, timer)->connection);
}

static void close_end(union endpoint_stream *end)
{
    if (!uv_is_closing(&end->handle)) {
        uv_close(&end->handle, on_end_closed);
    }
}

void connection_close(struct connection *connection)
{
    if (connection->closing) {
        return;
    }
    connection->closing = true;
    connection->options.books->open--;
    for (int way = 0; way < PROXY_WAYS; way++) {
        close_end(&connection->ends[way]);
        kw_timer_close(&connection->flows[way].timer, on_timer_closed);
    }
}

bool connection_reset(struct connection *connection)
{
    if (connection->closing) {
        return false;
    }
    connection->options.books->resets++;
    for (int way = 0; way < PROXY_WAYS; way++) {
        if (!uv_is_closing(&connection->ends[way].handle)) {
            endpoint_reset_at_close(&connection->ends[way]);
        }
    }
    connection_close(connection);
    return true;
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    const struct flow *flow = handle->data;

    (void)suggested;
    *ret_buf = uv_buf_init((char *)read_buffer, (unsigned)channel_room(&flow->channel));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct flow *flow = stream->data;
    uint64_t now = kw_clock_mono_ns();

    assert(n != UV_ENOBUFS); /* nothing is read where there is no room */
    if (n == 0) {
        return;
    }
    if (n > 0) {
        channel_put(&flow->channel, KW_BYTES(buf->base, (size_t)n), now);
    } else if (flow->connection->finishing) {
        connection_close(flow->connection);
    } else {
        flow->source_over = true;
        channel_end(&flow->channel, n == UV_EOF ? CHANNEL_END : CHANNEL_RESET, now);
    }
    pump(flow);
}

/* Reads exactly while the channel has room. */
static void read_or_not(struct flow *flow)
{
    if (channel_room(&flow->channel) > 0 && !flow->source_over) {
        (void)uv_read_start(&flow->from->stream, on_alloc, on_read);
    } else {
        (void)uv_read_stop(&flow->from->stream);
    }
}

/* --- writing --- */

/* Its sender learns of it as of anything else that comes back this way. */
static void receiver_lost(struct flow *flow)
{
    struct flow *reverse = reverse_of(flow);

    channel_drop(&flow->channel);
    channel_end(&reverse->channel, CHANNEL_RESET, kw_clock_mono_ns());
    pump(reverse);
}

static void on_written(uv_write_t *request, int status)
{
    struct flow *flow = request->data;
    size_t len = flow->writing_len;

    flow->writing_len = 0;
    if (flow->connection->closing || flow->connection->finishing) {
        return;
    }
    if (status == 0) {
        channel_wrote(&flow->channel, len, kw_clock_mono_ns());
    } else {
        receiver_lost(flow);
    }
    pump(flow);
}

static void write_some(struct flow *flow, struct kw_bytes bytes)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.len);

    flow->write.data = flow;
    flow->writing_len = bytes.len;
    if (uv_write(&flow->write, &flow->to->stream, &buf, 1, on_written) != 0) {
        flow->writing_len = 0;
        receiver_lost(flow);
    }
}

static void end_way(struct flow *flow)
{
    (void)uv_shutdown(&flow->shutdown, &flow->to->stream, NULL);
    flow->ended = true;
    if (reverse_of(flow)->ended) {
        connection_close(flow->connection);
    }
}

/* Closed on both ends, but so that what the receiver was sent arrives: a socket that is closed with something unread
 * resets, and takes that with it. */
static void finish(struct flow *flow)
{
    struct flow *reverse = reverse_of(flow);

    flow->connection->finishing = true;
    (void)uv_shutdown(&flow->shutdown, &flow->to->stream, NULL);
    close_end(flow->from);
    channel_drop(&reverse->channel);
    if (reverse->source_over) {
        connection_close(flow->connection);
    } else {
        read_or_not(reverse);
    }
}

static void wait_until(struct flow *flow, uint64_t until_ns, uint64_t now_ns)
{
    if (until_ns == CHANNEL_NEVER) {
        kw_timer_stop(&flow->timer);
    } else {
        kw_timer_start(&flow->timer, (until_ns - now_ns + MS_NS - 1) / MS_NS, 0);
    }
}

static void step(struct flow *flow)
{
    uint64_t now = kw_clock_mono_ns();
    struct channel_action action = channel_next(&flow->channel, now);

    switch (action.step) {
    case CHANNEL_WAIT:
        wait_until(flow, action.until_ns, now);
        break;
    case CHANNEL_WRITE:
        write_some(flow, action.bytes);
        break;
    case CHANNEL_END:
        end_way(flow);
        break;
    case CHANNEL_RESET:
        (void)connection_reset(flow->connection);
        break;
    case CHANNEL_CLOSE:
        finish(flow);
        break;
    }
}

static bool flows(const struct connection *connection)
{
    return connection->connected && !connection->finishing && !connection->closing;
}

static void pump(struct flow *flow)
{
    if (flows(flow->connection) && flow->writing_len == 0) {
        step(flow);
    }
    if (flows(flow->connection)) {
        read_or_not(flow);
    }
}

static void on_timer(struct kw_timer *timer)
{
    pump(KW_CONTAINER_OF(timer, struct flow, timer));
}

void connection_look(struct connection *connection)
{
    for (int way = 0; way < PROXY_WAYS; way++) {
        pump(&connection->flows[way]);
    }
}

/* --- the beginning --- */

/* What comes of it comes back by the way down, with its faults: behind one that is half-open even a dead target
 * looks like one that says nothing. */
static void target_unreachable(struct connection *connection)
{
    struct flow *down = &connection->flows[PROXY_DOWN];

    connection->options.books->unreachable++;
    down->source_over = true;
    channel_drop(&connection->flows[PROXY_UP].channel);
    channel_end(&down->channel, CHANNEL_RESET, kw_clock_mono_ns());
}

static void on_connected(uv_connect_t *request, int status)
{
    struct connection *connection = KW_CONTAINER_OF(request, struct connection, connect);

    if (connection->closing) {
        return;
    }
    if (status != 0) {
        target_unreachable(connection);
    }
    connection->connected = true;
    endpoint_no_delay(&connection->ends[PROXY_DOWN]);
    connection_look(connection);
}

static void flow_init(struct connection *connection, enum proxy_way way)
{
    const struct connection_options *options = &connection->options;
    struct flow *flow = &connection->flows[way];
    uint64_t seed = options->seed + way;

    flow->connection = connection;
    flow->from = &connection->ends[way];
    flow->to = &connection->ends[way == PROXY_UP ? PROXY_DOWN : PROXY_UP];
    flow->from->handle.data = flow;
    channel_init(&flow->channel, &options->books->faults[way], &options->books->counts[way],
                 dice_roll(&seed));
    kw_timer_init(&flow->timer, options->loop, on_timer);
    connection->handles_open += 2;
}

/* Who comes while there is no target meets what comes of a target that is down. */
static void go_on(struct connection *connection, const struct endpoint *target)
{
    if (target->len == 0) {
        on_connected(&connection->connect, UV_ECONNREFUSED);
        return;
    }
    endpoint_connect(target, &connection->ends[PROXY_DOWN], &connection->connect, on_connected);
}

struct connection *connection_accept(const struct connection_options *options,
                                     uv_stream_t *listener, const struct endpoint *local,
                                     const struct endpoint *target)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    uv_loop_t *loop = kw_loop_uv(options->loop);

    if (connection == NULL) {
        abort();
    }
    connection->options = *options;
    endpoint_init(local, loop, &connection->ends[PROXY_UP]);
    endpoint_init(target, loop, &connection->ends[PROXY_DOWN]);
    for (int way = 0; way < PROXY_WAYS; way++) {
        flow_init(connection, (enum proxy_way)way);
    }
    options->books->open++;
    if (uv_accept(listener, &connection->ends[PROXY_UP].stream) != 0) {
        connection_close(connection);
        return connection;
    }
    options->books->accepted++;
    endpoint_no_delay(&connection->ends[PROXY_UP]);
    go_on(connection, target);
    return connection;
}

/* --- the owner's list --- */

struct connection *connection_next(const struct connection *connection)
{
    return connection->next;
}

void connection_link(struct connection **list, struct connection *connection)
{
    connection->next = *list;
    if (*list != NULL) {
        (*list)->prev = connection;
    }
    *list = connection;
}

void connection_unlink(struct connection **list, struct connection *connection)
{
    if (connection->prev != NULL) {
        connection->prev->next = connection->next;
    } else {
        *list = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->prev = connection->prev;
    }
}
