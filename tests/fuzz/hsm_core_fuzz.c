/* The core's side of a worker's socket: hellos, answers and ends, as a worker that has gone wrong could send them.
 * What is accepted is written again as the same bytes.
 */
#include "common/base/limits.h"
#include "services/cryptocore/hsm/worker_protocol.h"
#include "tests/fuzz/fuzz.h"

static void hello(struct kw_reader fields, struct kw_bytes message)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_hsm_hello hello;
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_hsm_hello_get(fields, &hello, &err), &err)) {
        KW_FUZZ_MUST(kw_hsm_hello_put(&again, &hello, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), message));
    }
}

static void answer(struct kw_reader fields, struct kw_bytes message)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_hsm_answer answer;
    struct kw_error err = {0};
    uint64_t call;
    size_t index;

    KW_FUZZ_CHECK(arena != NULL);
    kw_hsm_answer_message_get(&fields, &call, &index);
    if (kw_fuzz_accepted(kw_hsm_answer_get(&fields, arena, &answer, &err), &err)) {
        KW_FUZZ_MUST(kw_hsm_answer_message_put(&again, call, index, &answer, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), message));
    }
    KW_FUZZ_CHECK(kw_arena_used(arena) <= KW_REQUEST_ARENA_MAX);
    kw_arena_free(arena);
}

static void end(struct kw_reader fields, struct kw_bytes message)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_hsm_end end;
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_hsm_end_get(fields, &end, &err), &err)) {
        KW_FUZZ_MUST(kw_hsm_end_put(&again, &end, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), message));
    }
}

static void take(const struct kw_hsm_message *message, struct kw_bytes whole)
{
    switch (message->kind) {
    case KW_HSM_MSG_HELLO:
        hello(message->fields, whole);
        break;
    case KW_HSM_MSG_ANSWER:
        answer(message->fields, whole);
        break;
    case KW_HSM_MSG_END:
        end(message->fields, whole);
        break;
    case KW_HSM_MSG_CONFIGURE:
    case KW_HSM_MSG_BATCH:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes stream = KW_BYTES(data, size);
    struct kw_hsm_message message;
    struct kw_error err = {0};

    while (kw_fuzz_accepted(kw_hsm_message_next(stream, &message, &err), &err) &&
           message.size > 0) {
        KW_FUZZ_CHECK(message.size <= stream.len);
        take(&message, KW_BYTES(stream.data, message.size));
        stream = KW_BYTES(stream.data + message.size, stream.len - message.size);
    }
    return 0;
}
