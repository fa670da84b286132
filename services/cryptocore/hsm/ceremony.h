/* The ceremony: makes the keys of a fresh token (docs/formats.md, `KWB1`). Offline, used by
 * `keyward-cryptocore init`.
 *
 * Blocking, single-threaded, in the process that calls it: no worker, no loop.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_CEREMONY_H
#define KW_SERVICES_CRYPTOCORE_HSM_CEREMONY_H

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

/* The public key of a signing key, as DER SubjectPublicKeyInfo, appended to `ret_spki`. Fails:
 * HSM_KEY_MISSING, HSM_*. */
struct kw_result kw_hsm_ceremony_public_key(struct kw_hsm_ceremony *ceremony,
                                            enum kw_hsm_signer signer, struct kw_buf *ret_spki,
                                            struct kw_error *err);

/* The self-signed certificate of the root, and of an issuing CA by the root, as DER appended to
 * `ret_der`. Only here: no worker makes a CA. Fails: ARGUMENT_INVALID, HSM_*, CRYPTO. */
struct kw_result kw_hsm_ceremony_root(struct kw_hsm_ceremony *ceremony, const char *name,
                                      const struct kw_validity *validity, struct kw_buf *ret_der,
                                      struct kw_error *err);
struct kw_result kw_hsm_ceremony_ca(struct kw_hsm_ceremony *ceremony, enum kw_hsm_signer ca,
                                    struct kw_bytes root_certificate, const char *name,
                                    const struct kw_validity *validity, struct kw_buf *ret_der,
                                    struct kw_error *err);

/* Runs one operation in this process: certificates of the services and of the first officers.
 * The answer points into the ceremony and lives until the next call. Fails: as the operation. */
struct kw_result kw_hsm_ceremony_run(struct kw_hsm_ceremony *ceremony,
                                     const struct kw_hsm_request *request,
                                     struct kw_hsm_answer *ret_answer, struct kw_error *err);

#endif
