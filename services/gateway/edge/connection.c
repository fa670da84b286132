/* The life of a connection, and everything that comes in on it. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "services/gateway/edge/edge_internal.h"
#include "services/gateway/edge/files.h"
#include "services/gateway/edge/tls.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>

static bool in_handshake(enum kw_edge_phase phase)
{
    return phase < KW_EDGE_OPEN;
}

void kw_edge_connection_move(struct kw_edge_connection *conn, enum kw_edge_phase phase)
{
    assert(phase > conn->phase);
    if (in_handshake(conn->phase) && !in_handshake(phase)) {
        conn->edge->handshake_count--;
    }
    conn->phase = phase;
    conn->phase_since_ns = kw_clock_mono_ns();
    if (phase == KW_EDGE_OPEN) {
        conn->active_ns = conn->phase_since_ns;
    }
}

void kw_edge_connection_blame(const struct kw_edge_connection *conn, const char *limit)
{
    uint8_t fingerprint[SHA256_DIGEST_LENGTH] = {0};

    (void)SHA256(conn->certificate.data, conn->certificate.len, fingerprint);
    kw_metric_add(KW_M_EDGE_LIMITS, limit, 1);
    KW_LOG(WARN, "connection cut", KW_F_STR("peer", conn->address_text), KW_F_STR("limit", limit),
           KW_F_HEX("certificate_sha256", KW_BYTES_OF(fingerprint)));
}

/* --- the end --- */

static void unlink_connection(struct kw_edge_connection *conn)
{
    struct kw_edge *edge = conn->edge;

    *(conn->prev != NULL ? &conn->prev->next : &edge->connections) = conn->next;
    if (conn->next != NULL) {
        conn->next->prev = conn->prev;
    }
    edge->connection_count--;
    kw_metric_set(KW_M_EDGE_CONNECTIONS, NULL, (int64_t)edge->connection_count);
}

/* The only place that frees a connection. */
static void on_closed(uv_handle_t *handle)
{
    struct kw_edge_connection *conn = handle->data;
    struct kw_edge *edge = conn->edge;

    kw_edge_calls_end(conn);
    unlink_connection(conn);
    kw_edge_timers_remove(&edge->timers, &conn->timer);
    kw_edge_timers_remove(&edge->timers, &conn->resume);
    nghttp2_session_del(conn->h2);
    kw_tls_done(&conn->tls);
    kw_buf_done(&conn->certificate);
    free(conn);
    kw_edge_connection_gone(edge);
}

void kw_edge_connection_cut(struct kw_edge_connection *conn)
{
    if (conn->phase == KW_EDGE_CLOSED) {
        return;
    }
    kw_edge_connection_move(conn, KW_EDGE_CLOSED);
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

void kw_edge_connection_finish(struct kw_edge_connection *conn)
{
    if (conn->phase >= KW_EDGE_CLOSING) {
        return;
    }
    kw_edge_connection_move(conn, KW_EDGE_CLOSING);
    kw_edge_calls_end(conn);
    kw_edge_output_mark(conn);
}

void kw_edge_connection_leave(struct kw_edge_connection *conn)
{
    if (in_handshake(conn->phase)) {
        kw_edge_connection_cut(conn);
    } else if (conn->phase == KW_EDGE_OPEN) {
        kw_edge_connection_move(conn, KW_EDGE_LEAVING);
        kw_edge_h2_notice(conn);
        kw_edge_watch(conn);
    }
}

/* --- what comes in --- */

static void fail_tls(struct kw_edge_connection *conn)
{
    if (conn->tls.doom != NULL) {
        kw_edge_connection_blame(conn, conn->tls.doom);
    } else if (conn->phase == KW_EDGE_HANDSHAKE) {
        kw_edge_handshake_failed(conn, kw_edge_handshake_class(conn));
    } else {
        kw_edge_connection_blame(conn, "tls_record");
    }
    kw_edge_connection_finish(conn); /* the alert tells the client why */
}

/* False: nothing more to do with what was read. */
static bool shake_hands(struct kw_edge_connection *conn)
{
    enum kw_tls_state state = kw_tls_handshake(&conn->tls);

    if (state == KW_TLS_WAITS) {
        return false;
    }
    if (state != KW_TLS_OK) {
        fail_tls(conn);
        return false;
    }
    if (!kw_edge_tls_accept_peer(conn)) {
        kw_edge_handshake_failed(conn, "alpn");
        kw_edge_connection_finish(conn);
        return false;
    }
    kw_edge_connection_move(conn, KW_EDGE_GREETING);
    if (!kw_ok(kw_edge_h2_start(conn, NULL))) {
        kw_edge_connection_cut(conn);
        return false;
    }
    return true;
}

/* One TLS record at a time, until what this turn brought is used up. */
static void read_records(struct kw_edge_connection *conn)
{
    while (conn->phase < KW_EDGE_CLOSING) {
        size_t len = 0;
        enum kw_tls_state state =
            kw_tls_read(&conn->tls, conn->edge->plain, sizeof(conn->edge->plain), &len);

        if (state == KW_TLS_WAITS) {
            break;
        }
        if (state == KW_TLS_FAILED) {
            fail_tls(conn);
        } else if (state == KW_TLS_ENDED ||
                   !kw_edge_h2_receive(conn, KW_BYTES(conn->edge->plain, len))) {
            kw_edge_connection_finish(conn);
        }
    }
}

static void charge(struct kw_edge_connection *conn, size_t len)
{
    if (kw_edge_budget_charge(&conn->budget, len, kw_clock_mono_ns())) {
        return;
    }
    kw_edge_connection_blame(conn, "waste");
    kw_edge_connection_cut(conn);
}

/* All bytes are charged, and in CLOSING thrown away: the peer may still be sending when it is told
 * to stop, and closing on unread bytes would make its kernel throw away what we wrote last. */
static void receive(struct kw_edge_connection *conn, struct kw_bytes bytes)
{
    charge(conn, bytes.len);
    conn->tls.incoming = bytes;
    if (conn->phase != KW_EDGE_HANDSHAKE || shake_hands(conn)) {
        read_records(conn);
    }
    conn->tls.incoming = KW_BYTES_NONE;
    if (conn->phase < KW_EDGE_CLOSING) {
        kw_edge_calls_deliver(conn);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct kw_edge_connection *conn = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)conn->edge->received, sizeof(conn->edge->received));
}

