/* Every step of the pool and of its worker fails once (tests/fault_walk.sh): whoever asked is told, a worker that ended
 * is replaced, and the same question is answered afterwards. */
#include "common/base/clock.h"
#include "tests/component/hsm_fault.h"
#include "tests/support/faults.h"
#include "tests/support/must.h"

#define WORKER KW_BINARY_DIR "/bin/keyward-hsm-worker"
#define ROUNDS 3 /* a worker's later requests go other ways than its first */

TestSuite(hsm_walk, .init = fault_up, .fini = fault_down, .timeout = 500);

static struct kw_result pool_new(struct kw_error *err)
{
    struct kw_hsm_token t = softhsm_token(&fault.hsm.softhsm);
    struct kw_hsm_settings settings = {.worker_path = WORKER,
                                       .provider = t.provider,
                                       .module_path = t.module_path,
                                       .token_label = t.token_label,
                                       .pin_path = t.pin_path,
                                       .lock_path = t.lock_path,
                                       .workers = 1};
    struct kw_hsm_events events = {0};

    return kw_hsm_pool_new(fault.loop, &settings, &events, &fault.pool, err);
}

static void on_gone(void *context)
{
    *(bool *)context = true;
}

static void pool_close(void)
{
    bool gone = false;

    kw_hsm_pool_close(fault.pool, on_gone, &gone);
    FAULT_UNTIL(gone);
    fault.pool = NULL;
}

/* A pool that could be made gets its worker, whatever failed in the first one. */
static void start_walk(void)
{
    struct kw_error err = {0};
    bool fired;

    do {
        bool made;

        faults_arm();
        made = kw_ok(pool_new(&err));
        if (made) {
            FAULT_UNTIL(fault_ready_count() == 1);
        }
        fired = faults_disarm();
        REQUIRE(made || fired, "%s", err.message);
        if (made) {
            pool_close();
        }
    } while (fired);
}

static void ask_walk(const struct kw_hsm_request *request)
{
    enum kw_reason reason;
    bool fired;

    do {
        FAULT_UNTIL(fault_ready_count() == 1);
        faults_arm();
        reason = fault_ask(request);
        fired = faults_disarm();
        REQUIRE(reason == KW_E_NONE || fired, "%s after %s: %s", kw_hsm_op_name(request->op),
                kw_fault_plan()->last, kw_reason_row(reason)->name);
        REQUIRE(reason != KW_E_DEADLINE_EXCEEDED, "%s: nobody was told", kw_fault_plan()->last);
    } while (fired);
}

Test(hsm_walk, every_step_of_pool_and_worker_may_fail)
{
    struct kw_error err = {0};

    start_walk();
    REQUIRE(kw_ok(pool_new(&err)), "%s", err.message);
    for (size_t i = 0; i < ROUNDS * FAULT_OPS; i++) {
        ask_walk(&fault.ops[i % FAULT_OPS]);
    }
}
