/* How tightly workers are held is a setting: what each mode does to a module that opens a socket,
 * and what the pool makes of a worker that its sandbox has ended. */
#include "common/base/metrics.h"
#include "services/cryptocore/hsm/pool_internal.h"
#include "tests/component/hsm_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>

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
