/* The token itself: attributes, templates, leaks, login, and what is done when it or the session
 * goes away. */
#include "services/cryptocore/hsm/keys.h"
#include "services/cryptocore/hsm/objects.h"
#include "services/cryptocore/hsm/operations.h"
#include "services/cryptocore/hsm/self_test.h"
#include "tests/component/hsm_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <sys/stat.h>

static struct hsm_fixture f;
static struct kw_hsm_module module;
static struct kw_hsm_session session;
static struct kw_key_binding device;
static struct kw_hsm_fact fact;

static struct kw_hsm_token_settings settings(void)
{
    struct kw_hsm_token t = softhsm_token(&f.softhsm);

    return (struct kw_hsm_token_settings){t.provider, t.module_path, t.token_label, t.pin_path,
                                          t.lock_path};
}

/* As a worker opens the token, after the ceremony has closed it. */
static void token_open(enum kw_hsm_access access)
{
    struct kw_hsm_token_settings s = settings();
    struct kw_error err = {0};

    cr_assert(kw_ok(kw_hsm_module_open(&module, &s, &err)), "%s", err.message);
    cr_assert(kw_ok(kw_hsm_session_open(&session, &module, access, &err)), "%s", err.message);
    cr_assert(kw_ok(kw_hsm_session_keys(&session, &err)), "%s", err.message);
}

static void ceremony_close(void)
{
    kw_hsm_ceremony_free(f.ceremony);
    f.ceremony = NULL;
}

static void set_up(void)
{
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};

    hsm_fixture_init(&f);
    hsm_device(&f, &device, &value);
    ceremony_close();
    token_open(KW_HSM_READ_ONLY);
}

static void tear_down(void)
{
    kw_hsm_session_close(&session);
    kw_hsm_module_close(&module);
    hsm_fixture_done(&f);
}

TestSuite(hsm_token, .init = set_up, .fini = tear_down);

static enum kw_reason run(const struct kw_hsm_request *request)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_hsm_answer answer;

    kw_hsm_run(&session, arena, request, &answer);
    kw_arena_free(arena);
    return answer.result.reason;
}

static size_t session_objects(void)
{
    const CK_BBOOL token = CK_FALSE;
    CK_ATTRIBUTE template[] = {KW_CK_VALUE(CKA_TOKEN, token)};
    size_t count = 0;

    cr_assert(kw_ok(kw_hsm_objects_count(&session, template, 1, 64, &count, NULL)));
    return count;
}

Test(hsm_token, self_test_passes_after_a_ceremony)
{
    struct kw_error err = {0};

    cr_assert(kw_ok(kw_hsm_self_test(&session, &err)), "%s", err.message);
}

Test(hsm_token, no_session_object_is_left_by_a_hundred_operations)
{
    struct kw_hsm_request right = hsm_release(&f, &device, &fact);
    struct kw_hsm_request wrong = right;
    struct kw_hsm_request proof = {.op = KW_HSM_VERIFY_POSSESSION, .possession.device = device};
    size_t before = session_objects();

    wrong.derive.transport.check[0] ^= 1;
    for (int i = 0; i < 34; i++) {
        cr_assert(eq(int, run(&right), KW_E_NONE));
        cr_assert(eq(int, run(&wrong), KW_E_BINDING_INVALID));
        cr_assert(eq(int, run(&proof), KW_E_POSSESSION_UNPROVEN));
    }
    cr_assert(eq(sz, session_objects(), before));
}

Test(hsm_token, a_key_cannot_be_unwrapped_into_the_open)
{
    const CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    const CK_KEY_TYPE type = CKK_AES;
    const CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE weak[] = {KW_CK_VALUE(CKA_CLASS, class), KW_CK_VALUE(CKA_KEY_TYPE, type),
                           KW_CK_VALUE(CKA_EXTRACTABLE, yes)};
    CK_MECHANISM mechanism = {.mechanism = module.provider->kwp};
    CK_OBJECT_HANDLE handle;

    cr_assert(eq(ulong,
                 module.functions->C_UnwrapKey(session.handle, &mechanism, session.keks[0].handle,
                                               device.wrapped, KW_HSM_WRAPPED_LEN, weak,
                                               KW_CK_COUNT(weak), &handle),
                 CKR_TEMPLATE_INCONSISTENT));
}

