/* The messages between the core and one worker, on a stream socket pair.
 *
 *     core   ─ CONFIGURE ─▶                 once: where module, token and PIN file are
 *            ◀─ HELLO ─      worker          once: ready, or why not
 *            ─ BATCH ─▶                      call number, deadline, requests
 *            ◀─ ANSWER ─                     one for each request, as each is done
 *            ◀─ END ─                        the batch's PKCS#11 calls, by function
 *
 * A message is `length u32 ‖ kind u8 ‖ fields`; the length counts what follows it. The two ends are
 * the same build on the same machine, so monotonic time means the same to both. Neither keys nor
 * the PIN cross.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_WORKER_PROTOCOL_H
#define KW_SERVICES_CRYPTOCORE_HSM_WORKER_PROTOCOL_H

#include "services/cryptocore/hsm/stats.h"
#include "services/cryptocore/hsm/wire.h"

#define KW_HSM_PROTOCOL_VERSION 1
#define KW_HSM_SETTING_SIZE     512 /* a path or label of CONFIGURE, with its NUL */

enum kw_hsm_message_kind {
    KW_HSM_MSG_CONFIGURE = 1,
    KW_HSM_MSG_HELLO,
    KW_HSM_MSG_BATCH,
    KW_HSM_MSG_ANSWER,
    KW_HSM_MSG_END,
};

struct kw_hsm_configure {
    char provider[KW_HSM_SETTING_SIZE];
    char module_path[KW_HSM_SETTING_SIZE];
    char token_label[KW_HSM_SETTING_SIZE];
    char pin_path[KW_HSM_SETTING_SIZE];
    char lock_path[KW_HSM_SETTING_SIZE];
};

struct kw_hsm_hello {
    uint8_t version;
    struct kw_result result; /* success: ready for batches */
    struct kw_error error;
};

struct kw_hsm_batch {
    uint64_t call;
    uint64_t deadline_ns;
    const struct kw_hsm_request *requests;
    size_t count;
};

struct kw_hsm_end {
    uint64_t call;
    uint32_t calls[KW_C_COUNT_];
};

/* A message found in a stream: its kind, and its fields behind a reader. */
struct kw_hsm_message {
    enum kw_hsm_message_kind kind;
    struct kw_reader fields;
    size_t size; /* with its length field: what to take off the stream */
};

/* Looks at the start of `stream`: `ret_message->size` is 0 while the message is not whole.
 * Fails: ENCODING_INVALID (length over KW_HSM_FRAME_LEN_MAX, unknown kind). */
struct kw_result kw_hsm_message_next(struct kw_bytes stream, struct kw_hsm_message *ret_message,
                                     struct kw_error *err);

/* Appends a whole message. On failure `out` is as it was. Fails: MEMORY, BODY_TOO_LARGE. */
struct kw_result kw_hsm_configure_put(struct kw_buf *out, const struct kw_hsm_configure *configure,
                                      struct kw_error *err);
struct kw_result kw_hsm_hello_put(struct kw_buf *out, const struct kw_hsm_hello *hello,
                                  struct kw_error *err);
struct kw_result kw_hsm_batch_put(struct kw_buf *out, const struct kw_hsm_batch *batch,
                                  struct kw_error *err);
struct kw_result kw_hsm_answer_message_put(struct kw_buf *out, uint64_t call, size_t index,
                                           const struct kw_hsm_answer *answer,
                                           struct kw_error *err);
struct kw_result kw_hsm_end_put(struct kw_buf *out, const struct kw_hsm_end *end,
                                struct kw_error *err);

/* Read a message's fields. Fail: ENCODING_INVALID, MEMORY. */
struct kw_result kw_hsm_configure_get(struct kw_reader fields,
                                      struct kw_hsm_configure *ret_configure, struct kw_error *err);
struct kw_result kw_hsm_hello_get(struct kw_reader fields, struct kw_hsm_hello *ret_hello,
                                  struct kw_error *err);
struct kw_result kw_hsm_batch_get(struct kw_reader fields, struct kw_arena *arena,
                                  struct kw_hsm_batch *ret_batch, struct kw_error *err);
struct kw_result kw_hsm_end_get(struct kw_reader fields, struct kw_hsm_end *ret_end,
                                struct kw_error *err);

/* The head of an ANSWER; what is left in `fields` is for kw_hsm_answer_get. */
void kw_hsm_answer_message_get(struct kw_reader *fields, uint64_t *ret_call, size_t *ret_index);

#endif
