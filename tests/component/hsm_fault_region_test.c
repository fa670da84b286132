/* The HSM's part of a further region's ceremony fails at any PKCS#11 call: all or nothing, and what was there stays. */
#include "services/cryptocore/hsm/ceremony.h"
#include "tests/support/hsm_region.h"
#include "tests/support/must.h"
#include "tests/support/p11/fault.h"

#include "services/cryptocore/hsm/pkcs11.h"

/* Every so many calls; all of them in the slow binary. */
#ifndef FAULT_STEP
#define FAULT_STEP 23
#endif

#define PREPARED 12 /* objects: six key pairs */
#define RECEIVED 3  /* KEK, MAC key, canary */

static struct hsm_region region;
static struct p11_fault p11;

static void up(void)
{
    hsm_region_init(&region);
    p11_fault_init(&p11, region.softhsm.dir, softhsm_token(&region.softhsm).module_path);
}

static void down(void)
{
    p11_fault_done(&p11);
    hsm_region_done(&region);
}

TestSuite(hsm_fault_region, .init = up, .fini = down, .timeout = 900);

static struct kw_result receive_and_finish(struct kw_hsm_ceremony *ceremony, struct kw_error *err)
{
    struct kw_result result;

    KW_TRY(kw_hsm_ceremony_receive(ceremony, &region.carried, kw_bytes_str(HSM_REGION_INFO), err));
    result = kw_hsm_ceremony_finish(ceremony, err);
    if (!kw_ok(result)) {
        kw_hsm_ceremony_unmake(ceremony);
    }
    return result;
}

/* One step in a module of its own, as its subcommand runs it. */
static enum kw_reason hold(struct kw_result (*step)(struct kw_hsm_ceremony *ceremony,
                                                    struct kw_error *err))
{
    const struct kw_hsm_token token = hsm_region_token(&region, P11_FAULT_MODULE);
    struct kw_hsm_ceremony *ceremony;
    enum kw_reason reason = kw_hsm_ceremony_new(&token, &ceremony, NULL).reason;

    if (reason == KW_E_NONE) {
        reason = step(ceremony, NULL).reason;
        kw_hsm_ceremony_free(ceremony);
    }
    return reason;
}

/* Ends with the first attempt that succeeds: the fault came too late, or did no harm. */
static void fail_every(CK_RV rv, enum p11_action action,
                       struct kw_result (*step)(struct kw_hsm_ceremony *ceremony,
                                                struct kw_error *err))
{
    const int before = hsm_region_objects(&region);
    enum kw_reason reason;
    uint64_t n = 1;

    do {
        p11_fault_clear(&p11);
        p11_fault_set(
            &p11, &(struct p11_plan){.function = P11_ANY, .action = action, .rv = rv, .first = n});
        reason = hold(step);
        cr_assert(reason != KW_E_ALREADY_EXISTS && reason != KW_E_INTERNAL, "call %lu", n);
        cr_assert(reason == KW_E_NONE || hsm_region_objects(&region) == before, "call %lu: %s", n,
                  kw_reason_row(reason)->name);
        n += FAULT_STEP;
    } while (reason != KW_E_NONE);
    p11_fault_clear(&p11);
    cr_assert(lt(u64, 40, n), "ended at call %lu", n);
}

static struct kw_result take_away(struct kw_hsm_ceremony *ceremony, struct kw_error *err)
{
    (void)err;
    kw_hsm_ceremony_unmake(ceremony);
    return KW_OK;
}

Test(hsm_fault_region, a_device_error_at_any_call_makes_nothing)
{
    int before = hsm_region_objects(&region);

    fail_every(CKR_DEVICE_ERROR, P11_RETURN, kw_hsm_ceremony_prepare);
    cr_assert(eq(int, hsm_region_objects(&region), before + PREPARED));
    cr_assert(eq(int, hold(take_away), KW_E_NONE)); /* another run's: it stays */
    cr_assert(eq(int, hsm_region_objects(&region), before + PREPARED));
}