/* One address at both ends: our own health check, which has seen our certificate and leaves. */
static bool from_this_host(const struct kw_edge_connection *conn)
{
    struct kw_edge_address own = {0};
    int len = sizeof(own);

    return uv_tcp_getsockname(&conn->tcp, &own.at.any, &len) == 0 &&
           kw_edge_address_same_host(&own, &conn->address);
}

static void on_lost(struct kw_edge_connection *conn)
{
    /* A connection that never said a word is a health probe of a load balancer. */
    if (conn->phase == KW_EDGE_HANDSHAKE && conn->heard && !from_this_host(conn)) {
        kw_edge_handshake_failed(conn, "closed_by_client");
    }
    kw_edge_connection_cut(conn);
}

/* libuv reads on while the buffer comes back full. One buffer is all a connection gets in a turn,
 * so that floods meet nghttp2's limits, which work when written; output.c turns reading on again.
 */
static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct kw_edge_connection *conn = stream->data;

    if (len < 0) {
        on_lost(conn);
        return;
    }
    if (len == 0) {
        return;
    }
    conn->heard = true;
    if ((size_t)len == buf->len) {
        kw_edge_connection_read(conn, false);
    }
    receive(conn, KW_BYTES(buf->base, (size_t)len));
    kw_edge_output_mark(conn);
}

void kw_edge_connection_read(struct kw_edge_connection *conn, bool on)
{
    if (conn->reading == on) {
        return;
    }
    conn->reading = on;
    if (!on) {
        (void)uv_read_stop((uv_stream_t *)&conn->tcp);
    } else if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0) {
        kw_edge_connection_cut(conn);
    }
}

/* A pause is not made longer: it ends, whatever is refused meanwhile. */
void kw_edge_connection_pause(struct kw_edge_connection *conn)
{
    if (conn->paused_until_ns == 0) {
        conn->paused_until_ns = kw_clock_mono_ns() + KW_EDGE_PAUSE_MS * KW_NS_PER_MS;
        kw_edge_connection_read(conn, false);
        kw_edge_output_mark(conn); /* which sets the timer */
    }
}

/* --- the beginning --- */

static void link_connection(struct kw_edge *edge, struct kw_edge_connection *conn)
{
    conn->edge = edge;
    conn->ready_tail = &conn->ready;
    conn->next = edge->connections;
    if (conn->next != NULL) {
        conn->next->prev = conn;
    }
    edge->connections = conn;
    edge->connection_count++;
    kw_metric_set(KW_M_EDGE_CONNECTIONS, NULL, (int64_t)edge->connection_count);
    edge->handshake_count++;
    conn->peer.connection = ++edge->connection_number;
}

static size_t count_source(const struct kw_edge_connection *conn, bool handshakes_only)
{
    size_t count = 0;

    for (const struct kw_edge_connection *c = conn->edge->connections; c != NULL; c = c->next) {
        count += (!handshakes_only || in_handshake(c->phase)) &&
                         kw_edge_address_same_source(&c->address, &conn->address)
                     ? 1
                     : 0;
    }
    return count;
}

/* No address gets more handshakes in progress than are free: one alone gets half of them. */
static bool is_over_its_share(const struct kw_edge_connection *conn)
{
    const struct kw_edge *edge = conn->edge;
    size_t others = edge->handshake_count - 1;

    return others >= edge->limits.handshakes ||
           count_source(conn, true) > edge->limits.handshakes - others;
}

