/* ConfirmTransportKey: the owner proves that it opened its transport key. */
#include "services/cryptocore/operations.h"

#include "keyward/v1/enrollment_service.pb-c.h"
#include "services/cryptocore/material.h"

struct kw_result kw_core_confirm_prepare(struct kw_core_call *call, struct kw_error *err)
{
    const Keyward__V1__ConfirmTransportKeyRequest *body =
        (const Keyward__V1__ConfirmTransportKeyRequest *)call->body;
    struct kw_hsm_ptk_confirm confirm;
    const Keyward__Internal__V1__WrappedTransportKey *message = call->request->transport_key;

    KW_TRY(kw_core_items_make(call, 1, err));
    KW_TRY(kw_material_transport(call, &confirm.transport, err));
    KW_ENSURE(confirm.transport.version == body->transport_key_version, err, CAPSULE_INVALID,
              "another version than the one confirmed");
    KW_ENSURE(message->nonce.len == KW_HSM_NONCE_LEN, err, BINDING_INVALID, "nonce has %zu bytes",
              message->nonce.len);
    KW_ENSURE(body->proof.len == KW_HSM_MAC_LEN, err, ARGUMENT_INVALID, "proof has %zu bytes",
              body->proof.len);
    kw_copy(confirm.nonce, message->nonce.data, KW_HSM_NONCE_LEN);
    kw_copy(confirm.proof, body->proof.data, KW_HSM_MAC_LEN);
    kw_core_request_add(call, 0, KW_HSM_PTK_CONFIRM)->ptk_confirm = confirm;
    return KW_OK;
}

struct kw_result kw_core_confirm_complete(struct kw_core_call *call,
                                          const struct kw_hsm_answer *answers, size_t count,
                                          struct kw_error *err)
{
    (void)count;
    (void)err;
    call->items[0].reason = answers[0].result.reason;
    return KW_OK;
}
