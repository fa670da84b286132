/* Spawning with libuv, the READY line with its time limit, and the two signals of a stop. */
#include "cli/mesh_child.h"

#include "common/base/clock.h"
#include "common/base/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRON_MAX 256

/* Nothing of ours runs in the child before its program does, so another program asks for the signal:
 * util-linux is part of every Debian. */
static const char *const setpriv[] = {"/usr/bin/setpriv", "--pdeathsig", "TERM"};

#define SETPRIV_LEN (sizeof(setpriv) / sizeof(setpriv[0]))

extern char **environ;

void kw_child_arg(struct kw_child *child, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(child->args[child->arg_count++], PATH_MAX, format, args);
    va_end(args);
}

void kw_child_env(struct kw_child *child, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(child->env[child->env_count++], PATH_MAX, format, args);
    va_end(args);
}

static void one_closed(struct kw_child *child)
{
    child->handles_open--;
    if (child->handles_open == 0) {
        child->state = KW_CHILD_GONE;
        child->events.gone(child->exit_status, child->events.context);
    }
}

static void handle_closed(uv_handle_t *handle)
{
    one_closed(handle->data);
}

static void grace_closed(struct kw_timer *timer)
{
    one_closed(KW_CONTAINER_OF(timer, struct kw_child, grace));
}

static void process_exited(uv_process_t *process, int64_t status, int signal)
{
    struct kw_child *child = process->data;

    child->exit_status = signal != 0 ? 128 + signal : status;
    uv_close((uv_handle_t *)&child->process, handle_closed);
    uv_close((uv_handle_t *)&child->out, handle_closed);
    kw_timer_close(&child->grace, grace_closed);
}

/* The number behind `name` in a line, or 0. */
static int number_of(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at != NULL ? (int)strtol(at + strlen(name), NULL, 10) : 0;
}

static void become_ready(struct kw_child *child)
{
    kw_timer_stop(&child->grace);
    child->state = KW_CHILD_READY;
    child->events.ready(child->events.context);
}

/* "READY port=43545 metrics=41001": the first is kept for restarts. */
static void line_take(struct kw_child *child)
{
    int port = number_of(child->line, "READY port=");

    if (child->state == KW_CHILD_STARTING && port > 0) {
        child->port = port;
        child->metrics_port = number_of(child->line, " metrics=");
        become_ready(child);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct kw_child *child = handle->data;

    (void)suggested;
    if (child->line_len >= sizeof(child->line) - 1) {
        child->line_len = 0; /* longer than any line we wait for */
    }
    *buf = uv_buf_init(child->line + child->line_len,
                       (unsigned)(sizeof(child->line) - 1 - child->line_len));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct kw_child *child = stream->data;
    char *end;

    (void)buf;
    if (len <= 0) {
        return;
    }
    child->line_len += (size_t)len;
    child->line[child->line_len] = '\0';
    while ((end = strchr(child->line, '\n')) != NULL) {
        *end = '\0';
        line_take(child);
        child->line_len -= (size_t)(end + 1 - child->line);
        memmove(child->line, end + 1, child->line_len + 1);
    }
}

static void on_grace(struct kw_timer *timer)
{
    struct kw_child *child = KW_CONTAINER_OF(timer, struct kw_child, grace);

    if (child->state == KW_CHILD_STARTING) {
        child->late = true;
        (void)fprintf(stderr, "keyward: %s is not ready after %llu ms\n", child->name,
                      (unsigned long long)child->start_ms);
    }
    (void)uv_process_kill(&child->process, SIGKILL);
}

/* Is this variable of ours one that the child has its own of? */
static bool is_replaced(const struct kw_child *child, const char *variable)
{
    size_t len = strcspn(variable, "=") + 1;

    for (size_t i = 0; i < child->env_count; i++) {
        if (strncmp(child->env[i], variable, len) == 0) {
            return true;
        }
    }
    return false;
}

/* The child's own, and of ours those that it has no own of: which of two counts is not the same for all programs. */
static size_t environment_make(const struct kw_child *child, char **list)
{
    size_t count = 0;

    for (size_t i = 0; i < child->env_count; i++) {
        list[count++] = (char *)(uintptr_t)child->env[i];
    }
    for (char **one = environ; *one != NULL && count < ENVIRON_MAX - 1; one++) {
        if (!is_replaced(child, *one)) {
            list[count++] = *one;
        }
    }
    list[count] = NULL;
    return count;
}

static int spawn(struct kw_child *child, int log_fd)
{
    char *args[SETPRIV_LEN + KW_CHILD_ARGS_MAX + 1] = {NULL};
    char *env[ENVIRON_MAX];
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE},
                                     {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE},
                                     {.flags = UV_INHERIT_FD, .data = {.fd = log_fd}}};
    /* A group of its own: Ctrl-C is for the parent, which stops its children in order. */
    uv_process_options_t options = {
        .exit_cb = process_exited, .flags = UV_PROCESS_DETACHED, .stdio = stdio, .stdio_count = 3};

    for (size_t i = 0; i < SETPRIV_LEN; i++) {
        args[i] = (char *)(uintptr_t)setpriv[i];
    }
    for (size_t i = 0; i < child->arg_count; i++) {
        args[SETPRIV_LEN + i] = child->args[i];
    }
    (void)environment_make(child, env);
    stdio[1].data.stream = (uv_stream_t *)&child->out;
    options.file = args[0];
    options.args = args;
    options.env = env;
    return uv_spawn(kw_loop_uv(child->loop), &child->process, &options);
}

struct kw_result kw_child_start(struct kw_child *child, struct kw_loop *loop, struct kw_error *err)
{
    int log_fd = open(child->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int rc;

    KW_ENSURE(log_fd >= 0, err, SYSTEM, "%s: %s", child->log_path, strerror(errno));
    child->loop = loop;
    child->line_len = 0;
    child->late = false;
    child->started_ns = kw_clock_mono_ns();
    child->process.data = child;
    child->out.data = child;
    (void)uv_pipe_init(kw_loop_uv(loop), &child->out, 0);
    kw_timer_init(&child->grace, loop, on_grace);
    child->handles_open = 3;
    child->state = KW_CHILD_STARTING;
    rc = spawn(child, log_fd);
    (void)close(log_fd);
    if (rc != 0) {
        process_exited(&child->process, rc, 0);
        KW_FAIL(err, SYSTEM, "%s: %s", child->args[0], uv_strerror(rc));
    }
    (void)uv_read_start((uv_stream_t *)&child->out, on_alloc, on_read);
    kw_timer_start(&child->grace, child->start_ms, 0);
    if (!child->announces) {
        become_ready(child);
    }
    return KW_OK;
}

void kw_child_stop(struct kw_child *child, uint64_t grace_ms)
{
    if (child->state == KW_CHILD_STARTING || child->state == KW_CHILD_READY) {
        child->state = KW_CHILD_STOPPING;
        (void)uv_process_kill(&child->process, SIGTERM);
        kw_timer_start(&child->grace, grace_ms, 0);
    }
}

void kw_child_kill(struct kw_child *child)
{
    if (child->state == KW_CHILD_STARTING || child->state == KW_CHILD_READY) {
        child->state = KW_CHILD_STOPPING;
        (void)uv_process_kill(&child->process, SIGKILL);
    }
}
