/* The worker's side of its socket: what a core sends, cut into messages, configured and read as batches. What is
 * accepted is written again as the same bytes, and takes no more memory than a call may.
 */
#include "common/base/limits.h"
#include "services/cryptocore/hsm/worker_protocol.h"
#include "tests/fuzz/fuzz.h"

static void configure(struct kw_reader fields, struct kw_bytes message)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_hsm_configure configure = {0};
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_hsm_configure_get(fields, &configure, &err), &err)) {
        KW_FUZZ_MUST(kw_hsm_configure_put(&again, &configure, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), message));
    }
}

static void batch(struct kw_reader fields, struct kw_bytes message)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_hsm_batch batch;
    struct kw_error err = {0};

    KW_FUZZ_CHECK(arena != NULL);
    if (kw_fuzz_accepted(kw_hsm_batch_get(fields, arena, &batch, &err), &err)) {
        KW_FUZZ_CHECK(batch.count <= KW_HSM_ITEMS_MAX);
        KW_FUZZ_MUST(kw_hsm_batch_put(&again, &batch, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), message));
    }
    KW_FUZZ_CHECK(kw_arena_used(arena) <= KW_REQUEST_ARENA_MAX);
    kw_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes stream = KW_BYTES(data, size);
    struct kw_hsm_message message;
    struct kw_error err = {0};

    while (kw_fuzz_accepted(kw_hsm_message_next(stream, &message, &err), &err) &&
           message.size > 0) {
        struct kw_bytes whole = KW_BYTES(stream.data, message.size);

        KW_FUZZ_CHECK(message.size <= stream.len);
        if (message.kind == KW_HSM_MSG_CONFIGURE) {
            configure(message.fields, whole);
        } else if (message.kind == KW_HSM_MSG_BATCH) {
            batch(message.fields, whole);
        }
        stream = KW_BYTES(stream.data + message.size, stream.len - message.size);
    }
    return 0;
}
