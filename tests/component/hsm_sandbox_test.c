/* How tightly workers are held is a setting: what each mode does to a module that opens a socket,
 * and what the pool makes of a worker that its sandbox has ended. */
#include "common/base/metrics.h"
#include "services/cryptocore/hsm/pool_internal.h"
#include "tests/component/hsm_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKER         KW_BINARY_DIR "/bin/keyward-hsm-worker"
#define REACHING       KW_BINARY_DIR "/lib/hsm_reaching.so"
#define PATIENCE_MS    60000
#define SECCOMP_NONE   0
#define SECCOMP_FILTER 2

static struct hsm_fixture f;
static struct kw_loop *loop;
static struct kw_hsm_pool *pool;
static struct kw_timer patience;
static bool pool_gone;

static void out_of_patience(struct kw_timer *timer)
{
    (void)timer;
    cr_assert(false, "the pool did not get there in time");
}

#define RUN_UNTIL(condition)                                                                       \
    do {                                                                                           \
        while (!(condition)) {                                                                     \
            (void)uv_run(kw_loop_uv(loop), UV_RUN_ONCE);                                           \
        }                                                                                          \
    } while (0)

static void set_up(void)
{
    hsm_fixture_init(&f);
    kw_hsm_ceremony_free(f.ceremony);
    f.ceremony = NULL;
    cr_assert(kw_ok(kw_loop_new(&loop, NULL)));
    kw_timer_init(&patience, loop, out_of_patience);
    kw_timer_start(&patience, PATIENCE_MS, 0);
}

static void on_pool_gone(void *context)
{
    (void)context;
    pool_gone = true;
}

static void tear_down(void)
{
    if (pool != NULL) {
        kw_hsm_pool_close(pool, on_pool_gone, NULL);
        RUN_UNTIL(pool_gone);
    }
    kw_timer_close(&patience, NULL);
    kw_loop_stop(loop);
    kw_loop_run(loop);
    kw_loop_free(loop);
    hsm_fixture_done(&f);
}

TestSuite(hsm_sandbox, .init = set_up, .fini = tear_down);

static void pool_start(const char *module, enum kw_hsm_sandbox sandbox)
{
    struct kw_hsm_token t = softhsm_token(&f.softhsm);
    struct kw_hsm_settings settings = {WORKER,     t.provider,  module, t.token_label,
                                       t.pin_path, t.lock_path, 1,      sandbox};
    struct kw_error err = {0};

    cr_assert(kw_ok(kw_hsm_pool_new(loop, &settings, &(struct kw_hsm_events){0}, &pool, &err)),
              "%s", err.message);
}

static int seccomp_of_worker(void)
{
    char path[64];
    char line[256];
    int mode = -1;
    FILE *status;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", kw_hsm_child_pid(pool->workers[0].child));
    status = fopen(path, "re");
    cr_assert(ne(ptr, status, NULL));
    while (fgets(line, sizeof(line), status) != NULL) {
        (void)sscanf(line, "Seccomp: %d", &mode);
    }
    (void)fclose(status);
    return mode;
}

static bool is_ready(void)
{
    return pool->workers[0].state == KW_HSM_WORKER_READY;
}

Test(hsm_sandbox, strict_is_enough_for_softhsm)
{
    struct kw_hsm_token t = softhsm_token(&f.softhsm);

    pool_start(t.module_path, KW_HSM_SANDBOX_STRICT);
    RUN_UNTIL(is_ready());
    cr_assert(eq(int, seccomp_of_worker(), SECCOMP_FILTER));
}

Test(hsm_sandbox, a_worker_that_its_sandbox_ended_is_counted_and_replaced)
{
    pool_start(REACHING, KW_HSM_SANDBOX_STRICT);
    RUN_UNTIL(pool->stats.workers_started > 1);
    cr_assert(eq(i64, kw_metric_value(KW_M_SANDBOX_KILLS, "hsm-worker"), 1));
}

Test(hsm_sandbox, a_vendor_s_module_may_open_sockets)
{
    pool_start(REACHING, KW_HSM_SANDBOX_VENDOR);
    RUN_UNTIL(is_ready());
    cr_assert(eq(int, seccomp_of_worker(), SECCOMP_FILTER));
}

Test(hsm_sandbox, off_is_off)
{
    pool_start(REACHING, KW_HSM_SANDBOX_OFF);
    RUN_UNTIL(is_ready());
    cr_assert(eq(int, seccomp_of_worker(), SECCOMP_NONE));
}

Test(hsm_sandbox, an_end_by_another_signal_is_not_the_sandbox_s)
{
    pool_start(softhsm_token(&f.softhsm).module_path, KW_HSM_SANDBOX_STRICT);
    RUN_UNTIL(is_ready());
    cr_assert(eq(int, kill(kw_hsm_child_pid(pool->workers[0].child), SIGKILL), 0));
    RUN_UNTIL(pool->stats.workers_started > 1);
    cr_assert(eq(i64, kw_metric_value(KW_M_SANDBOX_KILLS, "hsm-worker"), 0));
}

Test(hsm_sandbox, modes_have_names)
{
    const enum kw_hsm_sandbox modes[] = {KW_HSM_SANDBOX_STRICT, KW_HSM_SANDBOX_VENDOR,
                                         KW_HSM_SANDBOX_OFF};
    enum kw_hsm_sandbox mode;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        cr_assert(kw_ok(kw_hsm_sandbox_parse(kw_hsm_sandbox_name(modes[i]), &mode, NULL)));
        cr_assert(eq(int, mode, modes[i]));
    }
    cr_assert(eq(int, kw_hsm_sandbox_parse("loose", &mode, NULL).reason, KW_E_CONFIG_INVALID));
}

/* --- a kernel that does not let a worker be held --- */

/* What the child may do between fork and exec; -1: nothing is refused. */
static void become_worker(int call, uint64_t first_argument)
{
    char *argv[] = {(char *)(uintptr_t)WORKER, "3", "strict", NULL};
    const struct scmp_arg_cmp condition = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = first_argument};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int nothing = open("/dev/null", O_RDONLY);

    if (filter == NULL || nothing < 0 || dup2(nothing, 3) < 0) {
        _exit(100);
    }
    if (call >= 0 &&
        (seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), call, 1, &condition) != 0 ||
         seccomp_load(filter) != 0)) {
        _exit(101);
    }
    (void)execv(WORKER, argv);
    _exit(102);
}

/* The exit code of a worker whose core has nothing to say. */
static int code_without(int call, uint64_t first_argument)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        become_worker(call, first_argument);
    }
    cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
    cr_assert(status >= 0 && WTERMSIG(status) == 0, "signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* A worker that would outlive its core, or die of its terminal's signals, does not begin. */
Test(hsm_sandbox, a_worker_that_cannot_be_tied_to_its_core_does_not_serve)
{
    const int whole = code_without(-1, 0);
    const int untied = code_without(SCMP_SYS(prctl), PR_SET_PDEATHSIG);
    const int mortal = code_without(SCMP_SYS(rt_sigaction), SIGPIPE);

    cr_expect(eq(int, whole, 0));
    cr_expect(eq(int, untied, 1));
    cr_expect(eq(int, mortal, 1));
}
