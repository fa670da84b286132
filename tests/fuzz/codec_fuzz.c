/* The base codec: a program of reads over bytes. The reader never moves past its end, a failure sticks, and what a
 * writer makes of what was read are the bytes that were read. */
#include "common/base/codec.h"
#include "tests/fuzz/fuzz.h"

enum step {
    STEP_U8,
    STEP_U16,
    STEP_U32,
    STEP_U64,
    STEP_COPY,
    STEP_RAW,
    STEP_VAR,
    STEP_STR,
    STEP_TEXT,
    STEP_COUNT
};

static void number(enum step step, struct kw_reader *r, struct kw_writer *w)
{
    if (step == STEP_U8) {
        kw_put_u8(w, kw_get_u8(r));
    } else if (step == STEP_U16) {
        kw_put_u16(w, kw_get_u16(r));
    } else if (step == STEP_U32) {
        kw_put_u32(w, kw_get_u32(r));
    } else {
        kw_put_u64(w, kw_get_u64(r));
    }
}

static void text(enum step step, uint8_t len, struct kw_reader *r, struct kw_writer *w)
{
    char buffer[64];

    if (step == STEP_STR) {
        kw_get_str(r, buffer, 1 + len % sizeof(buffer));
        KW_FUZZ_CHECK(r->failed || strlen(buffer) <= len % sizeof(buffer));
        kw_put_str(w, r->failed ? "" : buffer);
    } else {
        struct kw_bytes bytes = kw_get_text(r);

        KW_FUZZ_CHECK(r->failed || kw_is_text(bytes));
        kw_put_var(w, bytes);
    }
}

static void run_step(uint8_t code, uint8_t len, struct kw_reader *r, struct kw_writer *w)
{
    enum step step = (enum step)(code % STEP_COUNT);
    uint8_t copy[256];

    if (step <= STEP_U64) {
        number(step, r, w);
    } else if (step == STEP_COPY) {
        kw_get_copy(r, copy, len);
        kw_put_raw(w, KW_BYTES(copy, len));
    } else if (step == STEP_RAW) {
        kw_put_raw(w, kw_get_raw(r, len));
    } else if (step == STEP_VAR) {
        kw_put_var(w, kw_get_var(r));
    } else {
        text(step, len, r, w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_bytes program = kw_fuzz_bytes(&input, kw_fuzz_u8(&input));
    struct kw_reader r = KW_READER(input.rest);
    struct kw_writer w = KW_WRITER(&again);
    struct kw_error err = {0};

    for (size_t i = 0; i + 1 < program.len && !r.failed; i += 2) {
        run_step(program.data[i], program.data[i + 1], &r, &w);
        KW_FUZZ_CHECK(r.rest.len <= input.rest.len);
    }
    if (r.failed) {
        KW_FUZZ_CHECK(kw_get_u8(&r) == 0 && kw_get_var(&r).len == 0 && r.failed);
        KW_FUZZ_CHECK(!kw_fuzz_accepted(kw_reader_end(&r, "what", &err), &err));
        return 0;
    }
    KW_FUZZ_MUST(kw_writer_end(&w, NULL));
    KW_FUZZ_CHECK(kw_ok(kw_reader_end(&r, "what", NULL)) == (r.rest.len == 0));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again),
                                 KW_BYTES(input.rest.data, input.rest.len - r.rest.len)));
    return 0;
}