Test(hsm_token, the_kek_cannot_be_wrapped_outwards)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object wrapping = {0};
    uint8_t wrapped[KW_HSM_WRAPPED_LEN];

    cr_assert(kw_ok(kw_hsm_key_generate(&session, KW_HSM_USE_WRAP, &wrapping, NULL)));
    cr_assert(not(kw_ok(kw_hsm_key_wrap(&session, wrapping.handle, session.keks[0].handle, wrapped,
                                        sizeof(wrapped), NULL))));
    cr_assert(not(kw_ok(kw_hsm_key_wrap(&session, wrapping.handle, session.mac_key, wrapped,
                                        sizeof(wrapped), NULL))));
}

Test(hsm_token, a_closed_session_is_opened_again)
{
    struct kw_hsm_request request = hsm_release(&f, &device, &fact);
    uint32_t logins = session.calls[KW_C_Login];

    cr_assert(eq(ulong, module.functions->C_CloseAllSessions(kw_hsm_module_slot(&module)), CKR_OK));
    cr_assert(eq(int, run(&request), KW_E_NONE));
    cr_assert(eq(u32, session.calls[KW_C_Login], logins + 1));
}

Test(hsm_token, a_lost_login_is_made_again)
{
    struct kw_hsm_request request = hsm_release(&f, &device, &fact);

    cr_assert(eq(ulong, module.functions->C_Logout(session.handle), CKR_OK));
    cr_assert(eq(int, run(&request), KW_E_NONE));
}

Test(hsm_token, a_vanished_token_is_noticed_and_a_new_worker_finds_it_back)
{
    struct kw_hsm_request health = {.op = KW_HSM_HEALTH};
    struct kw_hsm_token_settings s = settings();

    softhsm_unplug(&f.softhsm);
    cr_assert(eq(int, run(&health), KW_E_HSM_UNAVAILABLE));
    cr_assert(eq(int, session.fault, KW_HSM_CLASS_DEVICE));
    kw_hsm_session_close(&session);
    kw_hsm_module_close(&module);
    cr_assert(eq(int, kw_hsm_module_open(&module, &s, NULL).reason, KW_E_HSM_UNAVAILABLE));
    softhsm_plug(&f.softhsm);
    token_open(KW_HSM_READ_ONLY);
    cr_assert(eq(int, run(&health), KW_E_NONE));
}

/* Removes a token object, as an accident or an attacker with the PIN would. */
static void object_destroy(const char *label)
{
    CK_OBJECT_HANDLE handle;

    cr_assert(kw_ok(kw_hsm_object_find(&session, CKO_SECRET_KEY, label, &handle, NULL)));
    cr_assert(eq(ulong, module.functions->C_DestroyObject(session.handle, handle), CKR_OK));
}

static void reopen_writable(void)
{
    kw_hsm_session_close(&session);
    cr_assert(kw_ok(kw_hsm_session_open(&session, &module, KW_HSM_READ_WRITE, NULL)));
    cr_assert(kw_ok(kw_hsm_session_keys(&session, NULL)));
}

Test(hsm_token, a_missing_key_is_an_incident_not_a_destruction)
{
    reopen_writable();
    object_destroy("keyward-kek-v1");
    cr_assert(eq(int, kw_hsm_session_keys(&session, NULL).reason, KW_E_HSM_KEY_MISSING));
}

Test(hsm_token, a_missing_canary_is_an_incident_and_an_unwell_hsm)
{
    reopen_writable();
    object_destroy(KW_HSM_CANARY_LABEL);
    cr_assert(eq(int, kw_hsm_session_keys(&session, NULL).reason, KW_E_HSM_KEY_MISSING));
    cr_assert(eq(int, session.fault, KW_HSM_CLASS_DEVICE));
}

/* A token object of its own making, as an attacker with the PIN would add. */
static void secret_add(const char *label, bool private)
{
    const CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    const CK_KEY_TYPE type = CKK_AES;
    const CK_BBOOL yes = CK_TRUE;
    const CK_BBOOL is_private = private ? CK_TRUE : CK_FALSE;
    const uint8_t bytes[32] = {1};
    CK_ATTRIBUTE template[] = {
        KW_CK_VALUE(CKA_CLASS, class), KW_CK_VALUE(CKA_KEY_TYPE, type),
        KW_CK_VALUE(CKA_TOKEN, yes),   KW_CK_VALUE(CKA_PRIVATE, is_private),
        KW_CK_VALUE(CKA_VALUE, bytes), KW_CK_BYTES(CKA_LABEL, label, strlen(label)),
    };
    CK_OBJECT_HANDLE handle;

    cr_assert(eq(
        ulong,
        module.functions->C_CreateObject(session.handle, template, KW_CK_COUNT(template), &handle),
        CKR_OK));
}

Test(hsm_token, a_second_object_of_one_label_fails_the_self_test)
{
    reopen_writable();
    secret_add(KW_HSM_MAC_LABEL, true);
    cr_assert(eq(int, kw_hsm_session_keys(&session, NULL).reason, KW_E_HSM_SELF_TEST));
}

