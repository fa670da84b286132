/* The ceremony: makes the keys of a fresh token (docs/formats.md, `KWB1`). Offline, used by
 * `keyward-cryptocore init`.
 *
 * Blocking, single-threaded, in the process that calls it: no worker, no loop.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_CEREMONY_H
#define KW_SERVICES_CRYPTOCORE_HSM_CEREMONY_H

#include "common/crypto/sign.h"
#include "services/cryptocore/hsm/carry.h"
#include "services/cryptocore/hsm/ops.h"

struct kw_hsm_ceremony;

struct kw_hsm_token {
    const char *provider; /* as in struct kw_hsm_settings */
    const char *module_path;
    const char *token_label;
    const char *pin_path;
    const char *lock_path;
};

/* What a ceremony leaves to be kept and compared. Release with kw_hsm_keys_made_done. */
struct kw_hsm_keys_made {
    uint8_t
        kek_check[KW_HSM_CHECK_LEN]; /* of version 1: equal in every HSM that holds the same key */
    uint8_t mac_check[KW_HSM_CHECK_LEN];
    struct kw_buf blob; /* KWB1: both keys wrapped for the recovery key (docs/formats.md) */
};

/* Loads the module and logs in. Fails: CONFIG_INVALID, HSM_LOGIN_REFUSED, HSM_UNAVAILABLE. */
struct kw_result kw_hsm_ceremony_new(const struct kw_hsm_token *token,
                                     struct kw_hsm_ceremony **ret_ceremony, struct kw_error *err);
void kw_hsm_ceremony_free(struct kw_hsm_ceremony *ceremony);

/* KEK and MAC key version 1, the canary, and the P-384 signing keys. `recovery_spki` is the DER
 * public key (P-384) of those who keep the blob. Refuses a token that already holds any object of
 * these labels. On failure objects that were made are removed again. Fails: ALREADY_EXISTS,
 * ARGUMENT_INVALID (recovery key), CRYPTO, HSM_*. */
struct kw_result kw_hsm_ceremony_make(struct kw_hsm_ceremony *ceremony,
                                      struct kw_bytes recovery_spki,
                                      struct kw_hsm_keys_made *ret_made, struct kw_error *err);
void kw_hsm_keys_made_done(struct kw_hsm_keys_made *made);

/* Removes the keys that this ceremony made, for a caller that could not keep what belongs to them: the token is fresh
 * for the next try. Nothing when there are none; `ceremony` may be NULL. */
void kw_hsm_ceremony_unmake(struct kw_hsm_ceremony *ceremony);

/* A further region, first step: the issuing CAs' keys, the checkpoint key and the carrier, of a fresh
 * token; its root is the first region's. On failure what was made is removed. Fails:
 * ALREADY_EXISTS, HSM_*. */
struct kw_result kw_hsm_ceremony_prepare(struct kw_hsm_ceremony *ceremony, struct kw_error *err);

/* Second step: KEK and MAC key are unwrapped into the HSM, with the attributes of a fresh ceremony,
 * and compared by check value and proof; the canary is made. On failure, and by
 * kw_hsm_ceremony_unmake, the token is as it was after the first step. Fails: ALREADY_EXISTS (it has
 * such keys), HSM_KEY_MISSING (it waits for none), BINDING_INVALID (wrapped for another carrier or
 * info, altered, another check value, another KEK), HSM_*, CRYPTO, MEMORY. */
struct kw_result kw_hsm_ceremony_receive(struct kw_hsm_ceremony *ceremony,
                                         const struct kw_hsm_carried *carried, struct kw_bytes info,
                                         struct kw_error *err);

/* The end of it: the carrier is destroyed, and nothing comes by it again. Fails: HSM_*. */
struct kw_result kw_hsm_ceremony_finish(struct kw_hsm_ceremony *ceremony, struct kw_error *err);

/* Are the keys that were carried those of this token? Fails: BINDING_INVALID (they are not), HSM_*. */
struct kw_result kw_hsm_ceremony_compare(struct kw_hsm_ceremony *ceremony,
                                         const struct kw_hsm_carried *carried,
                                         struct kw_error *err);

/* Which token it is, as its maker says. */
struct kw_hsm_token_info {
    char label[33];
    char maker[33];
    char model[17];
    char serial[17];
};

/* Fails: HSM_UNAVAILABLE. */
struct kw_result kw_hsm_ceremony_token(struct kw_hsm_ceremony *ceremony,
                                       struct kw_hsm_token_info *ret_info, struct kw_error *err);

/* The public key of a signing key, as DER SubjectPublicKeyInfo, appended to `ret_spki`. Fails:
 * HSM_KEY_MISSING, HSM_*. */
struct kw_result kw_hsm_ceremony_public_key(struct kw_hsm_ceremony *ceremony,
                                            enum kw_hsm_signer signer, struct kw_buf *ret_spki,
                                            struct kw_error *err);

/* An issuing CA to be certified. All borrowed. */
struct kw_hsm_ca {
    enum kw_hsm_signer signer;
    const char *name;
    const char *region;
    struct kw_validity validity;
    struct kw_bytes spki; /* another token's key; empty: this one's */
};

/* The self-signed certificate of the root, and of an issuing CA by the root, as DER appended to
 * `ret_der`. Only here: no worker makes a CA. Fails: ARGUMENT_INVALID, HSM_*, CRYPTO. */
struct kw_result kw_hsm_ceremony_root(struct kw_hsm_ceremony *ceremony, const char *name,
                                      const struct kw_validity *validity, struct kw_buf *ret_der,
                                      struct kw_error *err);
struct kw_result kw_hsm_ceremony_ca(struct kw_hsm_ceremony *ceremony, const struct kw_hsm_ca *ca,
                                    struct kw_bytes root_certificate, struct kw_buf *ret_der,
                                    struct kw_error *err);

/* ECDSA by one of the token's keys over a message that begins with a label of its own. Fails:
 * HSM_KEY_MISSING, HSM_*, CRYPTO, SIGNATURE_INVALID (what the HSM made doesn't verify). */
struct kw_result kw_hsm_ceremony_sign(struct kw_hsm_ceremony *ceremony, enum kw_hsm_signer signer,
                                      struct kw_bytes message, struct kw_signature *ret_signature,
                                      struct kw_error *err);

/* Runs one operation in this process: certificates of the services and of the first officers.
 * The answer points into the ceremony and lives until the next call. Fails: as the operation. */
struct kw_result kw_hsm_ceremony_run(struct kw_hsm_ceremony *ceremony,
                                     const struct kw_hsm_request *request,
                                     struct kw_hsm_answer *ret_answer, struct kw_error *err);

#endif
