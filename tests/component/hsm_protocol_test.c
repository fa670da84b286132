/* Either side of a worker's socket breaks the protocol: the core kills the worker and tells who waits, the worker ends. */
#include "common/base/clock.h"
#include "services/cryptocore/hsm/worker_serve.h"
#include "tests/component/hsm_fault.h"
#include "tests/support/must.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIAR     KW_BINARY_DIR "/bin/hsm_liar"
#define HEAD_LEN 4U

#define PATIENCE_NS (30ULL * 1000000000)

TestSuite(hsm_protocol, .init = fault_up, .fini = fault_down, .timeout = 200);

/* --- a worker that lies --- */

static const char *const lies[] = {
    "another version",
    "long hello",
    "the core's message",
    "hello twice",
    "answer to no call",
    "answer beyond the batch",
    "answer to another operation",
    "answer of no operation",
    "fewer than asked for",
    "more than asked for",
    "long answer",
    "end without answer",
    "end of no call",
    "long end",
};

static void liar_pool_new(const char *lie)
{
    struct kw_hsm_settings settings = {.worker_path = LIAR,
                                       .provider = "softhsm",
                                       .module_path = "module",
                                       .token_label = lie,
                                       .pin_path = "pin",
                                       .lock_path = "lock",
                                       .workers = 1};
    struct kw_hsm_events events = {0};

    MUST(kw_hsm_pool_new(fault.loop, &settings, &events, &fault.pool, err));
}

static void on_gone(void *context)
{
    *(bool *)context = true;
}

/* Asked until it is gone: its greeting may already have been the lie. */
static void lie_told(const char *lie, const struct kw_hsm_request *request)
{
    uint64_t end = kw_clock_mono_ns() + PATIENCE_NS;
    bool gone = false;

    liar_pool_new(lie);
    while (fault.pool->stats.workers_started < 2) {
        enum kw_reason reason = fault_ask(request);

        REQUIRE(kw_clock_mono_ns() < end, "%s: not noticed", lie);
        REQUIRE(reason != KW_E_NONE, "%s: believed", lie);
        (void)uv_run(kw_loop_uv(fault.loop), UV_RUN_ONCE);
    }
    kw_hsm_pool_close(fault.pool, on_gone, &gone);
    FAULT_UNTIL(gone);
    fault.pool = NULL;
}

Test(hsm_protocol, a_worker_that_breaks_it_is_killed_and_replaced)
{
    const struct kw_bytes contents[2] = {kw_bytes_str("one"), kw_bytes_str("two")};
    const struct kw_hsm_request two = {.op = KW_HSM_MAC_FACTS, .mac_facts = {contents, 2}};

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        lie_told(lies[i], &two);
    }
}

Test(hsm_protocol, keys_that_were_not_asked_for_are_not_taken)
{
    lie_told("more than asked for", &fault.ops[0]);
}

/* --- a core that does --- */

/* A worker in this process, which is sent `stream` and then the end. Its exit code; `ret_said` is what it said. */
static int served(const struct kw_buf *stream, struct kw_buf *ret_said)
{
    int ends[2];
    ssize_t got;
    int code;

    ret_said->len = 0;
    MUST(kw_buf_reserve(ret_said, 65536, err));
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    REQUIRE(write(ends[0], stream->data, stream->len) == (ssize_t)stream->len, "write");
    REQUIRE(shutdown(ends[0], SHUT_WR) == 0, "shutdown");
    code = kw_hsm_worker_serve(ends[1]);
    (void)close(ends[1]);
    while ((got = read(ends[0], ret_said->data + ret_said->len, 65536 - ret_said->len)) > 0) {
        ret_said->len += (size_t)got;
    }
    (void)close(ends[0]);
    return code;
}

static void configure_put(struct kw_buf *stream, const char *module)
{
    struct kw_hsm_token t = softhsm_token(&fault.hsm.softhsm);
    struct kw_hsm_configure configure = {0};

    snprintf(configure.provider, sizeof(configure.provider), "%s", t.provider);
    snprintf(configure.module_path, sizeof(configure.module_path), "%s", module);
    snprintf(configure.token_label, sizeof(configure.token_label), "%s", t.token_label);
    snprintf(configure.pin_path, sizeof(configure.pin_path), "%s", t.pin_path);
    snprintf(configure.lock_path, sizeof(configure.lock_path), "%s", t.lock_path);
    MUST(kw_hsm_configure_put(stream, &configure, err));
}

