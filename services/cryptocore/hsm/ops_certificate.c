/* ISSUE_CERTIFICATE: a leaf by an issuing CA, built here and signed in the HSM.
 * SIGN_CHECKPOINT: the checkpoint key's signature, under its own label. */
#include "common/crypto/sign.h"
#include "services/cryptocore/hsm/operations.h"
#include "services/cryptocore/hsm/signer.h"

static const char checkpoint_label[] = "KEYWARD-CKPT-v1";

static struct kw_result leaf_make(const struct kw_hsm_issue *i, const struct kw_private_key *ca,
                                  struct kw_buf *ret_der, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate issuer = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    struct kw_spiffe identity;
    struct kw_leaf_plan plan = {
        .subject = &subject,
        .identity = &identity,
        .validity = i->validity,
        .usage = i->usage,
        .hosts = i->hosts,
        .host_count = i->host_count,
    };

    KW_TRY(kw_spiffe_parse(kw_bytes_str(i->spiffe_id), &identity, err));
    KW_TRY(kw_public_key_from_spki(&subject, i->spki, err));
    KW_TRY(kw_certificate_from_der(&issuer, i->issuer_certificate, err));
    KW_TRY(kw_certificate_issue(&plan, &(struct kw_issuer){&issuer, ca}, &leaf, err));
    return kw_certificate_to_der(&leaf, ret_der, err);
}

struct kw_result kw_hsm_op_issue_certificate(struct kw_hsm_session *session, struct kw_arena *arena,
                                             const struct kw_hsm_request *request,
                                             struct kw_hsm_answer *answer, struct kw_error *err)
{
    const struct kw_hsm_issue *i = &request->issue;
    KW_SCOPED(kw_private_key_done) struct kw_private_key ca = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};

    KW_ENSURE(i->issuer >= KW_HSM_CA_SERVICES && i->issuer <= KW_HSM_CA_STATIONS, err,
              ARGUMENT_INVALID, "signer %d is no issuing CA", (int)i->issuer);
    KW_TRY(kw_hsm_signer_key(session, i->issuer, &ca, err));
    KW_TRY(kw_hsm_signer_judge(session, leaf_make(i, &ca, &der, err), err));
    return kw_arena_copy(arena, kw_buf_bytes(&der), &answer->certificate, err);
}

/* Verified before it leaves: nobody could make a wrong checkpoint right later. */
static struct kw_result sign(const struct kw_private_key *key, struct kw_bytes message,
                             struct kw_signature *ret_signature, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};

    KW_TRY(kw_ecdsa_sign(key, message, ret_signature, err));
    KW_TRY(kw_private_key_public(key, &public, err));
    return kw_ecdsa_verify(&public, message, kw_signature_bytes(ret_signature), err);
}

struct kw_result kw_hsm_op_sign_checkpoint(struct kw_hsm_session *session, struct kw_arena *arena,
                                           const struct kw_hsm_request *request,
                                           struct kw_hsm_answer *answer, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_signature signature;

    KW_TRY(kw_hsm_signer_key(session, KW_HSM_CHECKPOINT, &key, err));
    KW_TRY(kw_buf_append(&message, KW_BYTES(checkpoint_label, sizeof(checkpoint_label) - 1), err));
    KW_TRY(kw_buf_append(&message, request->checkpoint.content, err));
    KW_TRY(kw_hsm_signer_judge(session, sign(&key, kw_buf_bytes(&message), &signature, err), err));
    return kw_arena_copy(arena, kw_signature_bytes(&signature), &answer->signature, err);
}
