/* The edge below TLS: the bytes of a whole HTTP/2 connection, through libuv, the real nghttp2 session, the requests'
 * checks, gRPC's framing and a handler that does one of each thing a handler may do.
 *
 * edge_plain.c stands in for the edge's tls.c and credentials.c, so that the input is the plaintext. The client is a
 * socket on the loopback, in this thread. Input: bytes as the client sends them; between pieces the loop turns when the
 * first byte of the input has its lowest bit set.
 *
 * Whatever is sent: every call the handler was given ends once, nothing is held when the connection is gone, and what
 * comes back is whole frames of at most 16 KiB.
 */
#include "common/base/log.h"
#include "services/gateway/edge/edge_internal.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#define PIECE_LEN       512U
#define TURNS_MAX       2000
#define FRAME_HEAD_LEN  9U
#define FRAME_LEN_MAX   16384U
#define CALL_MEMORY_MAX (64U * 1024U)

static struct kw_loop *loop;
static struct kw_edge *edge;
static struct sockaddr_in address;

static struct diary {
    size_t opened;
    size_t over;
} diary;

/* --- the handler: what it does is the last letter of the path --- */

static void finish(struct kw_edge_call *call, enum kw_grpc_code code)
{
    static const struct kw_edge_trailer trailers[] = {
        {"keyward-test-bin", {(const uint8_t *)"\0\xff", 2}},
        {"keyward-test", {(const uint8_t *)"yes", 3}}};
    const struct kw_edge_status status = {.code = code,
                                          .message = "100 % \xc3\xa4",
                                          .details = kw_bytes_str("details"),
                                          .trailers = trailers,
                                          .trailer_count = 2};

    diary.over++;
    kw_edge_finish(call, &status);
}

static void on_open(struct kw_edge_call *call, const struct kw_edge_open *open, void *context)
{
    uint8_t last = open->path.len > 0 ? open->path.data[open->path.len - 1] : 0;

    (void)context;
    KW_FUZZ_CHECK(open->request_id.len > 0 && open->signature.len <= KW_EDGE_SIGNATURE_LEN_MAX);
    diary.opened++;
    if (last == 'F') {
        finish(call, KW_GRPC_NOT_FOUND);
    } else {
        kw_edge_serve(call, (void *)(uintptr_t)(1 + last));
    }
}

static void on_message(struct kw_edge_call *call, struct kw_bytes message, void *user)
{
    uint8_t how = (uint8_t)((uintptr_t)user - 1);

    KW_FUZZ_CHECK(message.len <= edge->limits.message_len);
    if (how == 'E') {
        (void)kw_edge_send(call, message);
        kw_edge_consume(call, message.len);
    } else if (how == 'M') {
        (void)kw_edge_send(call, message);
        finish(call, KW_GRPC_OK);
    } else if (how != 'H') { /* 'H' holds on to what it gets */
        kw_edge_consume(call, message.len);
    }
}

static void on_end(struct kw_edge_call *call, void *user)
{
    if ((uint8_t)((uintptr_t)user - 1) != 'P') { /* 'P' is never done */
        finish(call, KW_GRPC_OK);
    }
}

static void on_cancel(struct kw_edge_call *call, enum kw_reason reason, void *user)
{
    (void)call;
    (void)user;
    KW_FUZZ_CHECK(reason > KW_E_NONE && reason < KW_E_COUNT_);
    diary.over++;
}

/* --- set up --- */