static void batch_put(struct kw_buf *stream, uint64_t deadline_ns, size_t count)
{
    const struct kw_hsm_request requests[] = {fault.ops[3], fault.ops[3]};
    const struct kw_hsm_batch batch = {
        .call = 7, .deadline_ns = deadline_ns, .requests = requests, .count = count};

    MUST(kw_hsm_batch_put(stream, &batch, err));
}

static void one_byte_more(struct kw_buf *stream)
{
    MUST(kw_buf_append(stream, KW_BYTES("", 1), err));
    kw_be32_store(stream->data, (uint32_t)(stream->len - HEAD_LEN));
}

Test(hsm_protocol, a_worker_ends_when_its_core_makes_no_sense)
{
    KW_SCOPED(kw_buf_done) struct kw_buf stream = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf said = {0};
    struct kw_hsm_hello hello = {.version = KW_HSM_PROTOCOL_VERSION};

    batch_put(&stream, UINT64_MAX, 1);
    cr_expect(eq(int, served(&stream, &said), 1), "a batch before the configuration");
    cr_expect(eq(sz, said.len, 0));
    stream.len = 0;
    MUST(kw_hsm_hello_put(&stream, &hello, err));
    cr_expect(eq(int, served(&stream, &said), 1), "a worker's message");
    stream.len = 0;
    configure_put(&stream, "/nowhere/module.so");
    one_byte_more(&stream);
    cr_expect(eq(int, served(&stream, &said), 1), "a configuration that is too long");
    cr_expect(eq(sz, said.len, 0));
    stream.len = 0;
    cr_expect(eq(int, kw_hsm_worker_serve(-1), 1), "no socket");
}

static size_t messages_of(const struct kw_buf *said, enum kw_reason *ret_reasons, size_t max)
{
    struct kw_arena *arena = kw_arena_new(65536);
    size_t used = 0;
    size_t count = 0;

    while (used < said->len) {
        struct kw_hsm_message message;

        MUST(kw_hsm_message_next(KW_BYTES(said->data + used, said->len - used), &message, err));
        REQUIRE(message.size > 0, "half a message");
        used += message.size;
        if (message.kind == KW_HSM_MSG_ANSWER && count < max) {
            struct kw_hsm_answer answer;
            uint64_t call;
            size_t index;

            kw_hsm_answer_message_get(&message.fields, &call, &index);
            MUST(kw_hsm_answer_get(&message.fields, arena, &answer, err));
            ret_reasons[count++] = answer.result.reason;
        }
    }
    kw_arena_free(arena);
    return count;
}

Test(hsm_protocol, a_worker_is_configured_once)
{
    KW_SCOPED(kw_buf_done) struct kw_buf stream = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf said = {0};
    enum kw_reason reason = KW_E_NONE;
    const char *module = softhsm_token(&fault.hsm.softhsm).module_path;

    configure_put(&stream, module);
    batch_put(&stream, 0, 1);
    cr_expect(eq(int, served(&stream, &said), 0));
    cr_expect(eq(sz, messages_of(&said, &reason, 1), 1));
    cr_expect(eq(int, reason, KW_E_DEADLINE_EXCEEDED), "nothing is begun too late");
    configure_put(&stream, module);
    cr_expect(eq(int, served(&stream, &said), 1));
}

/* The second of a batch is not tried on an HSM that failed at the first. */
Test(hsm_protocol, an_unwell_worker_answers_what_it_was_given_and_ends)
{
    KW_SCOPED(kw_buf_done) struct kw_buf stream = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf said = {0};
    enum kw_reason reasons[2] = {KW_E_NONE, KW_E_NONE};
    uint64_t before = p11_fault_calls(&fault.p11, P11_Sign);
    uint64_t start;

    configure_put(&stream, P11_FAULT_MODULE);
    cr_assert(eq(int, served(&stream, &said), 0));
    start = p11_fault_calls(&fault.p11, P11_Sign) - before;
    batch_put(&stream, UINT64_MAX, 2);
    FAULT(.function = P11_Sign, .rv = CKR_DEVICE_ERROR, .first = start + 1, .count = 1);
    before = p11_fault_calls(&fault.p11, P11_Sign);
    cr_expect(eq(int, served(&stream, &said), 1));
    cr_expect(eq(sz, messages_of(&said, reasons, 2), 2));
    cr_expect(eq(int, reasons[0], KW_E_HSM_UNAVAILABLE));
    cr_expect(eq(int, reasons[1], KW_E_HSM_UNAVAILABLE));
    cr_expect(eq(u64, p11_fault_calls(&fault.p11, P11_Sign) - before, start + 1));
}