/* Of the same address, or else of any. NULL: there is none that has had its time. */
static struct kw_edge_connection *slow_handshake(const struct kw_edge_connection *conn)
{
    uint64_t before_ns = kw_clock_mono_ns() - KW_EDGE_HANDSHAKE_KEPT_MS * KW_NS_PER_MS;
    struct kw_edge_connection *own = NULL;
    struct kw_edge_connection *any = NULL;

    for (struct kw_edge_connection *c = conn->next; c != NULL; c = c->next) { /* newest first */
        if (in_handshake(c->phase) && c->phase_since_ns <= before_ns) {
            any = c;
            own = kw_edge_address_same_source(&c->address, &conn->address) ? c : own;
        }
    }
    return own != NULL ? own : any;
}

/* A handshake that takes long gives its place to a new one: whoever fills them all would have to
 * come again all the time. False: none does. */
static bool make_place(const struct kw_edge_connection *conn)
{
    struct kw_edge_connection *slow = slow_handshake(conn);

    if (slow == NULL) {
        return false;
    }
    kw_edge_handshake_failed(slow, "timeout");
    kw_edge_connection_cut(slow);
    return true;
}

static bool is_of_the_last(const struct kw_edge_connection *conn)
{
    uv_os_fd_t fd;

    return uv_fileno((const uv_handle_t *)&conn->tcp, &fd) == 0 && kw_edge_files_scarce(fd);
}

/* True, and counted, when the new connection is one too many. */
static bool is_too_many(const struct kw_edge_connection *conn)
{
    const struct kw_edge *edge = conn->edge;
    const char *limit;

    if (is_of_the_last(conn)) {
        limit = "descriptors";
    } else if (edge->connection_count > edge->limits.connections) {
        limit = "connections";
    } else if (count_source(conn, false) > edge->limits.connections_per_address) {
        limit = "connections_per_address";
    } else if (is_over_its_share(conn) && !make_place(conn)) {
        limit = "handshakes";
    } else {
        return false;
    }
    kw_metric_add(KW_M_EDGE_LIMITS, limit, 1);
    return true;
}

static void set_age(struct kw_edge_connection *conn, uint64_t now_ns)
{
    uint64_t age_ns = (uint64_t)conn->edge->limits.age_ms * KW_NS_PER_MS;
    uint64_t jitter_ns = age_ns / 100 * KW_EDGE_AGE_JITTER_PERCENT;
    uint64_t random = 0;

    KW_IGNORE(kw_random(&random, sizeof(random), NULL)); /* without it: no jitter */
    conn->age_due_ns = now_ns + age_ns - jitter_ns + random % (2 * jitter_ns + 1);
}

static struct kw_result start(struct kw_edge_connection *conn, struct kw_error *err)
{
    struct kw_edge *edge = conn->edge;
    uint64_t now_ns = kw_clock_mono_ns();

    conn->phase_since_ns = now_ns;
    set_age(conn, now_ns);
    kw_edge_budget_init(&conn->budget, edge->limits.waste_len, now_ns);
    KW_TRY(kw_edge_timers_add(&edge->timers, &conn->timer, kw_edge_watch_fire, err));
    KW_TRY(kw_edge_timers_add(&edge->timers, &conn->resume, kw_edge_output_resume, err));
    KW_TRY(kw_edge_tls_start(conn, err));
    (void)uv_tcp_nodelay(&conn->tcp, 1);
    return KW_OK;
}

static bool take(struct kw_edge_connection *conn)
{
    int len = sizeof(conn->address);

    if (uv_accept((uv_stream_t *)&conn->edge->listener, (uv_stream_t *)&conn->tcp) != 0 ||
        uv_tcp_getpeername(&conn->tcp, &conn->address.at.any, &len) != 0) {
        return false; /* gone again */
    }
    kw_edge_address_text(&conn->address, conn->address_text);
    conn->peer.address = conn->address_text;
    kw_metric_add(KW_M_EDGE_ACCEPTED, NULL, 1);
    return true;
}

void kw_edge_connection_accept(struct kw_edge *edge)
{
    struct kw_edge_connection *conn = calloc(1, sizeof(*conn));

    if (conn == NULL) { /* libuv stops listening until the connection is taken: try again */
        kw_edge_set_timer(edge, &edge->accept_timer,
                          kw_clock_mono_ns() + (uint64_t)KW_EDGE_ACCEPT_RETRY_MS * KW_NS_PER_MS);
        return;
    }
    link_connection(edge, conn);
    kw_edge_output_init(conn);
    (void)uv_tcp_init(kw_loop_uv(edge->loop), &conn->tcp);
    conn->tcp.data = conn;
    if (!take(conn) || is_too_many(conn) || !kw_ok(start(conn, NULL))) {
        kw_edge_connection_cut(conn);
        return;
    }
    kw_edge_connection_read(conn, true);
    kw_edge_watch(conn);
}
