/* The start of a worker, with each single answer of the HSM wrong, missing or refused: no worker starts on it, and the
 * next one does. Later, what signs is gone or does not answer. */
#include "services/cryptocore/hsm/self_test.h"
#include "tests/component/hsm_fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(hsm_fault_start, .init = fault_up, .fini = fault_down, .timeout = 300);

static enum kw_reason start(void)
{
    struct kw_hsm_token t = softhsm_token(&fault.hsm.softhsm);
    struct kw_hsm_token_settings s = {t.provider, P11_FAULT_MODULE, t.token_label, t.pin_path,
                                      t.lock_path};
    struct kw_result result = kw_hsm_module_open(&fault.module, &s, NULL);

    if (kw_ok(result)) {
        result = kw_hsm_session_open(&fault.session, &fault.module, KW_HSM_READ_ONLY, NULL);
    }
    if (kw_ok(result)) {
        result = kw_hsm_session_keys(&fault.session, NULL);
    }
    if (kw_ok(result)) {
        result = kw_hsm_self_test(&fault.session, NULL);
    }
    kw_hsm_session_close(&fault.session);
    kw_hsm_module_close(&fault.module);
    return result.reason;
}

/* Each call of one function, alone. Versions of the KEK that are not there may vanish, and so may the root, which one
 * region has and no service uses: that many starts succeed. */
static void every(enum p11_function function, enum p11_action action, CK_RV rv, unsigned harmless)
{
    uint64_t before = p11_fault_calls(&fault.p11, function);
    uint64_t calls;
    unsigned started = 0;

    cr_assert(eq(int, start(), KW_E_NONE));
    calls = p11_fault_calls(&fault.p11, function) - before;
    cr_assert(lt(u64, 0, calls));
    for (uint64_t n = 1; n <= calls; n++) {
        FAULT(.function = function, .action = action, .rv = rv, .first = n);
        started += start() == KW_E_NONE ? 1 : 0;
        cr_assert(eq(u64, p11_fault_hits(&fault.p11), 1), "call %lu", n);
        p11_fault_clear(&fault.p11);
    }
    cr_assert(le(u32, started, harmless), "%u starts in spite of %s", started,
              p11_function_name(function));
    cr_assert(eq(int, start(), KW_E_NONE));
}

Test(hsm_fault_start, no_wrong_answer_is_taken)
{
    every(P11_Sign, P11_FLIP, CKR_OK, 0);
    every(P11_WrapKey, P11_FLIP, CKR_OK, 0);
    every(P11_GetAttributeValue, P11_FLIP, CKR_OK, 0);
}

Test(hsm_fault_start, no_key_may_be_missing)
{
    every(P11_FindObjects, P11_VANISH, CKR_OK, KW_HSM_KEK_VERSIONS_MAX + 1);
}

/* A template that could not be tried does not hold. */
Test(hsm_fault_start, no_attempt_to_unwrap_may_go_unanswered)
{
    every(P11_UnwrapKey, P11_RETURN, CKR_DEVICE_ERROR, 0);
}

/* Nor one that lets a weakened key through: the last three attempts. */
Test(hsm_fault_start, no_attempt_to_unwrap_a_weak_key_may_succeed)
{
    uint64_t calls;

    fault_open();
    calls = p11_fault_calls(&fault.p11, P11_UnwrapKey);
    cr_assert(kw_ok(kw_hsm_self_test(&fault.session, NULL)));
    calls = p11_fault_calls(&fault.p11, P11_UnwrapKey) - calls;
    for (uint64_t n = calls - 2; n <= calls; n++) {
        FAULT(.function = P11_UnwrapKey, .rv = CKR_OK, .first = n);
        cr_expect(eq(int, kw_hsm_self_test(&fault.session, NULL).reason, KW_E_HSM_SELF_TEST));
        cr_expect(eq(u64, p11_fault_hits(&fault.p11), 1), "attempt %lu", n);
        p11_fault_clear(&fault.p11);
    }
}

/* What could not be found again is not there for this module: no other slot is tried. */
Test(hsm_fault_start, no_session_is_opened_on_a_token_that_is_gone)
{
    uint64_t opened;

    fault_open();
    FAULT(.function = P11_GetSlotList, .rv = CKR_GENERAL_ERROR, .every = 1);
    cr_expect(eq(int, kw_hsm_session_reconnect(&fault.session, NULL).reason, KW_E_HSM_UNAVAILABLE));
    p11_fault_clear(&fault.p11);
    kw_hsm_session_close(&fault.session);
    opened = p11_fault_calls(&fault.p11, P11_OpenSession);
    cr_expect(eq(int,
                 kw_hsm_session_open(&fault.session, &fault.module, KW_HSM_READ_ONLY, NULL).reason,
                 KW_E_HSM_UNAVAILABLE));
    cr_expect(eq(u64, p11_fault_calls(&fault.p11, P11_OpenSession), opened));
}

static const struct kw_hsm_request *leaf(void)
{
    for (size_t i = 0; i < FAULT_OPS; i++) {
        if (fault.ops[i].op == KW_HSM_ISSUE_CERTIFICATE) {
            return &fault.ops[i];
        }
    }
    return NULL;
}

Test(hsm_fault_start, a_signing_key_that_is_gone_later_is_missing)
{
    fault_open();
    FAULT(.function = P11_FindObjects, .action = P11_VANISH, .every = 1);
    cr_expect(ne(int, fault_run(leaf()), KW_E_NONE));
    p11_fault_clear(&fault.p11);
    cr_expect(eq(int, fault_run(leaf()), KW_E_NONE));
}

Test(hsm_fault_start, a_signature_that_does_not_come_is_the_hsm_s_trouble)
{
    fault_open();
    FAULT(.function = P11_Sign, .action = P11_RETURN, .rv = CKR_DEVICE_ERROR, .every = 1);
    cr_expect(eq(int, fault_run(leaf()), KW_E_HSM_UNAVAILABLE));
    p11_fault_clear(&fault.p11);
}