Test(hsm_token, a_secret_readable_without_login_fails_the_self_test)
{
    reopen_writable();
    secret_add("somebody else's", false);
    cr_assert(eq(int, kw_hsm_self_test(&session, NULL).reason, KW_E_HSM_SELF_TEST));
}

Test(hsm_token, a_kek_without_unwrap_template_fails_the_self_test)
{
    reopen_writable();
    object_destroy("keyward-kek-v1");
    secret_add("keyward-kek-v1", true);
    cr_assert(kw_ok(kw_hsm_session_keys(&session, NULL)));
    cr_assert(eq(int, kw_hsm_self_test(&session, NULL).reason, KW_E_HSM_SELF_TEST));
}

/* A KEK whose attributes are right, but which has no unwrap template: what it unwraps may be read. */
static void kek_add(void)
{
    static const uint8_t bytes[32] = {1};
    const CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    const CK_KEY_TYPE type = CKK_AES;
    const CK_BBOOL yes = CK_TRUE;
    const CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE template[] = {
        KW_CK_VALUE(CKA_CLASS, class),   KW_CK_VALUE(CKA_KEY_TYPE, type),
        KW_CK_VALUE(CKA_TOKEN, yes),     KW_CK_VALUE(CKA_PRIVATE, yes),
        KW_CK_VALUE(CKA_SENSITIVE, yes), KW_CK_VALUE(CKA_EXTRACTABLE, no),
        KW_CK_VALUE(CKA_WRAP, yes),      KW_CK_VALUE(CKA_UNWRAP, yes),
        KW_CK_VALUE(CKA_SIGN, no),       KW_CK_VALUE(CKA_ENCRYPT, no),
        KW_CK_VALUE(CKA_DECRYPT, no),    KW_CK_VALUE(CKA_DERIVE, no),
        KW_CK_VALUE(CKA_VALUE, bytes),   KW_CK_BYTES(CKA_LABEL, "keyward-kek-v1", 14),
    };
    CK_OBJECT_HANDLE handle;

    cr_assert(eq(
        ulong,
        module.functions->C_CreateObject(session.handle, template, KW_CK_COUNT(template), &handle),
        CKR_OK));
}

Test(hsm_token, a_kek_that_unwraps_into_the_open_fails_the_self_test)
{
    struct kw_error err = {0};

    reopen_writable();
    object_destroy("keyward-kek-v1");
    kek_add();
    cr_assert(kw_ok(kw_hsm_session_keys(&session, NULL)));
    cr_assert(eq(int, kw_hsm_self_test(&session, &err).reason, KW_E_HSM_SELF_TEST));
    cr_assert(strstr(err.message, "unwrap template") != NULL, "%s", err.message);
}

Test(hsm_token, a_second_ceremony_is_refused)
{
    struct kw_hsm_token token = softhsm_token(&f.softhsm);
    struct kw_hsm_keys_made made = {0};

    kw_hsm_session_close(&session);
    kw_hsm_module_close(&module);
    cr_assert(kw_ok(kw_hsm_ceremony_new(&token, &f.ceremony, NULL)));
    cr_assert(eq(int, kw_hsm_ceremony_make(f.ceremony, kw_bytes_str("unused"), &made, NULL).reason,
                 KW_E_ALREADY_EXISTS));
}

Test(hsm_token, a_wrong_pin_is_tried_once)
{
    struct kw_hsm_session other;

    kw_hsm_session_close(&session);
    (void)module.functions->C_CloseAllSessions(kw_hsm_module_slot(&module));
    softhsm_pin_write(&f.softhsm, "a wrong PIN, 16 letters");
    cr_assert(eq(int, kw_hsm_session_open(&other, &module, KW_HSM_READ_ONLY, NULL).reason,
                 KW_E_HSM_LOGIN_REFUSED));
    cr_assert(eq(int, kw_hsm_session_open(&other, &module, KW_HSM_READ_ONLY, NULL).reason,
                 KW_E_HSM_LOGIN_REFUSED));
    cr_assert(eq(u32, other.calls[KW_C_Login], 0), "the second attempt reached the token");
}

Test(hsm_token, a_pin_file_open_to_others_is_refused)
{
    struct kw_hsm_session other;

    cr_assert(eq(int, chmod(f.softhsm.pin, 0644), 0));
    cr_assert(eq(int, kw_hsm_session_open(&other, &module, KW_HSM_READ_ONLY, NULL).reason,
                 KW_E_CONFIG_INVALID));
}
