/* A ceremony that fails at any PKCS#11 call: all keys or none, and the token is fresh for the next try. */
#include "common/crypto/key.h"
#include "services/cryptocore/hsm/fresh_token.h"
#include "services/cryptocore/hsm/pkcs11.h"
#include "tests/support/p11/fault.h"
#include "tests/support/softhsm.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every so many calls; all of them in the slow binary. */
#ifndef FAULT_STEP
#define FAULT_STEP 41
#endif

static struct softhsm softhsm;
static struct p11_fault p11;
static struct kw_spki recovery;

static void up(void)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};

    softhsm_init(&softhsm);
    p11_fault_init(&p11, softhsm.dir, softhsm_token(&softhsm).module_path);
    cr_assert(kw_ok(kw_private_key_generate(&key, KW_CURVE_P384, NULL)));
    cr_assert(kw_ok(kw_private_key_public(&key, &public, NULL)));
    cr_assert(kw_ok(kw_public_key_spki(&public, &recovery, NULL)));
}

static void down(void)
{
    p11_fault_done(&p11);
    softhsm_done(&softhsm);
}

TestSuite(hsm_fault_ceremony, .init = up, .fini = down, .timeout = 900);

/* One ceremony in a process of its own module, as `init` runs it. */
static enum kw_reason hold(bool *ret_opened)
{
    KW_SCOPED(kw_hsm_keys_made_done) struct kw_hsm_keys_made made = {0};
    struct kw_hsm_token token = softhsm_token(&softhsm);
    struct kw_hsm_ceremony *ceremony;
    enum kw_reason reason;

    token.module_path = P11_FAULT_MODULE;
    reason = kw_hsm_ceremony_new(&token, &ceremony, NULL).reason;
    *ret_opened = reason == KW_E_NONE;
    if (*ret_opened) {
        reason = kw_hsm_ceremony_make(ceremony, kw_spki_bytes(&recovery), &made, NULL).reason;
        kw_hsm_ceremony_free(ceremony);
    }
    return reason;
}

static void fail_every(CK_RV rv, enum p11_action action)
{
    uint64_t n = 1;
    bool opened;

    for (enum kw_reason reason = KW_E_INTERNAL; reason != KW_E_NONE; n += FAULT_STEP) {
        p11_fault_clear(&p11);
        p11_fault_set(
            &p11, &(struct p11_plan){.function = P11_ANY, .action = action, .rv = rv, .first = n});
        reason = hold(&opened);
        cr_assert(reason != KW_E_ALREADY_EXISTS, "call %lu left something", n - FAULT_STEP);
        cr_assert(reason != KW_E_INTERNAL, "call %lu", n);
        if (reason == KW_E_NONE && p11_fault_hits(&p11) > 0) {
            break; /* a failure that did no harm: now the token has its keys */
        }
        cr_assert(eq(u64, p11_fault_hits(&p11), reason == KW_E_NONE ? 0 : 1), "call %lu", n);
    }
    p11_fault_clear(&p11);
    cr_assert(lt(u64, 60, n), "ended at call %lu", n);
    cr_assert(eq(int, hold(&opened), KW_E_ALREADY_EXISTS));
}

/* A module that does not come up, or whose slots cannot be looked at, is closed again, and the next try works. */
Test(hsm_fault_ceremony, a_module_that_does_not_come_up_is_unavailable)
{
    static const enum p11_function functions[] = {P11_Initialize, P11_GetSlotList, P11_OpenSession};
    bool opened;

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        p11_fault_set(&p11, &(struct p11_plan){.function = functions[i],
                                               .action = P11_RETURN,
                                               .rv = CKR_GENERAL_ERROR,
                                               .every = 1});
        cr_expect(eq(int, hold(&opened), KW_E_HSM_UNAVAILABLE), "%s",
                  p11_function_name(functions[i]));
        cr_expect(not(opened));
        p11_fault_clear(&p11);
    }
    cr_expect(eq(int, hold(&opened), KW_E_NONE));
}

