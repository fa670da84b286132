/* Workers whose HSM fails as it is told: each class of PKCS#11 code, lost sessions, a token that goes and comes back,
 * hangs, crashes, a wiped token. Nothing here depends on how fast it goes; what is measured is printed. */
#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "tests/component/hsm_fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define GENERATE (&fault.ops[0])
#define RELEASE  (&fault.ops[1])

TestSuite(hsm_fault_pool, .init = fault_up, .fini = fault_down, .timeout = 300);

static void say(const char *what, uint64_t since_ns)
{
    cr_log_info("%s after %.2f s\n", what, (double)(kw_clock_mono_ns() - since_ns) / KW_NS_PER_S);
}

/* C_WrapKey of a derivation, once: no probe and no other operation comes between. */
static enum kw_reason wrap_fails(CK_RV rv, uint64_t every)
{
    enum kw_reason reason;

    FAULT(.function = P11_WrapKey, .rv = rv, .every = every);
    reason = fault_ask(RELEASE);
    cr_assert(ge(u64, p11_fault_hits(&fault.p11), 1), "0x%lx was not reached", rv);
    p11_fault_clear(&fault.p11);
    return reason;
}

Test(hsm_fault_pool, a_session_code_costs_one_repetition)
{
    static const CK_RV codes[] = {CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED,
                                  CKR_USER_NOT_LOGGED_IN,     CKR_OPERATION_ACTIVE,
                                  CKR_OBJECT_HANDLE_INVALID,  CKR_KEY_HANDLE_INVALID};

    fault_pool_start(1);
    for (size_t i = 0; i < KW_CK_COUNT(codes); i++) {
        uint64_t logins = p11_fault_calls(&fault.p11, P11_Login);

        cr_assert(eq(int, wrap_fails(codes[i], 0), KW_E_NONE), "0x%lx", codes[i]);
        cr_assert(eq(u64, p11_fault_calls(&fault.p11, P11_Login), logins + 1), "0x%lx", codes[i]);
    }
    cr_assert(eq(u64, fault.pool->stats.workers_lost, 0));
    cr_assert(le(i64, fault_held(0).sessions, 2));
}

Test(hsm_fault_pool, a_session_lost_twice_in_one_operation_costs_the_worker)
{
    fault_pool_start(1);
    cr_assert(eq(int, wrap_fails(CKR_SESSION_HANDLE_INVALID, 1), KW_E_HSM_UNAVAILABLE));
    FAULT_UNTIL(fault.pool->stats.workers_lost == 1 && fault_ready_count() == 1);
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE));
}

/* The canary is there, the key is not where it should be: an incident, and never an end of a key. */
Test(hsm_fault_pool, a_handle_that_stays_lost_is_a_missing_key)
{
    fault_pool_start(1);
    cr_assert(eq(int, wrap_fails(CKR_KEY_HANDLE_INVALID, 1), KW_E_HSM_KEY_MISSING));
    cr_assert(eq(i64, kw_metric_value(KW_M_HSM_INCIDENTS, "hsm_key"), 1));
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE));
    cr_assert(eq(u64, fault.pool->stats.workers_lost, 0));
}

Test(hsm_fault_pool, a_device_code_costs_the_worker)
{
    static const CK_RV codes[] = {CKR_DEVICE_ERROR,
                                  CKR_DEVICE_REMOVED,
                                  CKR_TOKEN_NOT_PRESENT,
                                  CKR_TOKEN_NOT_RECOGNIZED,
                                  CKR_GENERAL_ERROR,
                                  CKR_FUNCTION_FAILED,
                                  CKR_CRYPTOKI_NOT_INITIALIZED};

    fault_pool_start(1);
    for (size_t i = 0; i < KW_CK_COUNT(codes); i++) {
        cr_assert(eq(int, wrap_fails(codes[i], 0), KW_E_HSM_UNAVAILABLE), "0x%lx", codes[i]);
        FAULT_UNTIL(fault.pool->stats.workers_lost == i + 1 && fault_ready_count() == 1);
        cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE), "after 0x%lx", codes[i]);
    }
}

static void costs_the_request(const CK_RV *codes, size_t count, enum kw_reason expected)
{
    fault_pool_start(1);
    for (size_t i = 0; i < count; i++) {
        uint64_t wraps = p11_fault_calls(&fault.p11, P11_WrapKey);

        cr_assert(eq(int, wrap_fails(codes[i], 1), expected), "0x%lx", codes[i]);
        cr_assert(eq(u64, p11_fault_calls(&fault.p11, P11_WrapKey), wraps + 1),
                  "0x%lx was tried again", codes[i]);
        cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE), "after 0x%lx", codes[i]);
    }
    cr_assert(eq(u64, fault.pool->stats.workers_lost, 0));
}

Test(hsm_fault_pool, a_load_code_sheds_the_request_and_is_not_tried_again)
{
    static const CK_RV codes[] = {CKR_DEVICE_MEMORY, CKR_SESSION_COUNT, CKR_HOST_MEMORY};

    costs_the_request(codes, KW_CK_COUNT(codes), KW_E_HSM_BUSY);
}

Test(hsm_fault_pool, a_data_code_fails_the_request_and_is_not_tried_again)
{
    static const CK_RV codes[] = {CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE,
                                  CKR_MECHANISM_INVALID,      CKR_MECHANISM_PARAM_INVALID,
                                  CKR_SIGNATURE_INVALID,      CKR_FUNCTION_REJECTED};

    costs_the_request(codes, KW_CK_COUNT(codes), KW_E_HSM);
}

