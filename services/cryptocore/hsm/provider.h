/* The provider table: what differs between the HSMs that we know. The only place that knows which
 * HSM it is.
 *
 * The row of SoftHSM is what was measured; the row of AWS CloudHSM is what its Client SDK 5
 * documents, and has never run here: docs/security.md says so.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_PROVIDER_H
#define KW_SERVICES_CRYPTOCORE_HSM_PROVIDER_H

#include "common/base/result.h"
#include "services/cryptocore/hsm/pkcs11.h"

/* Who computes SP 800-108. Both give the same key; a vendor mechanism is one call and no key in our
 * memory. */
enum kw_hsm_kdf {
    KW_HSM_KDF_CMAC_LOOP, /* C_Sign for each block */
    KW_HSM_KDF_MECHANISM, /* the vendor's, on an HSM that has one: `kdf_mechanism` */
};

/* What the HSM makes of a raw ECDH secret. */
enum kw_hsm_ecdh {
    KW_HSM_ECDH_RAW,         /* CKD_NULL: the KDF is ours */
    KW_HSM_ECDH_X963_SHA384, /* in the HSM */
};

/* Who chooses the IV of AES-GCM. We use no GCM in the HSM; code that would must look here. */
enum kw_hsm_gcm_iv {
    KW_HSM_GCM_IV_BY_CALLER,
    KW_HSM_GCM_IV_BY_HSM
};

struct kw_hsm_provider {
    const char *name;
    CK_MECHANISM_TYPE kwp; /* RFC 5649 */
    CK_MECHANISM_TYPE kw;  /* RFC 3394 */
    CK_MECHANISM_TYPE cmac;
    CK_MECHANISM_TYPE kdf_mechanism; /* 0: none */
    enum kw_hsm_kdf kdf;             /* the best it offers */
    enum kw_hsm_ecdh ecdh;
    enum kw_hsm_gcm_iv gcm_iv;
    bool trusted_wrap;       /* CKA_TRUSTED can be set without leaving a key readable on disk */
    bool token_keys_on_disk; /* use copies as session objects: a token object is read at each use */
    bool attribute_templates; /* CKA_UNWRAP_TEMPLATE is honoured */
    bool tamper_is_general;   /* an altered blob is CKR_GENERAL_ERROR, as a broken HSM is */
    size_t blob_len_max;      /* bytes in one cryptographic call */
};

/* The row with this name. Fails: CONFIG_INVALID. */
struct kw_result kw_hsm_provider_find(const char *name, const struct kw_hsm_provider **ret_provider,
                                      struct kw_error *err);

#endif
