/* Both kinds of providers agree on the key that the sender made: one that gives the shared secret, and one that derives in
 * the HSM. The second is SoftHSM behind a C_DeriveKey that does what CloudHSM documents. */
#include "services/cryptocore/hsm/agree.h"

#include "common/crypto/ecdh.h"
#include "common/crypto/kdf.h"
#include "common/crypto/keywrap.h"
#include "services/cryptocore/hsm/objects.h"
#include "tests/support/hsm_region.h"
#include "tests/support/must.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define INFO         "an info"
#define SHARED_LEN   48
#define VALUES_MAX   24
#define ECDH1_NULL   1UL
#define ECDH1_SHA384 7UL

struct ecdh1_params {
    CK_ULONG kdf;
    CK_ULONG shared_data_len;
    CK_BYTE *shared_data;
    CK_ULONG public_data_len;
    CK_BYTE *public_data;
};

static struct hsm_region region;
static struct kw_hsm_module module;
static struct kw_hsm_session session;
static struct kw_hsm_token token;
static CK_OBJECT_HANDLE carrier;
static const CK_FUNCTION_LIST *real;
static unsigned derived;

static void up(void)
{
    struct kw_hsm_token_settings settings;

    hsm_region_init(&region);
    hsm_region_prepare(&region);
    token = hsm_region_token(&region, NULL);
    settings = (struct kw_hsm_token_settings){token.provider, token.module_path, token.token_label,
                                              token.pin_path, token.lock_path};
    MUST(kw_hsm_module_open(&module, &settings, err));
    MUST(kw_hsm_session_open(&session, &module, KW_HSM_READ_WRITE, err));
    MUST(kw_hsm_object_find(&session, CKO_PRIVATE_KEY, kw_hsm_signer_label(KW_HSM_CARRIER),
                            &carrier, err));
}

static void down(void)
{
    kw_hsm_session_close(&session);
    kw_hsm_module_close(&module);
    hsm_region_done(&region);
}

TestSuite(hsm_agree, .init = up, .fini = down, .timeout = 120);

/* --- an HSM that derives inside --- */

static void shared_read(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                        struct kw_secret *ret_shared)
{
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    static CK_BBOOL no = CK_FALSE;
    static CK_BBOOL yes = CK_TRUE;
    static CK_ULONG len = SHARED_LEN;
    CK_ATTRIBUTE template[] = {
        KW_CK_VALUE(CKA_CLASS, class),   KW_CK_VALUE(CKA_KEY_TYPE, type),
        KW_CK_VALUE(CKA_SENSITIVE, no),  KW_CK_VALUE(CKA_EXTRACTABLE, yes),
        KW_CK_VALUE(CKA_VALUE_LEN, len),
    };
    CK_ATTRIBUTE value;
    CK_OBJECT_HANDLE shared;

    MUST(kw_secret_init(ret_shared, SHARED_LEN, err));
    value = (CK_ATTRIBUTE)KW_CK_BYTES(CKA_VALUE, ret_shared->slot, SHARED_LEN);
    cr_assert(real->C_DeriveKey(handle, mechanism, base, template, KW_CK_COUNT(template),
                                &shared) == CKR_OK);
    cr_assert(real->C_GetAttributeValue(handle, shared, &value, 1) == CKR_OK);
    cr_assert(real->C_DestroyObject(handle, shared) == CKR_OK);
}