Test(hsm_protocol, a_core_that_left_ends_its_worker)
{
    KW_SCOPED(kw_buf_done) struct kw_buf stream = {0};
    int ends[2];

    configure_put(&stream, softhsm_token(&fault.hsm.softhsm).module_path);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    REQUIRE(write(ends[0], stream.data, stream.len) == (ssize_t)stream.len, "write");
    (void)close(ends[0]);
    cr_expect(eq(int, kw_hsm_worker_serve(ends[1]), 1));
    (void)close(ends[1]);
}

/* --- a core that leaves while answers wait --- */

struct leaver {
    int fd;
    struct kw_buf *batches;
};

/* Hears the hello, hears nothing more, and only then asks: no answer can reach it. */
static void *leave(void *context)
{
    struct leaver *leaver = context;
    uint8_t hello[256];

    if (read(leaver->fd, hello, sizeof(hello)) > 0 && shutdown(leaver->fd, SHUT_RD) == 0) {
        (void)!write(leaver->fd, leaver->batches->data, leaver->batches->len);
    }
    (void)shutdown(leaver->fd, SHUT_RDWR);
    return NULL;
}

/* The exit code of a worker that was asked by somebody who no longer listens. */
static int left_alone(struct kw_buf *batches)
{
    KW_SCOPED(kw_buf_done) struct kw_buf stream = {0};
    struct leaver leaver = {.batches = batches};
    pthread_t thread;
    int ends[2];
    int code;

    configure_put(&stream, P11_FAULT_MODULE);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    REQUIRE(write(ends[0], stream.data, stream.len) == (ssize_t)stream.len, "write");
    leaver.fd = ends[0];
    REQUIRE(pthread_create(&thread, NULL, leave, &leaver) == 0, "thread");
    code = kw_hsm_worker_serve(ends[1]);
    (void)close(ends[1]);
    (void)pthread_join(thread, NULL);
    (void)close(ends[0]);
    return code;
}

Test(hsm_protocol, a_worker_whose_answer_nobody_takes_ends)
{
    KW_SCOPED(kw_buf_done) struct kw_buf batches = {0};

    batch_put(&batches, UINT64_MAX, 1);
    cr_expect(eq(int, left_alone(&batches), 1));
}

/* Answers that fill what may wait leave before the batch is done, and there it ends. */
Test(hsm_protocol, a_worker_ends_in_the_middle_of_what_nobody_takes)
{
    KW_SCOPED(kw_buf_done) struct kw_buf batches = {0};
    struct kw_hsm_request requests[64];
    const struct kw_hsm_batch batch = {
        .call = 7, .deadline_ns = UINT64_MAX, .requests = requests, .count = 64};
    uint64_t before = p11_fault_calls(&fault.p11, P11_Sign);

    for (size_t i = 0; i < 64; i++) {
        requests[i] = fault.ops[3];
    }
    MUST(kw_hsm_batch_put(&batches, &batch, err));
    cr_expect(eq(int, left_alone(&batches), 1));
    cr_expect(lt(u64, p11_fault_calls(&fault.p11, P11_Sign) - before, 2 * 64),
              "and not at its end");
}

/* --- what does not fit --- */

Test(hsm_protocol, what_no_field_holds_is_no_message)
{
    static const uint8_t bytes[UINT16_MAX + 1];
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_hsm_answer answer = {.op = KW_HSM_SIGN_CHECKPOINT};

    answer.signature = KW_BYTES(bytes, UINT16_MAX);
    MUST(kw_hsm_answer_message_put(&out, 1, 0, &answer, err));
    kw_buf_clear(&out);
    MUST(kw_buf_append(&out, kw_bytes_str("before"), err));
    answer.signature = KW_BYTES_OF(bytes);
    cr_expect(eq(int, kw_hsm_answer_message_put(&out, 1, 0, &answer, NULL).reason, KW_E_MEMORY));
    cr_expect(eq(sz, out.len, strlen("before")), "it is as it was");
}
