/* The record KWI1, and the operator's signature in it. */
#include "common/audit/invitation.h"

#include "common/audit/record.h"
#include "common/audit/request_signature.h"

#define MAGIC "KWI1"

static bool complete(const struct kw_invitation *invitation)
{
    return kw_record_text(invitation->method, UINT16_MAX) &&
           invitation->request_id.len == KW_ID_LEN && invitation->body.len > 0 &&
           invitation->signature.len > 0 && invitation->certificate.len > 0;
}

struct kw_result kw_invitation_encode(const struct kw_invitation *invitation, struct kw_buf *out,
                                      struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    KW_ENSURE(complete(invitation), err, ARGUMENT_INVALID, "invitation with an empty field");
    kw_put_raw(&w, KW_BYTES(MAGIC, KW_MAGIC_LEN));
    kw_put_var(&w, invitation->method);
    kw_put_var(&w, invitation->body);
    kw_put_raw(&w, invitation->request_id);
    kw_put_var(&w, invitation->signature);
    kw_put_var(&w, invitation->certificate);
    return kw_writer_end(&w, err);
}

struct kw_result kw_invitation_decode(struct kw_bytes record, struct kw_invitation *ret_invitation,
                                      struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_invitation invitation;

    KW_ENSURE(kw_record_starts(&r, MAGIC), err, ENCODING_INVALID, "not an invitation");
    invitation.method = kw_get_text(&r);
    invitation.body = kw_get_var(&r);
    invitation.request_id = kw_get_raw(&r, KW_ID_LEN);
    invitation.signature = kw_get_var(&r);
    invitation.certificate = kw_get_var(&r);
    KW_TRY(kw_reader_end(&r, "invitation", err));
    KW_ENSURE(complete(&invitation), err, ENCODING_INVALID, "invitation with an empty field");
    *ret_invitation = invitation;
    return KW_OK;
}

struct kw_result kw_invitation_verify(const struct kw_invitation *invitation,
                                      const struct kw_public_key *operator_key,
                                      struct kw_error *err)
{
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_signed_request request = {
        .method = invitation->method, .request_id = invitation->request_id, .body_hash = body_hash};

    KW_TRY(kw_sha256(invitation->body, body_hash, err));
    return kw_request_signature_verify(operator_key, &request, invitation->signature, err);
}
