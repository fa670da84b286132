/* The process: signals by a signalfd, the phases of process.h, and the exit code. */
#include "common/loop/process.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BEAT_MS         1000U
#define STANDS_STILL_MS 5000U /* without a beat */

enum phase {
    PHASE_SERVING,
    PHASE_DRAINING,
    PHASE_STOPPED
};

struct kw_process {
    struct kw_loop *loop;
    struct kw_process_hooks hooks;
    enum phase phase;
    int exit_code;
    int signal_fd;
    uv_poll_t signals;
    struct kw_timer grace;
    struct kw_timer beat;
    _Atomic uint64_t beat_ns; /* of the last one; 0: the loop does not run yet */
    unsigned handles_open;
};

static void handled_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
}

struct kw_result kw_process_prepare(struct kw_error *err)
{
    const struct rlimit no_core = {0, 0};
    sigset_t set;
    int rc;

    KW_ENSURE(signal(SIGPIPE, SIG_IGN) != SIG_ERR, err, SYSTEM, "signal: %s", strerror(errno));
    KW_ENSURE(setrlimit(RLIMIT_CORE, &no_core) == 0, err, SYSTEM, "setrlimit: %s", strerror(errno));
    handled_signals(&set);
    rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
    KW_ENSURE(rc == 0, err, SYSTEM, "pthread_sigmask: %s", strerror(rc));
    return KW_OK;
}

static void stop(struct kw_process *process)
{
    if (process->phase == PHASE_STOPPED) {
        return;
    }
    process->phase = PHASE_STOPPED;
    kw_timer_stop(&process->grace);
    process->hooks.stop(process->hooks.context);
}

static void on_grace_over(struct kw_timer *timer)
{
    struct kw_process *process = KW_CONTAINER_OF(timer, struct kw_process, grace);

    KW_LOG(WARN, "grace is over, calls are cut off", KW_F_U64("grace_ms", process->hooks.grace_ms));
    stop(process);
}

static void on_beat(struct kw_timer *timer)
{
    struct kw_process *process = KW_CONTAINER_OF(timer, struct kw_process, beat);

    atomic_store(&process->beat_ns, kw_clock_mono_ns());
}

bool kw_process_alive(const struct kw_process *process)
{
    uint64_t beat_ns = atomic_load(&process->beat_ns);

    return beat_ns == 0 || kw_clock_mono_ns() - beat_ns < STANDS_STILL_MS * KW_NS_PER_MS;
}

static void drain(struct kw_process *process)
{
    process->phase = PHASE_DRAINING;
    kw_timer_start(&process->grace, process->hooks.grace_ms, 0);
    process->hooks.drain(process->hooks.context);
}

static void on_signal(uv_poll_t *poll, int status, int events)
{
    struct kw_process *process = poll->data;
    struct signalfd_siginfo info;

    (void)events;
    if (status != 0 || read(process->signal_fd, &info, sizeof(info)) != sizeof(info)) {
        return; /* nothing there after all: the descriptor does not block */
    }
    if (process->phase != PHASE_SERVING) {
        KW_LOG(WARN, "second signal, exiting at once", KW_F_U64("signal", info.ssi_signo));
        _exit(EXIT_FAILURE);
    }
    KW_LOG(INFO, "draining", KW_F_U64("signal", info.ssi_signo));
    drain(process);
}

/* The handles are unreferenced: none of them is a reason for the loop to go on. */
static struct kw_result watch_signals(struct kw_process *process, struct kw_error *err)
{
    sigset_t set;
    int rc;

    handled_signals(&set);
    process->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    KW_ENSURE(process->signal_fd >= 0, err, SYSTEM, "signalfd: %s", strerror(errno));
    rc = uv_poll_init(kw_loop_uv(process->loop), &process->signals, process->signal_fd);
    if (rc != 0) {
        (void)close(process->signal_fd);
        KW_FAIL(err, SYSTEM, "uv_poll_init: %s", uv_strerror(rc));
    }
    process->signals.data = process;
    (void)uv_poll_start(&process->signals, UV_READABLE, on_signal);
    uv_unref((uv_handle_t *)&process->signals);
    return KW_OK;
}

struct kw_result kw_process_new(struct kw_loop *loop, const struct kw_process_hooks *hooks,
                                struct kw_process **ret_process, struct kw_error *err)
{
    struct kw_process *process = calloc(1, sizeof(*process));
    struct kw_result watching;

    KW_ENSURE(process != NULL, err, MEMORY, "process");
    process->loop = loop;
    process->hooks = *hooks;
    watching = watch_signals(process, err);
    if (!kw_ok(watching)) {
        free(process);
        return watching;
    }
    kw_timer_init(&process->grace, loop, on_grace_over);
    uv_unref((uv_handle_t *)&process->grace.uv);
    kw_timer_init(&process->beat, loop, on_beat);
    kw_timer_start(&process->beat, 0, BEAT_MS);
    uv_unref((uv_handle_t *)&process->beat.uv);
    process->handles_open = 3;
    *ret_process = process;
    return KW_OK;
}

void kw_process_ready(struct kw_process *process, const char *format, ...)
{
    va_list args;

    (void)process;
    va_start(args, format);
    (void)fputs("READY ", stdout);
    (void)vprintf(format, args);
    (void)putchar('\n');
    (void)fflush(stdout);
    va_end(args);
}

void kw_process_drained(struct kw_process *process)
{
    if (process->phase == PHASE_DRAINING) {
        stop(process);
    }
}

bool kw_process_draining(const struct kw_process *process)
{
    return process->phase != PHASE_SERVING;
}

void kw_process_fail(struct kw_process *process, int exit_code)
{
    if (process->exit_code == EXIT_SUCCESS) {
        process->exit_code = exit_code;
    }
    if (process->phase == PHASE_SERVING) {
        drain(process);
    }
}

static void on_signals_closed(uv_handle_t *handle)
{
    struct kw_process *process = handle->data;

    (void)close(process->signal_fd);
    process->handles_open--;
}

static void on_grace_closed(struct kw_timer *timer)
{
    struct kw_process *process = KW_CONTAINER_OF(timer, struct kw_process, grace);

    process->handles_open--;
}

static void on_beat_closed(struct kw_timer *timer)
{
    struct kw_process *process = KW_CONTAINER_OF(timer, struct kw_process, beat);

    process->handles_open--;
}

int kw_process_end(struct kw_process *process)
{
    int exit_code = process->exit_code;

    uv_close((uv_handle_t *)&process->signals, on_signals_closed);
    kw_timer_close(&process->grace, on_grace_closed);
    kw_timer_close(&process->beat, on_beat_closed);
    while (process->handles_open > 0) {
        (void)uv_run(kw_loop_uv(process->loop), UV_RUN_NOWAIT);
    }
    free(process);
    return exit_code;
}