Test(hsm_fault_region, a_session_lost_at_any_call_makes_nothing)
{
    fail_every(CKR_SESSION_HANDLE_INVALID, P11_LOSE, kw_hsm_ceremony_prepare);
}

Test(hsm_fault_region, a_device_error_at_any_call_brings_nothing)
{
    int before;

    hsm_region_prepare(&region);
    before = hsm_region_objects(&region);
    fail_every(CKR_DEVICE_ERROR, P11_RETURN, receive_and_finish);
    cr_assert(ge(int, hsm_region_objects(&region), before + RECEIVED - 2)); /* the carrier went */
    cr_assert(eq(int, hold(receive_and_finish), KW_E_ALREADY_EXISTS));
}

Test(hsm_fault_region, a_session_lost_at_any_call_brings_nothing)
{
    hsm_region_prepare(&region);
    fail_every(CKR_SESSION_HANDLE_INVALID, P11_LOSE, receive_and_finish);
}

/* A shared secret that stays in the session, readable: no ceremony ends so. */
Test(hsm_fault_region, a_shared_secret_that_stays_ends_the_ceremony)
{
    int before;

    hsm_region_prepare(&region);
    before = hsm_region_objects(&region);
    p11_fault_set(&p11, &(struct p11_plan){
                            .function = P11_DestroyObject, .rv = CKR_FUNCTION_FAILED, .first = 1});
    cr_expect(eq(int, hold(receive_and_finish), KW_E_HSM));
    cr_expect(eq(u64, p11_fault_hits(&p11), 1));
    cr_expect(eq(int, hsm_region_objects(&region), before));
}

Test(hsm_fault_region, a_token_that_waits_for_no_keys_takes_none_and_says_who_it_is)
{
    const struct kw_hsm_token token = hsm_region_token(&region, P11_FAULT_MODULE);
    struct kw_hsm_ceremony *ceremony;
    struct kw_hsm_token_info info;

    MUST(kw_hsm_ceremony_new(&token, &ceremony, err));
    cr_expect(eq(int,
                 kw_hsm_ceremony_receive(ceremony, &region.carried, KW_BYTES_NONE, NULL).reason,
                 KW_E_HSM_KEY_MISSING));
    MUST(kw_hsm_ceremony_token(ceremony, &info, err));
    cr_expect(eq(str, info.label, HSM_REGION_TOKEN));
    cr_expect(ne(str, info.serial, ""));
    p11_fault_set(&p11, &(struct p11_plan){
                            .function = P11_GetTokenInfo, .rv = CKR_TOKEN_NOT_PRESENT, .every = 1});
    cr_expect(eq(int, kw_hsm_ceremony_token(ceremony, &info, NULL).reason, KW_E_HSM_UNAVAILABLE));
    p11_fault_clear(&p11);
    kw_hsm_ceremony_free(ceremony);
}

/* A token whose keys are not the mesh's compares nothing well. */
Test(hsm_fault_region, carried_keys_are_compared_with_the_token_s)
{
    struct kw_hsm_token token = softhsm_token(&region.softhsm);
    struct kw_hsm_ceremony *ceremony;

    hsm_region_prepare(&region);
    MUST(kw_hsm_ceremony_new(&token, &ceremony, err));
    cr_expect(eq(int, kw_hsm_ceremony_compare(ceremony, &region.carried, NULL).reason, KW_E_NONE));
    region.carried.kek_proof[0] ^= 1;
    cr_expect(eq(int, kw_hsm_ceremony_compare(ceremony, &region.carried, NULL).reason,
                 KW_E_BINDING_INVALID));
    region.carried.mac.check[0] ^= 1;
    cr_expect(eq(int, kw_hsm_ceremony_compare(ceremony, &region.carried, NULL).reason,
                 KW_E_BINDING_INVALID));
    kw_hsm_ceremony_free(ceremony);
}
