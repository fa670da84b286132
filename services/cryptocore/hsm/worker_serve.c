/* The worker's loop: read what is there, run every whole batch, write the answers. */
#include "services/cryptocore/hsm/worker_serve.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "services/cryptocore/hsm/operations.h"
#include "services/cryptocore/hsm/self_test.h"
#include "services/cryptocore/hsm/worker_protocol.h"

#include <errno.h>
#include <unistd.h>

#define READ_LEN (64U * 1024U)
#define WRITE_LEN                                                                                  \
    1024U /* answers leave when so many bytes wait, or when there is nothing else to do */

struct worker {
    int fd;
    struct kw_buf in;
    struct kw_buf out;
    struct kw_hsm_configure configure;
    struct kw_hsm_module module;
    struct kw_hsm_session session;
    bool configured;
    bool unwell; /* the HSM failed in a way that only another process can repair */
};

static void worker_done(struct worker *worker)
{
    kw_hsm_session_close(&worker->session);
    kw_hsm_module_close(&worker->module);
    kw_buf_done(&worker->in);
    kw_buf_done(&worker->out);
}

static struct kw_result send_waiting(struct worker *worker, struct kw_error *err)
{
    size_t sent = 0;

    while (sent < worker->out.len) {
        ssize_t n = write(worker->fd, worker->out.data + sent, worker->out.len - sent);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        KW_ENSURE(n > 0, err, SYSTEM, "write to the core: %s", strerror(errno));
        sent += (size_t)n;
    }
    worker->out.len = 0;
    return KW_OK;
}

/* Blocks until there is more. `ret_open` is false when the core closed its end. */
static struct kw_result receive(struct worker *worker, bool *ret_open, struct kw_error *err)
{
    ssize_t n;

    KW_TRY(kw_buf_reserve(&worker->in, READ_LEN, err));
    do {
        n = read(worker->fd, worker->in.data + worker->in.len, READ_LEN);
    } while (n < 0 && errno == EINTR);
    KW_ENSURE(n >= 0, err, SYSTEM, "read from the core: %s", strerror(errno));
    worker->in.len += (size_t)n;
    *ret_open = n > 0;
    return KW_OK;
}

static struct kw_result start(struct worker *worker, struct kw_error *err)
{
    struct kw_hsm_token_settings settings = {
        worker->configure.provider, worker->configure.module_path, worker->configure.token_label,
        worker->configure.pin_path, worker->configure.lock_path};

    KW_TRY(kw_hsm_module_open(&worker->module, &settings, err));
    KW_TRY(kw_hsm_session_open(&worker->session, &worker->module, KW_HSM_READ_ONLY, err));
    KW_TRY(kw_hsm_session_keys(&worker->session, err));
    return kw_hsm_self_test(&worker->session, err);
}

/* The core is told how the start went, in either case. */
static struct kw_result on_configure(struct worker *worker, struct kw_reader fields,
                                     struct kw_error *err)
{
    struct kw_hsm_hello hello = {.version = KW_HSM_PROTOCOL_VERSION};

    KW_ENSURE(!worker->configured, err, ENCODING_INVALID, "configured twice");
    KW_TRY(kw_hsm_configure_get(fields, &worker->configure, err));
    worker->configured = true;
    hello.result = start(worker, &hello.error);
    KW_TRY(kw_hsm_hello_put(&worker->out, &hello, err));
    KW_TRY(send_waiting(worker, err));
    if (!kw_ok(hello.result) && err != NULL) {
        *err = hello.error;
    }
    return hello.result;
}

/* Nor does a worker stay that can't log in again: it would refuse quickly, and so get most calls. */
static bool ends_worker(enum kw_hsm_class fault)
{
    return fault == KW_HSM_CLASS_DEVICE || fault == KW_HSM_CLASS_LOGIN;
}

