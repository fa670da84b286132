/* Stored keys: sealing a binding, and opening one. Nothing is unwrapped whose MAC was not checked
 * first. */
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
    uint8_t own[KW_HSM_MAC_LEN];

    KW_TRY(binding_mac(session, input, own, err));
    KW_ENSURE(kw_bytes_equal_ct(KW_BYTES_OF(own), KW_BYTES(mac, KW_HSM_MAC_LEN)), err,
              BINDING_INVALID, "binding MAC of a %s key", what);
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
