/* The signature and the schedule. */
#include "common/pki/renewal.h"

#include "common/crypto/digest.h"

#define LABEL       "KEYWARD-RENEW-v1"
#define LABEL_LEN   (sizeof(LABEL) - 1)
#define MESSAGE_LEN (LABEL_LEN + KW_SHA256_LEN)

static struct kw_result message_make(struct kw_bytes csr, uint8_t message[MESSAGE_LEN],
                                     struct kw_error *err)
{
    kw_copy(message, LABEL, LABEL_LEN);
    return kw_sha256(csr, message + LABEL_LEN, err);
}

struct kw_result kw_renewal_sign(const struct kw_private_key *present, struct kw_bytes csr,
                                 struct kw_signature *ret_signature, struct kw_error *err)
{
    uint8_t message[MESSAGE_LEN];

    KW_TRY(message_make(csr, message, err));
    return kw_ecdsa_sign(present, KW_BYTES_OF(message), ret_signature, err);
}

struct kw_result kw_renewal_verify(const struct kw_public_key *present, struct kw_bytes csr,
                                   struct kw_bytes signature, struct kw_error *err)
{
    uint8_t message[MESSAGE_LEN];

    KW_TRY(message_make(csr, message, err));
    return kw_ecdsa_verify(present, KW_BYTES_OF(message), signature, err);
}

uint64_t kw_renewal_due_ms(const struct kw_validity *validity, uint32_t spread)
{
    uint64_t life_ms = validity->not_after_ms - validity->not_before_ms;

    return validity->not_before_ms + life_ms / 2 + life_ms / 8 * spread / UINT32_MAX;
}
