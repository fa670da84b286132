/* Stored keys: sealing a binding, opening one, and proving that a new one can be opened. Nothing is
 * unwrapped whose MAC was not checked first. */
#include "services/cryptocore/hsm/operations.h"

static struct kw_result binding_mac(struct kw_hsm_session *session, struct kw_bytes input,
                                    uint8_t ret_mac[KW_HSM_MAC_LEN], struct kw_error *err)
{
    return kw_hsm_cmac(session, session->mac_key, &input, 1, ret_mac, err);
}

static struct kw_result binding_check(struct kw_hsm_session *session, struct kw_bytes input,
                                      const uint8_t mac[KW_HSM_MAC_LEN], const char *what,
                                      struct kw_error *err)
{
    bool right = false;

    KW_TRY(kw_hsm_cmac_check(session, session->mac_key, &input, 1, mac, &right, err));
    KW_ENSURE(right, err, BINDING_INVALID, "binding MAC of a %s key", what);
    return KW_OK;
}

struct kw_result kw_hsm_key_binding_seal(struct kw_hsm_session *session,
                                         struct kw_key_binding *binding, struct kw_error *err)
{
    uint8_t input[KW_KEY_BINDING_INPUT_LEN];

    KW_TRY(kw_key_binding_input(binding, input, err));
    return binding_mac(session, KW_BYTES_OF(input), binding->mac, err);
}

struct kw_result kw_hsm_ptk_binding_seal(struct kw_hsm_session *session,
                                         struct kw_ptk_binding *binding, struct kw_error *err)
{
    uint8_t input[KW_PTK_BINDING_INPUT_LEN];

    KW_TRY(kw_ptk_binding_input(binding, input, err));
    return binding_mac(session, KW_BYTES_OF(input), binding->mac, err);
}

struct kw_result kw_hsm_key_binding_verify(struct kw_hsm_session *session,
                                           const struct kw_key_binding *binding,
                                           struct kw_error *err)
{
    uint8_t input[KW_KEY_BINDING_INPUT_LEN];

    KW_TRY(kw_key_binding_input(binding, input, err));
    return binding_check(session, KW_BYTES_OF(input), binding->mac, "device", err);
}

struct kw_result kw_hsm_device_open(struct kw_hsm_session *session,
                                    const struct kw_key_binding *binding,
                                    struct kw_hsm_object *ret_key, struct kw_error *err)
{
    CK_OBJECT_HANDLE kek;

    KW_TRY(kw_hsm_key_binding_verify(session, binding, err));
    KW_TRY(kw_hsm_session_kek(session, binding->kek_version, &kek, err));
    return kw_hsm_key_unwrap(session, kek, KW_BYTES_OF(binding->wrapped), KW_HSM_USE_SIGN, ret_key,
                             err);
}

struct kw_result kw_hsm_ptk_open(struct kw_hsm_session *session,
                                 const struct kw_ptk_binding *binding, unsigned uses,
                                 struct kw_hsm_object *ret_key, struct kw_error *err)
{
    uint8_t input[KW_PTK_BINDING_INPUT_LEN];
    CK_OBJECT_HANDLE kek;

    KW_TRY(kw_ptk_binding_input(binding, input, err));
    KW_TRY(binding_check(session, KW_BYTES_OF(input), binding->mac, "transport", err));
    KW_TRY(kw_hsm_session_kek(session, binding->kek_version, &kek, err));
    return kw_hsm_key_unwrap(session, kek, KW_BYTES_OF(binding->wrapped), uses, ret_key, err);
}

/* Opened as it will be later, it is the key that was wrapped: what the HSM refuses of what it just
 * made, or knows otherwise, it made wrongly. */
static struct kw_result proven(struct kw_hsm_session *session, struct kw_result opened,
                               CK_OBJECT_HANDLE key, const uint8_t check[KW_HSM_CHECK_LEN],
                               struct kw_error *err)
{
    uint8_t own[KW_HSM_CHECK_LEN];

    if (opened.reason == KW_E_BINDING_INVALID) {
        return kw_hsm_session_distrust(session, "it does not open what it wrapped", err);
    }
    KW_TRY(opened);
    KW_TRY(kw_hsm_check_value(session, key, own, err));
    return kw_bytes_equal(KW_BYTES_OF(own), KW_BYTES(check, KW_HSM_CHECK_LEN))
               ? KW_OK
               : kw_hsm_session_distrust(session, "a wrapped key came back as another", err);
}

struct kw_result kw_hsm_device_prove(struct kw_hsm_session *session,
                                     const struct kw_key_binding *binding, struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
    struct kw_result opened = kw_hsm_device_open(session, binding, &key, err);

    return proven(session, opened, key.handle, binding->check, err);
}

struct kw_result kw_hsm_ptk_prove(struct kw_hsm_session *session,
                                  const struct kw_ptk_binding *binding, struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
    struct kw_result opened = kw_hsm_ptk_open(session, binding, KW_HSM_USE_SIGN, &key, err);

    return proven(session, opened, key.handle, binding->check, err);
}