Test(hsm_fault_pool, sessions_lost_again_and_again_fail_nothing_and_double_nothing)
{
    fault_pool_start(1);
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE));
    FAULT(.function = P11_ANY, .action = P11_LOSE, .rv = CKR_SESSION_HANDLE_INVALID, .first = 7,
          .every = 151);
    for (int i = 0; i < 20; i++) {
        cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE), "release %d", i);
        cr_assert(eq(int, fault_ask(GENERATE), KW_E_NONE), "generation %d", i);
    }
    cr_assert(ge(u64, p11_fault_hits(&fault.p11), 5));
    p11_fault_clear(&fault.p11);
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE));
    cr_assert(eq(u64, fault.pool->stats.workers_lost, 0));
    cr_assert(eq(u64, fault.p11.page->token_objects, 0));
    cr_assert(eq(i64, fault_held(0).sessions, 1));
    cr_assert(eq(i64, fault_held(0).objects, 2)); /* copies of KEK and MAC key */
}

static void gone_and_back(CK_RV rv)
{
    uint64_t start_ns = kw_clock_mono_ns();
    struct fault_call call;

    FAULT(.function = P11_ANY, .rv = rv, .every = 1);
    FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_DOWN);
    say("not serving", start_ns);
    fault_submit(&call, RELEASE, 1000);
    cr_assert(call.done, "the circuit is open");
    cr_assert(eq(int, call.reason, KW_E_HSM_UNAVAILABLE));
    FAULT_UNTIL(fault.pool->workers[0].backoff_ms == KW_HSM_RESTART_MAX_MS); /* gone for long */
    cr_assert(le(u64, KW_HSM_RESTART_MAX_MS, 1000), "longer would not be back within 2 s");
    p11_fault_clear(&fault.p11);
    start_ns = kw_clock_mono_ns();
    FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_READY);
    say("serving again", start_ns);
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE));
}

Test(hsm_fault_pool, a_token_that_goes_opens_the_circuit_until_it_is_back)
{
    fault_pool_start(2);
    gone_and_back(CKR_DEVICE_REMOVED);
}

Test(hsm_fault_pool, a_hang_costs_one_worker_at_the_deadline)
{
    struct fault_call call;

    fault_pool_start(2);
    FAULT(.function = P11_WrapKey, .action = P11_HANG, .first = 1);
    do { /* a slow machine may be late already when it begins */
        fault_submit(&call, RELEASE, 500);
        FAULT_UNTIL(call.done || p11_fault_hits(&fault.p11) == 1);
    } while (p11_fault_hits(&fault.p11) == 0);
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE)); /* the other one serves */
    FAULT_UNTIL(call.done);
    cr_assert(eq(int, call.reason, KW_E_DEADLINE_EXCEEDED));
    FAULT_UNTIL(fault.pool->stats.workers_lost == 1 && fault_ready_count() == 2);
    cr_assert(eq(u64, fault.pool->stats.workers_started, 3));
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE));
}

Test(hsm_fault_pool, a_crash_is_made_good_elsewhere_but_for_what_is_not_idempotent)
{
    fault_pool_start(2);
    FAULT(.function = P11_WrapKey, .action = P11_CRASH);
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_NONE));
    cr_assert(eq(u64, fault.pool->stats.retried, 1));
    p11_fault_clear(&fault.p11);
    FAULT_UNTIL(fault_ready_count() == 2);
    FAULT(.function = P11_WrapKey, .action = P11_CRASH);
    cr_assert(eq(int, fault_ask(GENERATE), KW_E_HSM_UNAVAILABLE));
    FAULT_UNTIL(fault.pool->stats.workers_lost == 2 && fault_ready_count() == 2);
    cr_assert(eq(u64, fault.pool->stats.retried, 1));
    cr_assert(eq(u64, fault.p11.page->token_objects, 0));
}

/* The token answers and has no objects: an incident, nothing is made anew, and all is as before when they are back. */
Test(hsm_fault_pool, a_wiped_token_is_an_incident_and_ends_no_key)
{
    struct fault_call before;
    struct fault_call after;

    fault_pool_start(1);
    fault_submit(&before, RELEASE, 10000);
    FAULT_UNTIL(before.done);
    FAULT(.function = P11_FindObjects, .action = P11_VANISH, .every = 1);
    FAULT(.function = P11_SignInit, .rv = CKR_KEY_HANDLE_INVALID, .every = 1);
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_HSM_UNAVAILABLE));
    FAULT_UNTIL(fault.pool->trouble == KW_E_HSM_KEY_MISSING &&
                kw_hsm_pool_state(fault.pool) == KW_HSM_DOWN);
    cr_assert(eq(int, fault_ask(RELEASE), KW_E_HSM_KEY_MISSING));
    cr_assert(eq(int, fault_ask(GENERATE), KW_E_HSM_KEY_MISSING));
    cr_assert(ge(i64, kw_metric_value(KW_M_HSM_INCIDENTS, "hsm_key"), 1));
    p11_fault_clear(&fault.p11);
    FAULT_UNTIL(kw_hsm_pool_state(fault.pool) == KW_HSM_READY);
    fault_submit(&after, RELEASE, 10000);
    FAULT_UNTIL(after.done);
    cr_assert(eq(int, after.reason, KW_E_NONE));
    cr_assert(
        kw_bytes_equal(KW_BYTES_OF(before.derived.wrapped), KW_BYTES_OF(after.derived.wrapped)));
    cr_assert(eq(u64, fault.p11.page->token_objects, 0));
}