/* Nor one that gives no functions, or that libp11 cannot bring up once more. */
Test(hsm_fault_ceremony, a_module_that_libp11_cannot_use_is_unavailable)
{
    char page[P11_PATH_SIZE];
    bool opened;

    (void)snprintf(page, sizeof(page), "%s", getenv(P11_PAGE_ENV));
    cr_assert(eq(int, unsetenv(P11_PAGE_ENV), 0));
    cr_expect(eq(int, hold(&opened), KW_E_HSM_UNAVAILABLE), "no C_GetFunctionList");
    cr_assert(eq(int, setenv(P11_PAGE_ENV, page, 1), 0));
    p11_fault_set(
        &p11, &(struct p11_plan){.function = P11_Initialize, .rv = CKR_GENERAL_ERROR, .first = 2});
    cr_expect(eq(int, hold(&opened), KW_E_HSM_UNAVAILABLE));
    cr_expect(not(opened));
    cr_expect(eq(u64, p11_fault_hits(&p11), 1));
}

Test(hsm_fault_ceremony, a_module_without_a_free_slot_gets_no_token)
{
    struct kw_hsm_token t = softhsm_token(&softhsm);

    p11_fault_set(&p11, &(struct p11_plan){
                            .function = P11_GetTokenInfo, .rv = CKR_TOKEN_NOT_PRESENT, .every = 1});
    cr_expect(eq(
        int, kw_hsm_fresh_token(P11_FAULT_MODULE, "another", t.pin_path, t.pin_path, NULL).reason,
        KW_E_HSM_UNAVAILABLE));
    cr_expect(eq(u64, p11_fault_calls(&p11, P11_InitToken), 0));
    p11_fault_clear(&p11);
    cr_expect(kw_ok(kw_hsm_fresh_token(P11_FAULT_MODULE, "another", t.pin_path, t.pin_path, NULL)));
}

/* The refusal is what counts, and it must be remembered: a lock file that takes nothing is a failure of its own. */
Test(hsm_fault_ceremony, a_refused_pin_that_cannot_be_remembered_is_told)
{
    struct kw_hsm_token token = softhsm_token(&softhsm);
    struct kw_hsm_ceremony *ceremony;

    softhsm_pin_write(&softhsm, "not the PIN");
    token.lock_path = "/dev/full";
    cr_assert(eq(int, kw_hsm_ceremony_new(&token, &ceremony, NULL).reason, KW_E_SYSTEM));
}

Test(hsm_fault_ceremony, a_device_error_at_any_call_leaves_the_token_fresh)
{
    fail_every(CKR_DEVICE_ERROR, P11_RETURN);
}

Test(hsm_fault_ceremony, a_session_lost_at_any_call_leaves_the_token_fresh)
{
    fail_every(CKR_SESSION_HANDLE_INVALID, P11_LOSE);
}

/* --- what another ceremony made --- */

#define PATH_SIZE 256

static int object_files;

static int object_file_count(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    object_files += strstr(path, ".object") != NULL;
    return 0;
}

static int objects_in(const char *tokens)
{
    object_files = 0;
    cr_assert(eq(int, nftw(tokens, object_file_count, 8, FTW_PHYS), 0));
    return object_files;
}

