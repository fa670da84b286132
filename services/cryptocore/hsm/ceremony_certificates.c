/* What the ceremony signs: the root, issuing CAs, and records of its own. */
#include "common/crypto/sign.h"
#include "services/cryptocore/hsm/ceremony_keys.h"
#include "services/cryptocore/hsm/signer.h"

struct kw_result kw_hsm_ceremony_public_key(struct kw_hsm_ceremony *ceremony,
                                            enum kw_hsm_signer signer, struct kw_buf *ret_spki,
                                            struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    struct kw_spki spki;

    KW_TRY(kw_hsm_signer_key(&ceremony->session, signer, &key, err));
    KW_TRY(kw_private_key_public(&key, &public, err));
    KW_TRY(kw_public_key_spki(&public, &spki, err));
    return kw_buf_append(ret_spki, kw_spki_bytes(&spki), err);
}

struct kw_result kw_hsm_ceremony_root(struct kw_hsm_ceremony *ceremony, const char *name,
                                      const struct kw_validity *validity, struct kw_buf *ret_der,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate root = {0};
    struct kw_ca_plan plan = {
        .subject = &public, .name = name, .validity = *validity, .path_len = 1};

    KW_TRY(kw_hsm_signer_key(&ceremony->session, KW_HSM_ROOT, &key, err));
    KW_TRY(kw_private_key_public(&key, &public, err));
    KW_TRY(kw_certificate_issue_root(&plan, &key, &root, err));
    return kw_certificate_to_der(&root, ret_der, err);
}

/* The key to be certified: another region's, or one of this token's. */
static struct kw_result ca_subject(struct kw_hsm_ceremony *ceremony, const struct kw_hsm_ca *ca,
                                   struct kw_public_key *ret_key, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

    if (ca->spki.len > 0) {
        return kw_public_key_from_spki(ret_key, ca->spki, err);
    }
    KW_TRY(kw_hsm_signer_key(&ceremony->session, ca->signer, &key, err));
    return kw_private_key_public(&key, ret_key, err);
}

struct kw_result kw_hsm_ceremony_ca(struct kw_hsm_ceremony *ceremony, const struct kw_hsm_ca *ca,
                                    struct kw_bytes root_certificate, struct kw_buf *ret_der,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key root_key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate root = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate made = {0};
    struct kw_ca_plan plan = {.subject = &public,
                              .name = ca->name,
                              .region = ca->region,
                              .validity = ca->validity,
                              .path_len = 0};

    KW_ENSURE(ca->signer >= KW_HSM_CA_SERVICES && ca->signer <= KW_HSM_CA_STATIONS, err,
              ARGUMENT_INVALID, "signer %d is no issuing CA", (int)ca->signer);
    KW_TRY(kw_hsm_signer_key(&ceremony->session, KW_HSM_ROOT, &root_key, err));
    KW_TRY(ca_subject(ceremony, ca, &public, err));
    KW_TRY(kw_certificate_from_der(&root, root_certificate, err));
    KW_TRY(kw_certificate_issue_ca(&plan, &(struct kw_issuer){&root, &root_key}, &made, err));
    return kw_certificate_to_der(&made, ret_der, err);
}

/* Verified before it leaves, as everything that the HSM signs. */
struct kw_result kw_hsm_ceremony_sign(struct kw_hsm_ceremony *ceremony, enum kw_hsm_signer signer,
                                      struct kw_bytes message, struct kw_signature *ret_signature,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};

    KW_TRY(kw_hsm_signer_key(&ceremony->session, signer, &key, err));
    KW_TRY(kw_ecdsa_sign(&key, message, ret_signature, err));
    KW_TRY(kw_private_key_public(&key, &public, err));
    return kw_ecdsa_verify(&public, message, kw_signature_bytes(ret_signature), err);
}
