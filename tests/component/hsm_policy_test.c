/* Attacks by templates and uses, with the user's PIN and the module in hand: what the token refuses, and what a worker
 * refuses to start on, because the token would let it be. */
#include "services/cryptocore/hsm/objects.h"
#include "services/cryptocore/hsm/self_test.h"
#include "services/cryptocore/hsm/template.h"
#include "tests/component/hsm_fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define CALL(name, ...) fault.module.functions->C_##name(fault.session.handle, __VA_ARGS__)

static void up(void)
{
    struct kw_hsm_token t;
    struct kw_hsm_token_settings s;

    fault_up();
    t = softhsm_token(&fault.hsm.softhsm);
    s = (struct kw_hsm_token_settings){t.provider, t.module_path, t.token_label, t.pin_path,
                                       t.lock_path};
    cr_assert(kw_ok(kw_hsm_module_open(&fault.module, &s, NULL)));
    cr_assert(kw_ok(kw_hsm_session_open(&fault.session, &fault.module, KW_HSM_READ_WRITE, NULL)));
    cr_assert(kw_ok(kw_hsm_session_keys(&fault.session, NULL)));
}

TestSuite(hsm_policy, .init = up, .fini = fault_down, .timeout = 120);

static CK_OBJECT_HANDLE token_key(CK_OBJECT_CLASS class, const char *label)
{
    CK_OBJECT_HANDLE handle;

    cr_assert(kw_ok(kw_hsm_object_find(&fault.session, class, label, &handle, NULL)));
    cr_assert(handle != CK_INVALID_HANDLE, "%s", label);
    return handle;
}

static const struct {
    CK_OBJECT_CLASS class;
    const char *label;
} keys[] = {
    {CKO_SECRET_KEY, "keyward-kek-v1"},      {CKO_SECRET_KEY, KW_HSM_MAC_LABEL},
    {CKO_PRIVATE_KEY, "keyward-root"},       {CKO_PRIVATE_KEY, "keyward-ca-partners"},
    {CKO_PRIVATE_KEY, "keyward-checkpoint"},
};

static CK_RV attribute_set(CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, CK_BBOOL value)
{
    CK_ATTRIBUTE change[] = {KW_CK_VALUE(type, value)};

    return CALL(SetAttributeValue, key, change, 1);
}

/* The one-way attributes go one way only, on each key of ours and on its copies. */
Test(hsm_policy, no_key_is_made_extractable_or_readable)
{
    for (size_t i = 0; i < KW_CK_COUNT(keys); i++) {
        CK_OBJECT_HANDLE key = token_key(keys[i].class, keys[i].label);

        cr_assert(attribute_set(key, CKA_EXTRACTABLE, CK_TRUE) != CKR_OK, "%s", keys[i].label);
        cr_assert(attribute_set(key, CKA_SENSITIVE, CK_FALSE) != CKR_OK, "%s", keys[i].label);
        cr_assert(attribute_set(key, CKA_PRIVATE, CK_FALSE) != CKR_OK, "%s", keys[i].label);
    }
}

static CK_RV copy_with(CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, CK_BBOOL value)
{
    const CK_BBOOL token = CK_FALSE;
    CK_ATTRIBUTE change[] = {KW_CK_VALUE(CKA_TOKEN, token), KW_CK_VALUE(type, value)};
    CK_OBJECT_HANDLE copy;

    return CALL(CopyObject, key, change, 2, &copy);
}

Test(hsm_policy, no_copy_is_weaker_than_its_key)
{
    for (size_t i = 0; i < KW_CK_COUNT(keys); i++) {
        CK_OBJECT_HANDLE key = token_key(keys[i].class, keys[i].label);

        cr_assert(copy_with(key, CKA_EXTRACTABLE, CK_TRUE) != CKR_OK, "%s", keys[i].label);
        cr_assert(copy_with(key, CKA_SENSITIVE, CK_FALSE) != CKR_OK, "%s", keys[i].label);
        cr_assert(copy_with(key, CKA_PRIVATE, CK_FALSE) != CKR_OK, "%s", keys[i].label);
    }
}

Test(hsm_policy, no_value_is_read)
{
    for (size_t i = 0; i < KW_CK_COUNT(keys); i++) {
        uint8_t bytes[128];
        CK_ATTRIBUTE value = {.type = CKA_VALUE, .pValue = bytes, .ulValueLen = sizeof(bytes)};

        cr_assert(CALL(GetAttributeValue, token_key(keys[i].class, keys[i].label), &value, 1) !=
                      CKR_OK,
                  "%s", keys[i].label);
    }
}