static CK_RV derive_inside(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                           CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    const struct ecdh1_params *asked = mechanism->pParameter;
    struct ecdh1_params raw = {ECDH1_NULL, 0, NULL, asked->public_data_len, asked->public_data};
    CK_MECHANISM plain = {CKM_ECDH1_DERIVE, &raw, sizeof(raw)};
    KW_SCOPED(kw_secret_done) struct kw_secret shared = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};
    CK_ATTRIBUTE attributes[VALUES_MAX];
    CK_ULONG kept = 0;

    cr_assert(mechanism->mechanism == CKM_ECDH1_DERIVE && asked->kdf == ECDH1_SHA384);
    shared_read(handle, &plain, base, &shared);
    MUST(kw_kdf_x963_sha384(&shared, KW_BYTES(asked->shared_data, asked->shared_data_len), 32,
                            &value, err));
    for (CK_ULONG i = 0; i < count; i++) {
        if (template[i].type != CKA_VALUE_LEN) {
            attributes[kept++] = template[i];
        }
    }
    attributes[kept++] = (CK_ATTRIBUTE)KW_CK_BYTES(CKA_VALUE, value.slot, value.len);
    derived++;
    return real->C_CreateObject(handle, attributes, kept, key);
}

/* --- what comes of it --- */

/* The sender's side, in software: a key wrapped for the carrier. */
static void send(const char *info, uint8_t point[KW_P384_POINT_LEN], struct kw_wrapped *wrapped)
{
    static const uint8_t bytes[32] = {1, 2, 3};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret wrapping = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret secret = {0};

    MUST(kw_public_key_from_spki(&public, kw_buf_bytes(&region.carrier), err));
    MUST(kw_ecdh_send(&public, kw_bytes_str(info), 32, point, &wrapping, err));
    MUST(kw_secret_copy(&secret, KW_BYTES_OF(bytes), err));
    MUST(kw_kwp_wrap(&wrapping, &secret, wrapped, err));
}

/* What the token says of a key that was wrapped with this info, when it agrees with INFO. */
static bool opens(const char *info)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object agreed = {0};
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object opened = {0};
    uint8_t point[KW_P384_POINT_LEN];
    struct kw_wrapped wrapped;

    send(info, point, &wrapped);
    MUST(kw_hsm_agree(&session, carrier, KW_BYTES_OF(point), kw_bytes_str(INFO), &agreed, err));
    return kw_ok(kw_hsm_key_unwrap(&session, agreed.handle, kw_wrapped_bytes(&wrapped),
                                   KW_HSM_USE_SIGN, &opened, NULL));
}

Test(hsm_agree, a_provider_that_gives_the_shared_secret_agrees)
{
    cr_expect(opens(INFO));
    cr_expect(not(opens("another info")));
}

Test(hsm_agree, a_provider_that_derives_inside_agrees)
{
    struct kw_hsm_provider inside = *module.provider;
    CK_FUNCTION_LIST functions = *module.functions;

    real = module.functions;
    inside.ecdh = KW_HSM_ECDH_X963_SHA384;
    functions.C_DeriveKey = derive_inside;
    module.provider = &inside;
    module.functions = &functions;
    cr_expect(opens(INFO));
    cr_expect(not(opens("another info")));
    cr_expect(eq(uint, derived, 2));
    module.functions = real;
}

/* A point that is not on the curve, and a shared secret of another length, are no agreement. */
static CK_ULONG claimed_len;

static CK_RV read_wrongly(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
                          CK_ULONG count)
{
    CK_RV rv = real->C_GetAttributeValue(handle, object, template, count);

    template->ulValueLen = claimed_len;
    return rv;
}

Test(hsm_agree, what_is_no_agreement_is_none)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object agreed = {0};
    CK_FUNCTION_LIST functions = *module.functions;
    uint8_t point[KW_P384_POINT_LEN];
    struct kw_wrapped wrapped;

    send(INFO, point, &wrapped);
    real = module.functions;
    functions.C_GetAttributeValue = read_wrongly;
    claimed_len = SHARED_LEN - 1;
    module.functions = &functions;
    cr_expect(
        eq(int,
           kw_hsm_agree(&session, carrier, KW_BYTES_OF(point), kw_bytes_str(INFO), &agreed, NULL)
               .reason,
           KW_E_HSM));
    module.functions = real;
    point[50] ^= 1;
    cr_expect(not(kw_ok(
        kw_hsm_agree(&session, carrier, KW_BYTES_OF(point), kw_bytes_str(INFO), &agreed, NULL))));
}
