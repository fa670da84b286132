/* The life of a process, seen from outside: each test is a parent that talks to a child by signals
 * and reads its standard output. */
#include "common/loop/process.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS     50
#define CHILD_FAILED 70 /* not one of the codes under test */

enum manner {
    DRAINS_AT_ONCE,
    NEVER_DRAINS,
    NEVER_STOPS,
    FAILS
};

struct service {
    struct kw_loop *loop;
    struct kw_process *process;
    struct kw_timer work; /* keeps the loop alive as a service's sockets would */
    enum manner manner;
};

static void on_work(struct kw_timer *timer)
{
    (void)timer;
}

static void on_drain(void *context)
{
    struct service *service = context;

    printf("drain\n");
    fflush(stdout);
    if (service->manner == DRAINS_AT_ONCE || service->manner == FAILS) {
        kw_process_drained(service->process);
    }
}

static void on_stop(void *context)
{
    struct service *service = context;

    printf("stop\n");
    fflush(stdout);
    if (service->manner != NEVER_STOPS) {
        kw_timer_close(&service->work, NULL);
        kw_loop_stop(service->loop);
    }
}

/* What a main.c does. */
static int service_main(enum manner manner)
{
    struct service service = {.manner = manner};
    const struct kw_process_hooks hooks = {
        .drain = on_drain, .stop = on_stop, .context = &service, .grace_ms = GRACE_MS};
    int code;

    if (!kw_ok(kw_process_prepare(NULL)) || !kw_ok(kw_loop_new(&service.loop, NULL)) ||
        !kw_ok(kw_process_new(service.loop, &hooks, &service.process, NULL))) {
        return CHILD_FAILED;
    }
    kw_timer_init(&service.work, service.loop, on_work);
    kw_timer_start(&service.work, 1000, 1000);
    kw_process_ready(service.process, "port=%d", 7);
    if (manner == FAILS) {
        kw_process_fail(service.process, 3);
    }
    kw_loop_run(service.loop);
    code = kw_process_end(service.process);
    kw_loop_free(service.loop);
    return code;
}

struct child {
    pid_t pid;
    FILE *out;
};

static void child_start(struct child *child, enum manner manner)
{
    int ends[2];

    cr_assert(eq(int, pipe(ends), 0));
    child->pid = fork();
    cr_assert(ne(int, child->pid, -1));
    if (child->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(service_main(manner));
    }
    close(ends[1]);
    child->out = fdopen(ends[0], "r");
}

static void assert_line(struct child *child, const char *expected)
{
    char line[64] = "";

    cr_assert(ne(ptr, fgets(line, sizeof(line), child->out), NULL), "no line, expected %s",
              expected);
    cr_assert(eq(str, line, (char *)expected));
}

static int child_code(struct child *child)
{
    int status = 0;
    bool exited;

    cr_assert(eq(int, waitpid(child->pid, &status, 0), child->pid));
    fclose(child->out);
    exited = WIFEXITED(status);
    cr_assert(exited);
    return WEXITSTATUS(status);
}

Test(process, is_alive_while_it_starts)
{
    const struct kw_process_hooks hooks = {.grace_ms = GRACE_MS};
    struct kw_process *process = NULL;
    struct kw_loop *loop = NULL;

    cr_assert(kw_ok(kw_loop_new(&loop, NULL)));
    cr_assert(kw_ok(kw_process_new(loop, &hooks, &process, NULL)));
    cr_assert(kw_process_alive(process));
    cr_assert(eq(int, kw_process_end(process), 0));
    kw_loop_free(loop);
}

Test(process, sigterm_drains_and_stops)
{
    struct child child;

    child_start(&child, DRAINS_AT_ONCE);
    assert_line(&child, "READY port=7\n");
    kill(child.pid, SIGTERM);
    assert_line(&child, "drain\n");
    assert_line(&child, "stop\n");
    cr_assert(eq(int, child_code(&child), 0));
}

Test(process, grace_ends_a_drain_that_does_not)
{
    struct child child;

    child_start(&child, NEVER_DRAINS);
    assert_line(&child, "READY port=7\n");
    kill(child.pid, SIGINT);
    assert_line(&child, "drain\n");
    assert_line(&child, "stop\n");
    cr_assert(eq(int, child_code(&child), 0));
}

Test(process, second_signal_exits_at_once)
{
    struct child child;

    child_start(&child, NEVER_STOPS);
    assert_line(&child, "READY port=7\n");
    kill(child.pid, SIGTERM);
    assert_line(&child, "drain\n");
    kill(child.pid, SIGTERM);
    cr_assert(eq(int, child_code(&child), 1));
}

Test(process, failure_from_inside_sets_the_exit_code)
{
    struct child child;

    child_start(&child, FAILS);
    assert_line(&child, "READY port=7\n");
    assert_line(&child, "drain\n");
    assert_line(&child, "stop\n");
    cr_assert(eq(int, child_code(&child), 3));
}

Test(process, prepare_turns_core_dumps_off_and_sigpipe_away)
{
    struct rlimit core;
    struct sigaction action;

    cr_assert(kw_ok(kw_process_prepare(NULL)));
    cr_assert(eq(int, getrlimit(RLIMIT_CORE, &core), 0));
    cr_assert(eq(u64, core.rlim_cur, 0));
    cr_assert(eq(int, sigaction(SIGPIPE, NULL, &action), 0));
    cr_assert(action.sa_handler == SIG_IGN);
}
