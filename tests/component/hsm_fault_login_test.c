/* The PIN: one attempt for each, by all workers and over all restarts, and another one needs no restart. */
#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "tests/component/hsm_fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <unistd.h>

#define PIN     "a test PIN of 24 letters"
#define NEW_PIN "another PIN, of 26 letters"

TestSuite(hsm_fault_login, .init = fault_up, .fini = fault_down, .timeout = 300);

static uint64_t logins(void)
{
    return p11_fault_calls(&fault.p11, P11_Login);
}

static void on_gone(void *context)
{
    *(bool *)context = true;
}

static void pool_end(void)
{
    bool gone = false;

    kw_hsm_pool_close(fault.pool, on_gone, &gone);
    FAULT_UNTIL(gone);
    fault.pool = NULL;
}

/* As the core stops and starts again. */
static void pool_again(unsigned workers)
{
    pool_end();
    fault_pool_new(workers);
}

Test(hsm_fault_login, a_wrong_pin_is_tried_once_by_all_workers_and_restarts)
{
    softhsm_pin_write(&fault.hsm.softhsm, "a wrong PIN, 16 letters");
    fault_pool_new(4);
    FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_LOGIN_REFUSED);
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_HSM_LOGIN_REFUSED));
    cr_assert(eq(i64, kw_metric_value(KW_M_HSM_INCIDENTS, "hsm_login"), 1));
    for (int i = 0; i < 3; i++) {
        pool_again(4);
        FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_LOGIN_REFUSED);
    }
    cr_assert(eq(u64, logins(), 1));
}

Test(hsm_fault_login, a_corrected_pin_needs_no_restart)
{
    softhsm_pin_write(&fault.hsm.softhsm, "a wrong PIN, 16 letters");
    fault_pool_new(2);
    FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_LOGIN_REFUSED);
    softhsm_pin_write(&fault.hsm.softhsm, PIN);
    FAULT_UNTIL(fault_ready_count() == 2);
    cr_assert(eq(u64, logins(), 3));
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_NONE));
}

/* Also codes that nobody knows: the token may have counted the attempt. */
Test(hsm_fault_login, every_refusal_of_a_login_is_one_attempt)
{
    static const CK_RV codes[] = {CKR_PIN_INCORRECT, CKR_PIN_LOCKED,  CKR_PIN_INVALID,
                                  CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED, 0x80001234};

    FAULT(.function = P11_Login, .rv = codes[0], .every = 1);
    fault_pool_new(2);
    for (size_t i = 0; i < KW_CK_COUNT(codes); i++) {
        FAULT_UNTIL(logins() == i + 1 && kw_hsm_pool_state(fault.pool) == KW_HSM_LOGIN_REFUSED);
        cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_HSM_LOGIN_REFUSED), "0x%lx", codes[i]);
        p11_fault_clear(&fault.p11);
        FAULT(.function = P11_Login, .rv = codes[(i + 1) % KW_CK_COUNT(codes)], .every = 1);
        pool_again(2);
        FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_LOGIN_REFUSED);
        cr_assert(eq(u64, logins(), i + 1), "a new pool tried again after 0x%lx", codes[i]);
        softhsm_pin_write(&fault.hsm.softhsm, PIN);
    }
}

/* It looked at none: the next worker tries again, as after any trouble of the device. */
Test(hsm_fault_login, a_token_that_knows_no_pin_for_a_moment_refuses_none)
{
    FAULT(.function = P11_Login, .rv = CKR_USER_PIN_NOT_INITIALIZED, .first = logins() + 1);
    fault_pool_new(2);
    FAULT_UNTIL(fault_ready_count() == 2);
    cr_assert(eq(u64, p11_fault_hits(&fault.p11), 1));
    cr_assert(eq(u64, logins(), 3));
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_NONE));
}

static void pin_change(void)
{
    struct kw_hsm_token t = softhsm_token(&fault.hsm.softhsm);
    struct kw_hsm_token_settings s = {t.provider, P11_FAULT_MODULE, t.token_label, t.pin_path,
                                      t.lock_path};

    cr_assert(kw_ok(kw_hsm_module_open(&fault.module, &s, NULL)));
    cr_assert(kw_ok(kw_hsm_session_open(&fault.session, &fault.module, KW_HSM_READ_WRITE, NULL)));
    cr_assert(eq(ulong,
                 fault.module.functions->C_SetPIN(fault.session.handle, (CK_BYTE *)(uintptr_t)PIN,
                                                  strlen(PIN), (CK_BYTE *)(uintptr_t)NEW_PIN,
                                                  strlen(NEW_PIN)),
                 CKR_OK));
    softhsm_pin_write(&fault.hsm.softhsm, NEW_PIN);
}

