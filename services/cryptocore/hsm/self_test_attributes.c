/* The keys on the token are what the ceremony made: attributes, unwrap template, no readable
 * secret, no doubles. */
#include "services/cryptocore/hsm/keys.h"
#include "services/cryptocore/hsm/objects.h"
#include "services/cryptocore/hsm/self_test_parts.h"
#include "services/cryptocore/hsm/template.h"

struct expected {
    CK_ATTRIBUTE_TYPE type;
    CK_BBOOL value;
    const char *name;
};

/* Of every key of ours, secret or private. */
static const struct expected kept[] = {
    {CKA_PRIVATE, CK_TRUE, "CKA_PRIVATE"},          {CKA_SENSITIVE, CK_TRUE, "CKA_SENSITIVE"},
    {CKA_EXTRACTABLE, CK_FALSE, "CKA_EXTRACTABLE"}, {CKA_DECRYPT, CK_FALSE, "CKA_DECRYPT"},
    {CKA_DERIVE, CK_FALSE, "CKA_DERIVE"},
};
static const struct expected wraps[] = {
    {CKA_WRAP, CK_TRUE, "CKA_WRAP"},
    {CKA_UNWRAP, CK_TRUE, "CKA_UNWRAP"},
    {CKA_SIGN, CK_FALSE, "CKA_SIGN"},
    {CKA_ENCRYPT, CK_FALSE, "CKA_ENCRYPT"},
};
/* A MAC key that encrypts is an oracle for MACs. */
static const struct expected macs[] = {
    {CKA_SIGN, CK_TRUE, "CKA_SIGN"},
    {CKA_WRAP, CK_FALSE, "CKA_WRAP"},
    {CKA_UNWRAP, CK_FALSE, "CKA_UNWRAP"},
    {CKA_ENCRYPT, CK_FALSE, "CKA_ENCRYPT"},
};
static const struct expected signs[] = {
    {CKA_SIGN, CK_TRUE, "CKA_SIGN"},
    {CKA_UNWRAP, CK_FALSE, "CKA_UNWRAP"},
};

static struct kw_result attributes_check(struct kw_hsm_session *session, CK_OBJECT_HANDLE object,
                                         const char *label, const struct expected *list,
                                         size_t count, struct kw_error *err)
{
    for (size_t i = 0; i < count; i++) {
        CK_BBOOL value = 2;
        CK_ATTRIBUTE attribute = KW_CK_VALUE(list[i].type, value);

        KW_TRY(KW_C(session, GetAttributeValue, object, &attribute, 1));
        KW_ENSURE(value == list[i].value, err, HSM_SELF_TEST, "%s of %s", list[i].name, label);
    }
    return KW_OK;
}

/* Objects with this label: exactly one, private, with these uses. */
static struct kw_result key_check(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                  const char *label, const struct expected *uses, size_t count,
                                  struct kw_error *err)
{
    CK_OBJECT_HANDLE object;

    KW_TRY(kw_hsm_object_find(session, class, label, &object, err));
    KW_ENSURE(object != CK_INVALID_HANDLE, err, HSM_KEY_MISSING, "%s", label);
    KW_TRY(attributes_check(session, object, label, kept, KW_CK_COUNT(kept), err));
    return attributes_check(session, object, label, uses, count, err);
}

/* A KEK that unwraps a key into the open is an export hole. Whether it does is asked, not read: two
 * unwrappings that its template forbids, each with one attribute weakened. */
static struct kw_result unwrap_weakened(struct kw_hsm_session *session, CK_OBJECT_HANDLE kek,
                                        const uint8_t *wrapped, CK_ATTRIBUTE_TYPE type, bool value,
                                        struct kw_error *err)
{
    static const CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static const CK_KEY_TYPE key_type = CKK_AES;
    CK_MECHANISM mechanism = {.mechanism = session->module->provider->kwp};
    struct kw_hsm_template template = {.count = 0};
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;