static void copy(const char *from, const char *to)
{
    char *argv[] = {"cp", "-a", (char *)(uintptr_t)from, (char *)(uintptr_t)to, NULL};
    pid_t pid;
    int status;

    cr_assert(eq(int, posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0));
    cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static struct kw_hsm_ceremony *ceremony_held(void)
{
    KW_SCOPED(kw_hsm_keys_made_done) struct kw_hsm_keys_made made = {0};
    struct kw_hsm_token token = softhsm_token(&softhsm);
    struct kw_hsm_ceremony *ceremony;

    token.module_path = P11_FAULT_MODULE;
    cr_assert(kw_ok(kw_hsm_ceremony_new(&token, &ceremony, NULL)));
    cr_assert(kw_ok(kw_hsm_ceremony_make(ceremony, kw_spki_bytes(&recovery), &made, NULL)));
    return ceremony;
}

/* The session is lost as it begins. */
static void unmake(struct kw_hsm_ceremony *ceremony)
{
    p11_fault_set(&p11, &(struct p11_plan){.function = P11_ANY,
                                           .action = P11_LOSE,
                                           .rv = CKR_SESSION_HANDLE_INVALID});
    kw_hsm_ceremony_unmake(ceremony);
    cr_assert(eq(u64, p11_fault_hits(&p11), 1));
    p11_fault_clear(&p11);
    kw_hsm_ceremony_free(ceremony);
}

/* The token is exchanged behind the ceremony's back for one of the same label, on which another ceremony was held. */
Test(hsm_fault_ceremony, what_another_ceremony_made_is_never_removed)
{
    char fresh[PATH_SIZE];
    char own[PATH_SIZE];
    char other[PATH_SIZE];
    struct kw_hsm_ceremony *ceremony;
    int before;

    (void)snprintf(fresh, sizeof(fresh), "%s/fresh", softhsm.dir);
    (void)snprintf(own, sizeof(own), "%s/own", softhsm.dir);
    (void)snprintf(other, sizeof(other), "%s/other", softhsm.dir);
    copy(softhsm.tokens, fresh);
    unmake(ceremony_held()); /* SoftHSM counts changes: as many would go unnoticed */
    kw_hsm_ceremony_free(ceremony_held());
    before = objects_in(softhsm.tokens);
    cr_assert(eq(int, rename(softhsm.tokens, other), 0));
    cr_assert(eq(int, rename(fresh, softhsm.tokens), 0));
    ceremony = ceremony_held();
    cr_assert(eq(int, rename(softhsm.tokens, own), 0));
    cr_assert(eq(int, rename(other, softhsm.tokens), 0));
    unmake(ceremony);
    cr_assert(eq(int, objects_in(softhsm.tokens), before));
}

Test(hsm_fault_ceremony, what_a_ceremony_made_is_removed_when_asked_for)
{
    int before = objects_in(softhsm.tokens);
    struct kw_hsm_ceremony *ceremony = ceremony_held();

    cr_assert(lt(int, before, objects_in(softhsm.tokens)));
    unmake(ceremony);
    cr_assert(eq(int, objects_in(softhsm.tokens), before));
    kw_hsm_ceremony_free(ceremony_held());
}

/* --- what cannot be removed --- */

#define FRESH_SEARCHES  32 /* as many, and 15 more versions of the KEK */
#define UNMAKE_SEARCHES 17 /* KEK, MAC key, canary; six signers and the carrier, two objects each */

static void fails(enum p11_function function, CK_RV rv, uint64_t first, uint64_t every)
{
    p11_fault_set(
        &p11, &(struct p11_plan){.function = function, .rv = rv, .first = first, .every = every});
}

/* A ceremony that ends at its first signer: three keys are on the token, and are removed again. */
static void half_a_ceremony(void)
{
    bool opened;

    fails(P11_GenerateKeyPair, CKR_MECHANISM_INVALID, 1, 0);
    cr_assert(eq(int, hold(&opened), KW_E_HSM));
    cr_assert(opened);
}

/* Whichever of them it is that cannot be removed at first. */
Test(hsm_fault_ceremony, a_removal_that_fails_once_is_made_again)
{
    int before = objects_in(softhsm.tokens);
    uint64_t searches;

    half_a_ceremony();
    cr_assert(eq(int, objects_in(softhsm.tokens), before));
    searches = p11_fault_calls(&p11, P11_FindObjectsInit);
    for (uint64_t n = 1; n <= 5; n++) {
        uint64_t logins = p11_fault_calls(&p11, P11_Login);

        p11_fault_clear(&p11);
        fails(P11_FindObjectsInit, CKR_DEVICE_ERROR, searches - UNMAKE_SEARCHES + n, 0);
        half_a_ceremony();
        cr_expect(eq(u64, p11_fault_hits(&p11), 2));
        cr_expect(eq(u64, p11_fault_calls(&p11, P11_Login), logins + 2), "search %lu", n);
        cr_expect(eq(int, objects_in(softhsm.tokens), before), "search %lu", n);
    }
}

/* One that fails twice leaves keys: no other ceremony adds to them. */
Test(hsm_fault_ceremony, keys_that_cannot_be_removed_are_seen_by_the_next_ceremony)
{
    int before = objects_in(softhsm.tokens);
    uint64_t logins = p11_fault_calls(&p11, P11_Login);
    bool opened;

    fails(P11_DestroyObject, CKR_DEVICE_ERROR, 1, 1);
    half_a_ceremony();
    cr_expect(eq(u64, p11_fault_calls(&p11, P11_Login), logins + 2), "in a second session, too");
    p11_fault_clear(&p11);
    cr_expect(eq(int, objects_in(softhsm.tokens), before + 3));
    cr_expect(eq(int, hold(&opened), KW_E_ALREADY_EXISTS));
}

static enum kw_reason make(struct kw_hsm_ceremony *ceremony)
{
    KW_SCOPED(kw_hsm_keys_made_done) struct kw_hsm_keys_made made = {0};

    return kw_hsm_ceremony_make(ceremony, kw_spki_bytes(&recovery), &made, NULL).reason;
}

static struct kw_hsm_ceremony *ceremony_open(void)
{
    struct kw_hsm_token token = softhsm_token(&softhsm);
    struct kw_hsm_ceremony *ceremony;

    token.module_path = P11_FAULT_MODULE;
    cr_assert(kw_ok(kw_hsm_ceremony_new(&token, &ceremony, NULL)));
    return ceremony;
}

/* No second attempt is made on what is not there. */
Test(hsm_fault_ceremony, keys_of_a_token_that_went_stay_where_they_are)
{
    struct kw_hsm_ceremony *ceremony = ceremony_open();
    int before = objects_in(softhsm.tokens);
    uint64_t searches = p11_fault_calls(&p11, P11_FindObjectsInit);

    fails(P11_GenerateKeyPair, CKR_DEVICE_REMOVED, 1, 0);
    fails(P11_DestroyObject, CKR_DEVICE_REMOVED, 1, 1);
    fails(P11_GetTokenInfo, CKR_TOKEN_NOT_PRESENT, 1, 1);
    cr_expect(eq(int, make(ceremony), KW_E_HSM_UNAVAILABLE));
    p11_fault_clear(&p11);
    cr_expect(eq(int, objects_in(softhsm.tokens), before + 3));
    searches = p11_fault_calls(&p11, P11_FindObjectsInit) - searches;
    cr_expect(eq(u64, searches, FRESH_SEARCHES + 1));
    kw_hsm_ceremony_free(ceremony);
}

/* A key that was extractable for a moment, and that the session still has: no ceremony ends so. */
Test(hsm_fault_ceremony, an_extractable_key_that_stays_ends_the_ceremony)
{
    int before = objects_in(softhsm.tokens);
    bool opened;

    fails(P11_DestroyObject, CKR_FUNCTION_FAILED, 1, 0);
    cr_expect(eq(int, hold(&opened), KW_E_HSM));
    cr_expect(eq(u64, p11_fault_hits(&p11), 1));
    cr_expect(eq(int, objects_in(softhsm.tokens), before));
}

/* --- what no caller asks --- */

Test(hsm_fault_ceremony, a_token_without_keys_answers_nothing)
{
    const struct kw_hsm_request health = {.op = KW_HSM_HEALTH};
    struct kw_hsm_ceremony *ceremony = ceremony_open();
    struct kw_hsm_answer answer;

    cr_expect(eq(int, kw_hsm_ceremony_run(ceremony, &health, &answer, NULL).reason,
                 KW_E_HSM_KEY_MISSING));
    kw_hsm_ceremony_free(ceremony);
}

/* The root certifies issuing CAs, and neither itself nor the checkpoint key: refused before the HSM is asked. */
Test(hsm_fault_ceremony, no_other_key_becomes_an_issuing_ca)
{
    static const enum kw_hsm_signer others[] = {KW_HSM_ROOT, KW_HSM_CHECKPOINT};
    const struct kw_validity validity = {0, 1000000};
    struct kw_hsm_ceremony *ceremony = ceremony_open();
    struct kw_buf der = {0};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct kw_hsm_ca ca = {
            .signer = others[i], .name = "no CA", .region = "test", .validity = validity};
        struct kw_result result = kw_hsm_ceremony_ca(ceremony, &ca, KW_BYTES_NONE, &der, NULL);

        cr_expect(eq(int, result.reason, KW_E_ARGUMENT_INVALID));
    }
    kw_hsm_ceremony_free(ceremony);
}