Test(hsm_fault_login, a_rotated_pin_is_used_by_the_next_worker_while_the_others_serve)
{
    fault_pool_start(2);
    pin_change();
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_NONE));
    for (unsigned i = 0; i < 2; i++) {
        cr_assert(eq(int, kill(kw_hsm_child_pid(fault.pool->workers[i].child), SIGKILL), 0));
        FAULT_UNTIL(fault.pool->stats.workers_lost == i + 1 && fault_ready_count() == 2);
        cr_assert(eq(int, kw_hsm_pool_state(fault.pool), KW_HSM_READY));
    }
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_NONE));
}

/* The lock file becomes one that cannot be written, as on a full disk. */
static void record_fails(void)
{
    const char *lock = softhsm_token(&fault.hsm.softhsm).lock_path;

    (void)unlink(lock);
    cr_assert(eq(int, symlink("/dev/full", lock), 0));
}

static void record_works(void)
{
    cr_assert(eq(int, unlink(softhsm_token(&fault.hsm.softhsm).lock_path), 0));
}

Test(hsm_fault_login, without_a_record_there_is_no_attempt)
{
    record_fails();
    softhsm_pin_write(&fault.hsm.softhsm, "a wrong PIN, 16 letters");
    fault_pool_new(2);
    FAULT_UNTIL(fault.pool->stats.workers_lost >= 3);
    cr_assert(eq(u64, logins(), 0));
    softhsm_pin_write(&fault.hsm.softhsm, PIN);
    record_works();
    FAULT_UNTIL(fault_ready_count() == 2);
}

/* Killed in the middle of it: the token may have counted the attempt. */
Test(hsm_fault_login, attempts_whose_end_nobody_saw_are_two)
{
    FAULT(.function = P11_Login, .action = P11_CRASH, .every = 1);
    fault_pool_new(2);
    FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_LOGIN_REFUSED);
    cr_assert(eq(u64, logins(), 2));
    pool_again(2);
    FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_LOGIN_REFUSED);
    cr_assert(eq(u64, logins(), 2));
    p11_fault_clear(&fault.p11);
    softhsm_pin_write(&fault.hsm.softhsm, PIN);
    FAULT_UNTIL(fault_ready_count() == 2);
}

Test(hsm_fault_login, attempts_that_may_have_been_counted_are_two)
{
    static const CK_RV codes[] = {CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED};

    for (size_t i = 0; i < KW_CK_COUNT(codes); i++) {
        uint64_t before = logins();

        FAULT(.function = P11_Login, .rv = codes[i], .every = 1);
        softhsm_pin_write(&fault.hsm.softhsm, PIN);
        fault_pool_new(2);
        FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_LOGIN_REFUSED);
        cr_assert(eq(u64, logins(), before + 2), "0x%lx", codes[i]);
        p11_fault_clear(&fault.p11);
        softhsm_pin_write(&fault.hsm.softhsm, PIN);
        FAULT_UNTIL(fault_ready_count() == 2);
        pool_end();
    }
}

/* An unclear attempt is forgotten when the next one succeeds. */
Test(hsm_fault_login, attempts_are_counted_in_a_row)
{
    for (int i = 0; i < 3; i++) {
        FAULT(.function = P11_Login, .rv = CKR_GENERAL_ERROR);
        fault_pool_start(1);
        cr_assert(eq(u64, fault.pool->stats.workers_lost, 1));
        p11_fault_clear(&fault.p11);
        pool_end();
    }
}

/* It answers fast, so that it would get most of the calls. */
Test(hsm_fault_login, a_worker_that_cannot_log_in_again_does_not_stay_in_service)
{
    fault_pool_start(2);
    softhsm_pin_write(&fault.hsm.softhsm, "a wrong PIN, 16 letters");
    FAULT(.function = P11_WrapKey, .action = P11_LOSE, .rv = CKR_SESSION_HANDLE_INVALID);
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_HSM_LOGIN_REFUSED));
    FAULT_UNTIL(fault.pool->login_refused && fault_ready_count() == 1);
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_NONE));
}

/* A start of another worker sees the new PIN first; who waits for it is started all the same. */
Test(hsm_fault_login, a_corrected_pin_is_seen_by_all_whoever_starts_first)
{
    struct kw_hsm_worker *workers;

    fault_pool_start(2);
    workers = fault.pool->workers;
    softhsm_pin_write(&fault.hsm.softhsm, "a wrong PIN, 16 letters");
    cr_assert(eq(int, kill(kw_hsm_child_pid(workers[0].child), SIGKILL), 0));
    FAULT_UNTIL(fault.pool->login_refused && workers[0].state == KW_HSM_WORKER_IDLE);
    kw_timer_stop(&workers[0].timer);
    softhsm_pin_write(&fault.hsm.softhsm, PIN);
    workers[1].state = KW_HSM_WORKER_RETIRING;
    kw_hsm_child_kill(workers[1].child);
    FAULT_UNTIL(fault_ready_count() == 2);
}