    kw_hsm_template_add(&template, CKA_CLASS, &class, sizeof(class));
    kw_hsm_template_add(&template, CKA_KEY_TYPE, &key_type, sizeof(key_type));
    kw_hsm_template_bool(&template, CKA_TOKEN, false);
    kw_hsm_template_bool(&template, type, value);
    if (kw_ok(KW_C(session, UnwrapKey, &mechanism, kek, (CK_BYTE *)(uintptr_t)wrapped,
                   KW_HSM_WRAPPED_LEN, template.attributes, template.count, &handle))) {
        kw_hsm_object_done(&(struct kw_hsm_object){.session = session, .handle = handle});
        KW_FAIL(err, HSM_SELF_TEST, "the KEK's unwrap template does not hold");
    }
    KW_ENSURE(session->fault == KW_HSM_CLASS_DATA, err, HSM_UNAVAILABLE,
              "the unwrap template could not be tested");
    return KW_OK;
}

/* What the template lets through is unwrapped: so a refusal below is the template's, and not that of a wrong blob. */
static struct kw_result unwrap_rightly(struct kw_hsm_session *session, CK_OBJECT_HANDLE kek,
                                       struct kw_bytes wrapped, struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
    struct kw_result result = kw_hsm_key_unwrap(session, kek, wrapped, KW_HSM_USE_SIGN, &key, err);

    return result.reason == KW_E_BINDING_INVALID
               ? kw_hsm_session_distrust(session, "a key that it wrapped does not unwrap", err)
               : result;
}

static struct kw_result unwrap_template_check(struct kw_hsm_session *session, CK_OBJECT_HANDLE kek,
                                              struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
    uint8_t wrapped[KW_HSM_WRAPPED_LEN];

    KW_TRY(kw_hsm_key_generate(session, KW_HSM_USE_SIGN | KW_HSM_USE_EXTRACTABLE, &key, err));
    KW_TRY(kw_hsm_key_wrap(session, kek, key.handle, wrapped, sizeof(wrapped), err));
    KW_TRY(unwrap_rightly(session, kek, KW_BYTES_OF(wrapped), err));
    KW_TRY(unwrap_weakened(session, kek, wrapped, CKA_EXTRACTABLE, true, err));
    KW_TRY(unwrap_weakened(session, kek, wrapped, CKA_SENSITIVE, false, err));
    return unwrap_weakened(session, kek, wrapped, CKA_PRIVATE, false, err);
}

static struct kw_result keks_check(struct kw_hsm_session *session, struct kw_error *err)
{
    char label[KW_HSM_LABEL_SIZE];

    for (size_t i = 0; i < session->kek_count; i++) {
        (void)kw_hsm_kek_label(session->keks[i].version, label);
        KW_TRY(key_check(session, CKO_SECRET_KEY, label, wraps, KW_CK_COUNT(wraps), err));
        KW_TRY(unwrap_template_check(session, session->keks[i].handle, err));
    }
    return KW_OK;
}

static struct kw_result no_readable_secret(struct kw_hsm_session *session, struct kw_error *err)
{
    const CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    const CK_BBOOL private = CK_FALSE;
    CK_ATTRIBUTE template[] = {KW_CK_VALUE(CKA_CLASS, class), KW_CK_VALUE(CKA_PRIVATE, private)};
    size_t count;

    KW_TRY(kw_hsm_objects_count(session, template, KW_CK_COUNT(template), 1, &count, err));
    KW_ENSURE(count == 0, err, HSM_SELF_TEST, "a secret key on the token is not CKA_PRIVATE");
    return KW_OK;
}

/* The root is one region's alone. */
static struct kw_result signer_check(struct kw_hsm_session *session, enum kw_hsm_signer signer,
                                     struct kw_error *err)
{
    const char *label = kw_hsm_signer_label(signer);
    CK_OBJECT_HANDLE root;

    if (signer == KW_HSM_ROOT) {
        KW_TRY(kw_hsm_object_find(session, CKO_PRIVATE_KEY, label, &root, err));
        if (root == CK_INVALID_HANDLE) {
            return KW_OK;
        }
    }
    return key_check(session, CKO_PRIVATE_KEY, label, signs, KW_CK_COUNT(signs), err);
}

struct kw_result kw_hsm_self_test_attributes(struct kw_hsm_session *session, struct kw_error *err)
{
    KW_TRY(keks_check(session, err));
    KW_TRY(key_check(session, CKO_SECRET_KEY, KW_HSM_MAC_LABEL, macs, KW_CK_COUNT(macs), err));
    for (int s = KW_HSM_SIGNER_FIRST; s <= KW_HSM_SIGNER_LAST; s++) {
        KW_TRY(signer_check(session, (enum kw_hsm_signer)s, err));
    }
    return no_readable_secret(session, err);
}
