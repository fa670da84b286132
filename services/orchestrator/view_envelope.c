/* Envelopes as partners see them: the record, and its fields repeated. */
#include "services/orchestrator/view.h"

#include <assert.h>

static_assert(KEYWARD__V1__KEY_OPERATION__KEY_OPERATION_RELEASE_KEY == (int)KW_ENVELOPE_KEY, "");
static_assert(KEYWARD__V1__KEY_OPERATION__KEY_OPERATION_DERIVE_SESSION == (int)KW_ENVELOPE_SESSION,
              "");

struct kw_result kw_view_envelope(struct kw_view *view, struct kw_bytes sealed,
                                  Keyward__V1__KeyEnvelope **ret_envelope, struct kw_error *err)
{
    Keyward__V1__KeyEnvelope *shown = kw_view_message(view, &keyward__v1__key_envelope__descriptor);
    struct kw_envelope envelope;

    KW_TRY(kw_envelope_decode(sealed, &envelope, err));
    shown->sealed = kw_view_bytes(view, sealed);
    shown->device = kw_view_name(view, KW_RESOURCE_DEVICE, envelope.device);
    shown->device_id = kw_view_id_bytes(view, envelope.device);
    shown->partner = kw_view_name(view, KW_RESOURCE_PARTNER, envelope.partner);
    shown->epoch = envelope.epoch;
    shown->suite = (Keyward__V1__CipherSuite)envelope.suite;
    shown->operation = (Keyward__V1__KeyOperation)envelope.kind;
    shown->transport_key_version = envelope.ptk_version;
    shown->wrapped_key = kw_view_bytes(view, envelope.wrapped);
    shown->issue_time = kw_view_time(view, envelope.issued_ms);
    shown->expire_time = kw_view_time(view, envelope.expires_ms);
    shown->receipt = kw_view_name(view, KW_RESOURCE_RECEIPT, envelope.receipt);
    shown->issuer_region = kw_view_text(view, envelope.region);
    shown->mac = kw_view_bytes(view, envelope.mac);
    *ret_envelope = shown;
    return kw_view_whole(view, err);
}