static void set_up(void)
{
    const struct kw_edge_options options = {
        .listen = "127.0.0.1:0",
        .credentials_dir = "",
        .client_ca_file = "",
        .version = "1",
        .region = "r",
        .limits = {.message_len = 4096, .streams = 8, .buffered_per_connection = 16384},
        .handler = {.open = on_open, .message = on_message, .end = on_end, .cancel = on_cancel}};
    int port;

    kw_log_setup("fuzz", "", KW_LOG_ERROR);
    KW_FUZZ_MUST(kw_loop_new(&loop, NULL));
    KW_FUZZ_MUST(kw_edge_new(loop, &options, &edge, &port, NULL));
    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void turn(void)
{
    (void)uv_run(kw_loop_uv(loop), UV_RUN_NOWAIT);
}

/* An end by RST, so that thousands of connections a second leave no TIME_WAIT behind. */
static int connect_client(void)
{
    const struct linger hard = {.l_onoff = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    KW_FUZZ_CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0);
    KW_FUZZ_CHECK(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    for (int i = 0; edge->connection_count == 0 && i < TURNS_MAX; i++) {
        turn();
    }
    KW_FUZZ_CHECK(edge->connection_count == 1);
    return fd;
}

/* --- what comes back --- */

static void collect(int fd, struct kw_buf *out)
{
    uint8_t bytes[65536];
    ssize_t len;

    while ((len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        KW_FUZZ_MUST(kw_buf_append(out, KW_BYTES(bytes, (size_t)len), NULL));
    }
}

/* Whole frames, but for the last, which a cut may have left in the middle. */
static void check_frames(struct kw_bytes bytes)
{
    while (bytes.len >= FRAME_HEAD_LEN) {
        size_t len = (size_t)(bytes.data[0] << 16 | bytes.data[1] << 8 | bytes.data[2]);

        KW_FUZZ_CHECK(len <= FRAME_LEN_MAX && bytes.data[3] <= NGHTTP2_CONTINUATION);
        KW_FUZZ_CHECK((bytes.data[5] & 0x80) == 0);
        if (bytes.len - FRAME_HEAD_LEN < len) {
            break;
        }
        bytes = KW_BYTES(bytes.data + FRAME_HEAD_LEN + len, bytes.len - FRAME_HEAD_LEN - len);
    }
}

static void check_connection(void)
{
    size_t calls = 0;

    for (const struct kw_edge_connection *conn = edge->connections; conn != NULL;
         conn = conn->next) {
        KW_FUZZ_CHECK(conn->call_count <= edge->limits.streams + 1);
        KW_FUZZ_CHECK(conn->buffered <= edge->limits.buffered_per_connection + KW_EDGE_READ_LEN);
        KW_FUZZ_CHECK(conn->tls.wire.len <= KW_EDGE_WRITE_LEN_MAX + CALL_MEMORY_MAX);
        calls += conn->call_count;
    }
    KW_FUZZ_CHECK(edge->held <= calls && edge->held == diary.opened - diary.over);
}

static void check_gone(void)
{
    KW_FUZZ_CHECK(edge->connection_count == 0 && edge->connections == NULL);
    KW_FUZZ_CHECK(edge->held == 0 && edge->buffered == 0 && edge->handshake_count == 0);
    KW_FUZZ_CHECK(diary.over == diary.opened);
    KW_FUZZ_CHECK(edge->timers.added == 2); /* the edge's own */
}

static void exchange(int fd, struct kw_bytes bytes, bool in_pieces, struct kw_buf *answer)
{
    while (bytes.len > 0) {
        size_t want = in_pieces && bytes.len > PIECE_LEN ? PIECE_LEN : bytes.len;
        ssize_t sent = send(fd, bytes.data, want, MSG_NOSIGNAL | MSG_DONTWAIT);

        turn();
        collect(fd, answer);
        check_connection();
        if (sent <= 0) {
            break;
        }
        bytes = KW_BYTES(bytes.data + sent, bytes.len - (size_t)sent);
    }
    turn();
    check_connection();
    collect(fd, answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    KW_SCOPED(kw_buf_done) struct kw_buf answer = {0};
    bool in_pieces = kw_fuzz_u8(&input) % 2 == 1;
    int fd;

    if (edge == NULL) {
        set_up();
    }
    diary = (struct diary){0};
    fd = connect_client();
    exchange(fd, input.rest, in_pieces, &answer);
    (void)close(fd);
    for (int i = 0; edge->connection_count > 0 && i < TURNS_MAX; i++) {
        turn();
    }
    check_gone();
    check_frames(kw_buf_bytes(&answer));
    return 0;
}

#ifdef KW_FUZZ_ENGINE
#define PREFACE_LEN 24U

/* Finds the `skip`th frame behind the preface. */
static size_t find_frame(const uint8_t *data, size_t size, unsigned skip, size_t *ret_len)
{
    size_t at = 1 + PREFACE_LEN;

    for (;;) {
        size_t len;

        if (at + FRAME_HEAD_LEN > size) {
            return size;
        }
        len = (size_t)(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
        len = len < size - at - FRAME_HEAD_LEN ? len : size - at - FRAME_HEAD_LEN;
        if (skip-- == 0) {
            *ret_len = len;
            return at;
        }
        at += FRAME_HEAD_LEN + len;
    }
}

/* Changes one frame's payload and puts its length right, doubles a frame, or does as libFuzzer likes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    uint8_t payload[4096];
    size_t len = 0;
    size_t at = find_frame(data, size, seed / 8 % 8, &len);
    size_t room = size_max - (size - len);
    size_t whole = FRAME_HEAD_LEN + len;

    if (seed % 8 < 3 || at == size || len > sizeof(payload) || room < len + 1) {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    if (seed % 8 == 3) {
        if (size + whole > size_max) {
            return LLVMFuzzerMutate(data, size, size_max);
        }
        memmove(data + at + whole, data + at, size - at);
        return size + whole;
    }
    room = room < sizeof(payload) ? room : sizeof(payload);
    kw_copy(payload, data + at + FRAME_HEAD_LEN, len);
    room = LLVMFuzzerMutate(payload, len, room);
    memmove(data + at + FRAME_HEAD_LEN + room, data + at + whole, size - at - whole);
    kw_copy(data + at + FRAME_HEAD_LEN, payload, room);
    data[at] = (uint8_t)(room >> 16);
    data[at + 1] = (uint8_t)(room >> 8);
    data[at + 2] = (uint8_t)room;
    return size - len + room;
}
#endif