static void run_one(struct worker *worker, struct kw_arena *arena, uint64_t deadline_ns,
                    const struct kw_hsm_request *request, struct kw_hsm_answer *ret_answer)
{
    if (worker->unwell || kw_clock_mono_ns() >= deadline_ns) {
        *ret_answer = (struct kw_hsm_answer){.op = request->op};
        ret_answer->result =
            worker->unwell ? KW_MAKE(&ret_answer->error, HSM_UNAVAILABLE, "the worker is ending")
                           : KW_MAKE(&ret_answer->error, DEADLINE_EXCEEDED, "not begun in time");
        return;
    }
    kw_hsm_run(&worker->session, arena, request, ret_answer);
    if (!kw_ok(ret_answer->result) && ends_worker(worker->session.fault)) {
        worker->unwell = true;
    }
}

static struct kw_result batch_end(struct worker *worker, uint64_t call, struct kw_error *err)
{
    struct kw_hsm_end end = {.call = call};

    kw_copy(end.calls, worker->session.calls, sizeof(end.calls));
    memset(worker->session.calls, 0, sizeof(worker->session.calls));
    return kw_hsm_end_put(&worker->out, &end, err);
}

static struct kw_result batch_run(struct worker *worker, struct kw_reader fields,
                                  struct kw_arena *arena, struct kw_error *err)
{
    struct kw_hsm_batch batch;

    KW_TRY(kw_hsm_batch_get(fields, arena, &batch, err));
    for (size_t i = 0; i < batch.count; i++) {
        struct kw_hsm_answer answer;

        run_one(worker, arena, batch.deadline_ns, &batch.requests[i], &answer);
        KW_TRY(kw_hsm_answer_message_put(&worker->out, batch.call, i, &answer, err));
        if (worker->out.len >= WRITE_LEN) {
            KW_TRY(send_waiting(worker, err));
        }
    }
    return batch_end(worker, batch.call, err);
}

static struct kw_result on_batch(struct worker *worker, struct kw_reader fields,
                                 struct kw_error *err)
{
    struct kw_arena *arena;
    struct kw_result result;

    KW_ENSURE(worker->configured, err, ENCODING_INVALID, "a batch before the configuration");
    arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    KW_ENSURE(arena != NULL, err, MEMORY, "batch");
    result = batch_run(worker, fields, arena, err);
    kw_arena_free(arena);
    return result;
}

static struct kw_result on_message(struct worker *worker, const struct kw_hsm_message *message,
                                   struct kw_error *err)
{
    switch (message->kind) {
    case KW_HSM_MSG_CONFIGURE:
        return on_configure(worker, message->fields, err);
    case KW_HSM_MSG_BATCH:
        return on_batch(worker, message->fields, err);
    case KW_HSM_MSG_HELLO:
    case KW_HSM_MSG_ANSWER:
    case KW_HSM_MSG_END:
        break;
    }
    KW_FAIL(err, ENCODING_INVALID, "message kind %d from the core", (int)message->kind);
}

/* Runs every whole message and keeps the rest. An unwell worker still answers what it was given. */
static struct kw_result work_off(struct worker *worker, struct kw_error *err)
{
    size_t used = 0;

    for (;;) {
        struct kw_bytes rest = KW_BYTES(worker->in.data + used, worker->in.len - used);
        struct kw_hsm_message message;

        KW_TRY(kw_hsm_message_next(rest, &message, err));
        if (message.size == 0) {
            break;
        }
        KW_TRY(on_message(worker, &message, err));
        used += message.size;
    }
    KW_TRY(send_waiting(worker, err));
    KW_ENSURE(!worker->unwell, err, HSM_UNAVAILABLE, "the HSM is unwell");
    if (used > 0) {
        memmove(worker->in.data, worker->in.data + used, worker->in.len - used);
        worker->in.len -= used;
    }
    return KW_OK;
}

static struct kw_result serve(struct worker *worker, struct kw_error *err)
{
    bool open = true;

    while (open) {
        KW_TRY(receive(worker, &open, err));
        KW_TRY(work_off(worker, err));
    }
    return KW_OK;
}

int kw_hsm_worker_serve(int fd)
{
    KW_SCOPED(worker_done) struct worker worker = {.fd = fd};
    struct kw_error err;
    struct kw_result result = serve(&worker, &err);

    if (!kw_ok(result)) {
        KW_LOG(ERROR, "hsm worker ends", KW_F_ERR(&err));
        return 1;
    }
    return 0;
}
