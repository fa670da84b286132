/* VERIFY_POSSESSION and PTK_CONFIRM: a pen or a partner proves that it holds the key it was given.
 */
#include "services/cryptocore/hsm/operations.h"

static const char pen_label[] = "KEYWARD-PROV";
static const char ptk_label[] = "KEYWARD-PTK-OK";

struct kw_result kw_hsm_op_verify_possession(struct kw_hsm_session *session, struct kw_arena *arena,
                                             const struct kw_hsm_request *request,
                                             struct kw_hsm_answer *answer, struct kw_error *err)
{
    const struct kw_hsm_possession *p = &request->possession;
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object device = {0};
    struct kw_bytes parts[] = {KW_BYTES(pen_label, sizeof(pen_label) - 1),
                               KW_BYTES_OF(p->challenge), kw_id_bytes(&p->device.device)};
    bool right = false;

    (void)arena;
    (void)answer;
    KW_TRY(kw_hsm_device_open(session, &p->device, &device, err));
    KW_TRY(kw_hsm_cmac_check(session, device.handle, parts, 3, p->tag, &right, err));
    KW_ENSURE(right, err, POSSESSION_UNPROVEN, "the tag is not this device key's");
    return KW_OK;
}

struct kw_result kw_hsm_op_ptk_confirm(struct kw_hsm_session *session, struct kw_arena *arena,
                                       const struct kw_hsm_request *request,
                                       struct kw_hsm_answer *answer, struct kw_error *err)
{
    const struct kw_hsm_ptk_confirm *p = &request->ptk_confirm;
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object transport = {0};
    struct kw_bytes parts[] = {KW_BYTES(ptk_label, sizeof(ptk_label) - 1), KW_BYTES_OF(p->nonce)};
    bool right = false;

    (void)arena;
    (void)answer;
    KW_TRY(kw_hsm_ptk_open(session, &p->transport, KW_HSM_USE_SIGN, &transport, err));
    KW_TRY(kw_hsm_cmac_check(session, transport.handle, parts, 2, p->proof, &right, err));
    KW_ENSURE(right, err, TRANSPORT_KEY_UNCONFIRMED, "the proof is not this transport key's");
    return KW_OK;
}
