/* Messages on a worker's socket: framing, and the fields of those that are not a request or an
 * answer. */
#include "services/cryptocore/hsm/worker_protocol.h"

#include "common/base/limits.h"

#define LENGTH_LEN 4U

struct kw_result kw_hsm_message_next(struct kw_bytes stream, struct kw_hsm_message *ret_message,
                                     struct kw_error *err)
{
    struct kw_hsm_message message = {0};
    uint32_t len;
    uint8_t kind;

    *ret_message = message;
    if (stream.len < LENGTH_LEN) {
        return KW_OK;
    }
    len = kw_be32_load(stream.data);
    KW_ENSURE(len >= 1 && len <= KW_HSM_FRAME_LEN_MAX, err, ENCODING_INVALID, "message of %u bytes",
              len);
    if (stream.len - LENGTH_LEN < len) {
        return KW_OK;
    }
    message.fields = KW_READER(KW_BYTES(stream.data + LENGTH_LEN, len));
    kind = kw_get_u8(&message.fields);
    KW_ENSURE(kind >= KW_HSM_MSG_CONFIGURE && kind <= KW_HSM_MSG_END, err, ENCODING_INVALID,
              "message kind %u", kind);
    message.kind = (enum kw_hsm_message_kind)kind;
    message.size = LENGTH_LEN + len;
    *ret_message = message;
    return KW_OK;
}

/* Leaves room for the length, which message_end knows. */
static size_t message_begin(struct kw_writer *w, enum kw_hsm_message_kind kind)
{
    size_t start = w->out->len;

    kw_put_u32(w, 0);
    kw_put_u8(w, (uint8_t)kind);
    return start;
}

static struct kw_result message_end(struct kw_writer *w, size_t start, struct kw_error *err)
{
    size_t len = w->out->len - start;

    if (w->failed || len > LENGTH_LEN + KW_HSM_FRAME_LEN_MAX) {
        w->out->len = start;
        KW_ENSURE(!w->failed, err, MEMORY, "message to or from a worker");
        KW_FAIL(err, BODY_TOO_LARGE, "message of %zu bytes", len);
    }
    kw_be32_store(w->out->data + start, (uint32_t)(len - LENGTH_LEN));
    return KW_OK;
}

struct kw_result kw_hsm_configure_put(struct kw_buf *out, const struct kw_hsm_configure *configure,
                                      struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    size_t start = message_begin(&w, KW_HSM_MSG_CONFIGURE);

    kw_put_str(&w, configure->provider);
    kw_put_str(&w, configure->module_path);
    kw_put_str(&w, configure->token_label);
    kw_put_str(&w, configure->pin_path);
    kw_put_str(&w, configure->lock_path);
    return message_end(&w, start, err);
}

struct kw_result kw_hsm_configure_get(struct kw_reader fields,
                                      struct kw_hsm_configure *ret_configure, struct kw_error *err)
{
    kw_get_str(&fields, ret_configure->provider, sizeof(ret_configure->provider));
    kw_get_str(&fields, ret_configure->module_path, sizeof(ret_configure->module_path));
    kw_get_str(&fields, ret_configure->token_label, sizeof(ret_configure->token_label));
    kw_get_str(&fields, ret_configure->pin_path, sizeof(ret_configure->pin_path));
    kw_get_str(&fields, ret_configure->lock_path, sizeof(ret_configure->lock_path));
    return kw_reader_end(&fields, "configure", err);
}

struct kw_result kw_hsm_hello_put(struct kw_buf *out, const struct kw_hsm_hello *hello,
                                  struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    size_t start = message_begin(&w, KW_HSM_MSG_HELLO);

    kw_put_u8(&w, hello->version);
    kw_put_u16(&w, (uint16_t)hello->result.reason);
    kw_put_str(&w, hello->error.message);
    return message_end(&w, start, err);
}

struct kw_result kw_hsm_hello_get(struct kw_reader fields, struct kw_hsm_hello *ret_hello,
                                  struct kw_error *err)
{
    struct kw_hsm_hello hello = {.version = kw_get_u8(&fields)};
    uint16_t reason = kw_get_u16(&fields);

    kw_get_str(&fields, hello.error.message, sizeof(hello.error.message));
    KW_TRY(kw_reader_end(&fields, "hello", err));
    KW_ENSURE(hello.version == KW_HSM_PROTOCOL_VERSION && reason < KW_E_COUNT_, err,
              ENCODING_INVALID, "worker speaks version %u", hello.version);
    hello.result = (struct kw_result){(enum kw_reason)reason};
    hello.error.reason = hello.result.reason;
    hello.error.file = "hsm worker";
    *ret_hello = hello;
    return KW_OK;
}

struct kw_result kw_hsm_batch_put(struct kw_buf *out, const struct kw_hsm_batch *batch,
                                  struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    size_t start = message_begin(&w, KW_HSM_MSG_BATCH);

    kw_put_u64(&w, batch->call);
    kw_put_u64(&w, batch->deadline_ns);
    kw_put_u16(&w, (uint16_t)batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        kw_hsm_request_put(&w, &batch->requests[i]);
    }
    return message_end(&w, start, err);
}

struct kw_result kw_hsm_batch_get(struct kw_reader fields, struct kw_arena *arena,
                                  struct kw_hsm_batch *ret_batch, struct kw_error *err)
{
    struct kw_hsm_batch batch;
    struct kw_hsm_request *requests;

    batch.call = kw_get_u64(&fields);
    batch.deadline_ns = kw_get_u64(&fields);
    batch.count = kw_get_u16(&fields);
    KW_ENSURE(!fields.failed && batch.count <= KW_HSM_ITEMS_MAX, err, ENCODING_INVALID,
              "head of a batch");
    requests = kw_arena_alloc(arena, batch.count * sizeof(*requests));
    KW_ENSURE(requests != NULL, err, MEMORY, "batch of %zu", batch.count);
    for (size_t i = 0; i < batch.count; i++) {
        KW_TRY(kw_hsm_request_get(&fields, arena, &requests[i], err));
    }
    batch.requests = requests;
    KW_TRY(kw_reader_end(&fields, "batch", err));
    *ret_batch = batch;
    return KW_OK;
}

struct kw_result kw_hsm_answer_message_put(struct kw_buf *out, uint64_t call, size_t index,
                                           const struct kw_hsm_answer *answer, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    size_t start = message_begin(&w, KW_HSM_MSG_ANSWER);

    kw_put_u64(&w, call);
    kw_put_u16(&w, (uint16_t)index);
    kw_hsm_answer_put(&w, answer);
    return message_end(&w, start, err);
}

void kw_hsm_answer_message_get(struct kw_reader *fields, uint64_t *ret_call, size_t *ret_index)
{
    *ret_call = kw_get_u64(fields);
    *ret_index = kw_get_u16(fields);
}

struct kw_result kw_hsm_end_put(struct kw_buf *out, const struct kw_hsm_end *end,
                                struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    size_t start = message_begin(&w, KW_HSM_MSG_END);

    kw_put_u64(&w, end->call);
    for (size_t f = 0; f < KW_C_COUNT_; f++) {
        kw_put_u32(&w, end->calls[f]);
    }
    return message_end(&w, start, err);
}

struct kw_result kw_hsm_end_get(struct kw_reader fields, struct kw_hsm_end *ret_end,
                                struct kw_error *err)
{
    ret_end->call = kw_get_u64(&fields);
    for (size_t f = 0; f < KW_C_COUNT_; f++) {
        ret_end->calls[f] = kw_get_u32(&fields);
    }
    return kw_reader_end(&fields, "end of a batch", err);
}
