/* KEK and MAC key between two HSMs: opened from the ceremony's blob by those who keep the recovery key, wrapped anew
 * for another token's carrier. Without an HSM, offline. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_CARRY_H
#define KW_SERVICES_CRYPTOCORE_HSM_CARRY_H

#include "common/crypto/key.h"
#include "services/cryptocore/hsm/ops.h"

struct kw_hsm_carried_key {
    uint8_t wrapped[KW_HSM_WRAPPED_LEN];
    uint8_t check[KW_HSM_CHECK_LEN];
};

/* Plain data, public. */
struct kw_hsm_carried {
    uint8_t ephemeral[KW_P384_POINT_LEN];
    struct kw_hsm_carried_key kek;
    struct kw_hsm_carried_key mac;
    uint8_t kek_proof
        [KW_HSM_WRAPPED_LEN]; /* the canary's key under the KEK: who has the KEK compares all of it */
};

/* `info` is what the target will agree with. Both keys are in kw_secrets here, for as long as this
 * takes. Fails: ENCODING_INVALID (the blob), BINDING_INVALID (another recovery key's blob, an altered
 * one, a check value that differs), ARGUMENT_INVALID (a key that is not on P-384), MEMORY, CRYPTO. */
struct kw_result kw_hsm_carry(const struct kw_private_key *recovery, struct kw_bytes blob,
                              const struct kw_public_key *carrier, struct kw_bytes info,
                              struct kw_hsm_carried *ret_carried, struct kw_error *err);

#endif
