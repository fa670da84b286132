/* Spawning a worker and moving bytes. The child is freed when both its handles are closed, which
 * they are as soon as the process has ended or the socket has failed. */
#include "services/cryptocore/hsm/worker_child.h"

#include <signal.h>
#include <stdlib.h>

#define READ_LEN     (64U * 1024U)
#define HANDLE_COUNT 2
#define SOCKET_FD    3 /* in the worker */

struct kw_hsm_child {
    uv_process_t process;
    uv_pipe_t socket;
    struct kw_hsm_child_events events;
    struct kw_buf in;
    struct kw_buf out;
    int open_handles;
    int64_t exit_status;
    int exit_signal;
    bool running; /* the process has not been seen to end */
    bool drained; /* nothing more will be read from the socket */
    bool closing;
};

/* One write, which owns its bytes. */
struct write {
    uv_write_t request;
    struct kw_buf bytes;
};

static void on_closed(uv_handle_t *handle)
{
    struct kw_hsm_child *child = handle->data;
    struct kw_hsm_child_events events = child->events;

    if (--child->open_handles > 0) {
        return;
    }
    kw_buf_done(&child->in);
    kw_buf_done(&child->out);
    free(child);
    events.closed(events.context);
}

static void close_handles(struct kw_hsm_child *child)
{
    if (!child->closing) {
        child->closing = true;
        uv_close((uv_handle_t *)&child->process, on_closed);
        uv_close((uv_handle_t *)&child->socket, on_closed);
    }
}

/* A worker's last words arrive before its end is told: `gone` waits for both the process and the
 * socket. */
static void maybe_gone(struct kw_hsm_child *child)
{
    if (child->running || !child->drained || child->closing) {
        return;
    }
    child->events.gone(child->events.context, child->exit_status, child->exit_signal);
    close_handles(child);
}

static void on_ended(uv_process_t *process, int64_t exit_status, int signal)
{
    struct kw_hsm_child *child = process->data;

    child->running = false;
    child->exit_status = exit_status;
    child->exit_signal = signal;
    maybe_gone(child);
}

/* Gives up every whole message and keeps the rest. False: the stream makes no sense. */
static bool messages_deliver(struct kw_hsm_child *child)
{
    size_t used = 0;

    for (;;) {
        struct kw_hsm_message message;

        if (!kw_ok(kw_hsm_message_next(KW_BYTES(child->in.data + used, child->in.len - used),
                                       &message, NULL))) {
            return false;
        }
        if (message.size == 0) {
            break;
        }
        used += message.size;
        child->events.message(child->events.context, &message);
    }
    if (used > 0) {
        memmove(child->in.data, child->in.data + used, child->in.len - used);
        child->in.len -= used;
    }
    return true;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct kw_hsm_child *child = handle->data;

    (void)suggested;
    if (!kw_ok(kw_buf_reserve(&child->in, READ_LEN, NULL))) {
        *ret_buf = uv_buf_init(NULL, 0); /* libuv reports ENOBUFS to on_read */
        return;
    }
    *ret_buf = uv_buf_init((char *)child->in.data + child->in.len, READ_LEN);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct kw_hsm_child *child = stream->data;

    (void)buf;
    if (got > 0) {
        child->in.len += (size_t)got;
    }
    if (got < 0 || !messages_deliver(child)) {
        (void)uv_read_stop(stream);
        child->drained = true;
        kw_hsm_child_kill(child);
        maybe_gone(child);
    }
}

static struct kw_result spawn(struct kw_hsm_child *child, struct kw_loop *loop, const char *path,
                              enum kw_hsm_sandbox sandbox, struct kw_error *err)
{
    char number[] = {'0' + SOCKET_FD, '\0'};
    char *args[] = {(char *)(uintptr_t)path, number,
                    (char *)(uintptr_t)kw_hsm_sandbox_name(sandbox), NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&child->socket},
    };
    uv_process_options_t options = {
        .exit_cb = on_ended,
        .file = path,
        .args = args,
        .stdio_count = sizeof(stdio) / sizeof(stdio[0]),
        .stdio = stdio,
    };
    int rc = uv_spawn(kw_loop_uv(loop), &child->process, &options);

    child->process.data = child;
    KW_ENSURE(rc != UV_ENOENT && rc != UV_EACCES, err, CONFIG_INVALID, "%s: %s", path,
              uv_strerror(rc));
    KW_ENSURE(rc == 0, err, SYSTEM, "start of %s: %s", path, uv_strerror(rc));
    child->running = true;
    /* Fails for a stream that is closing, read already or not open alone. */
    (void)uv_read_start((uv_stream_t *)&child->socket, on_alloc, on_read);
    return KW_OK;
}

struct kw_result kw_hsm_child_start(struct kw_loop *loop, const char *path,
                                    enum kw_hsm_sandbox sandbox,
                                    const struct kw_hsm_child_events *events,
                                    struct kw_hsm_child **ret_child, struct kw_error *err)
{
    struct kw_hsm_child *child = calloc(1, sizeof(*child));
    struct kw_result result;

    KW_ENSURE(child != NULL, err, MEMORY, "worker");
    child->events = *events;
    child->open_handles = HANDLE_COUNT;
    (void)uv_pipe_init(kw_loop_uv(loop), &child->socket, 0); /* cannot fail on Unix */
    child->socket.data = child;
    result = spawn(child, loop, path, sandbox, err);
    if (kw_ok(result)) {
        *ret_child = child;
    } else {
        close_handles(child);
    }
    return result;
}

struct kw_buf *kw_hsm_child_out(struct kw_hsm_child *child)
{
    return &child->out;
}

static void on_written(uv_write_t *request, int status)
{
    struct write *write = (struct write *)request;
    struct kw_hsm_child *child = request->handle->data;

    kw_buf_done(&write->bytes);
    free(write);
    if (status < 0) {
        kw_hsm_child_kill(child);
    }
}

void kw_hsm_child_flush(struct kw_hsm_child *child)
{
    struct write *write;
    uv_buf_t buf;

    if (child->out.len == 0 || child->closing) {
        return;
    }
    write = calloc(1, sizeof(*write));
    if (write == NULL) {
        kw_hsm_child_kill(child);
        return;
    }
    kw_buf_move(&write->bytes, &child->out);
    buf = uv_buf_init((char *)write->bytes.data, (unsigned)write->bytes.len);
    if (uv_write(&write->request, (uv_stream_t *)&child->socket, &buf, 1, on_written) != 0) {
        kw_buf_done(&write->bytes);
        free(write);
        kw_hsm_child_kill(child);
    }
}

void kw_hsm_child_kill(struct kw_hsm_child *child)
{
    if (child->running) {
        (void)uv_process_kill(&child->process, SIGKILL);
    }
}

int kw_hsm_child_pid(const struct kw_hsm_child *child)
{
    return uv_process_get_pid(&child->process);
}