/* Wrap, then decrypt: the wrapping key would have to decrypt. */
Test(hsm_policy, what_the_kek_wrapped_it_does_not_decrypt)
{
    CK_OBJECT_HANDLE kek = token_key(CKO_SECRET_KEY, "keyward-kek-v1");
    CK_BYTE iv[16] = {0};
    CK_MECHANISM mechanisms[] = {
        {.mechanism = CKM_AES_ECB},
        {.mechanism = CKM_AES_CBC, .pParameter = iv, .ulParameterLen = sizeof(iv)}};

    for (size_t i = 0; i < KW_CK_COUNT(mechanisms); i++) {
        cr_assert(CALL(DecryptInit, &mechanisms[i], kek) != CKR_OK);
        cr_assert(CALL(EncryptInit, &mechanisms[i], kek) != CKR_OK);
        cr_assert(CALL(DecryptInit, &mechanisms[i], fault.session.keks[0].handle) != CKR_OK);
    }
}

/* The token lets the holder of the PIN add uses to a key. No worker starts on a key that has them. */
static void started_with(const char *label, CK_ATTRIBUTE_TYPE type, const char *what)
{
    CK_OBJECT_HANDLE key = token_key(CKO_SECRET_KEY, label);

    if (attribute_set(key, type, CK_TRUE) != CKR_OK) {
        return; /* better still */
    }
    cr_assert(eq(int, kw_hsm_self_test(&fault.session, NULL).reason, KW_E_HSM_SELF_TEST),
              "%s with %s", label, what);
    cr_assert(eq(ulong, attribute_set(key, type, CK_FALSE), CKR_OK));
    cr_assert(kw_ok(kw_hsm_self_test(&fault.session, NULL)));
}

Test(hsm_policy, no_worker_starts_on_a_kek_with_another_use)
{
    started_with("keyward-kek-v1", CKA_DECRYPT, "CKA_DECRYPT");
    started_with("keyward-kek-v1", CKA_ENCRYPT, "CKA_ENCRYPT");
    started_with("keyward-kek-v1", CKA_SIGN, "CKA_SIGN");
    started_with("keyward-kek-v1", CKA_DERIVE, "CKA_DERIVE");
}

Test(hsm_policy, no_worker_starts_on_a_mac_key_with_another_use)
{
    started_with(KW_HSM_MAC_LABEL, CKA_DECRYPT, "CKA_DECRYPT");
    started_with(KW_HSM_MAC_LABEL, CKA_ENCRYPT, "CKA_ENCRYPT");
    started_with(KW_HSM_MAC_LABEL, CKA_WRAP, "CKA_WRAP");
    started_with(KW_HSM_MAC_LABEL, CKA_UNWRAP, "CKA_UNWRAP");
    started_with(KW_HSM_MAC_LABEL, CKA_DERIVE, "CKA_DERIVE");
}

/* An attacker's own key, known to him, as the wrapping one: nothing of ours goes under it. */
Test(hsm_policy, nothing_is_wrapped_under_a_weak_key)
{
    static const CK_ULONG len = 16;
    CK_MECHANISM generate = {.mechanism = CKM_AES_KEY_GEN};
    CK_MECHANISM mechanisms[] = {{.mechanism = CKM_AES_KEY_WRAP_PAD},
                                 {.mechanism = CKM_AES_KEY_WRAP}};
    struct kw_hsm_template template;
    CK_OBJECT_HANDLE weak;

    kw_hsm_template_secret(&template, KW_HSM_USE_WRAP);
    kw_hsm_template_add(&template, CKA_VALUE_LEN, &len, sizeof(len));
    cr_assert(eq(ulong, CALL(GenerateKey, &generate, template.attributes, template.count, &weak),
                 CKR_OK));
    for (size_t i = 0; i < KW_CK_COUNT(keys); i++) {
        for (size_t m = 0; m < KW_CK_COUNT(mechanisms); m++) {
            CK_BYTE out[512];
            CK_ULONG out_len = sizeof(out);

            cr_assert(CALL(WrapKey, &mechanisms[m], weak, token_key(keys[i].class, keys[i].label),
                           out, &out_len) != CKR_OK,
                      "%s", keys[i].label);
        }
    }
}

/* A device key that a worker has open can't leave either: neither wrapped again nor read. */
Test(hsm_policy, an_unwrapped_device_key_does_not_leave_again)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object wrapping = {0};
    uint8_t bytes[KW_HSM_WRAPPED_LEN];
    CK_ATTRIBUTE value = {.type = CKA_VALUE, .pValue = bytes, .ulValueLen = sizeof(bytes)};

    cr_assert(kw_ok(kw_hsm_device_open(&fault.session, &fault.device, &key, NULL)));
    cr_assert(kw_ok(kw_hsm_key_generate(&fault.session, KW_HSM_USE_WRAP, &wrapping, NULL)));
    cr_assert(not(kw_ok(
        kw_hsm_key_wrap(&fault.session, wrapping.handle, key.handle, bytes, sizeof(bytes), NULL))));
    cr_assert(CALL(GetAttributeValue, key.handle, &value, 1) != CKR_OK);
    cr_assert(attribute_set(key.handle, CKA_EXTRACTABLE, CK_TRUE) != CKR_OK);
    cr_assert(attribute_set(key.handle, CKA_SENSITIVE, CK_FALSE) != CKR_OK);
}
