/* The certificate authorities of a region and the files they lie in: what init writes and the core
 * reads. */
#ifndef KW_SERVICES_CRYPTOCORE_PKI_FILES_H
#define KW_SERVICES_CRYPTOCORE_PKI_FILES_H

#include "common/pki/officer.h"
#include "services/cryptocore/hsm/ops.h"

#define KW_CORE_CA_COUNT     4
#define KW_CORE_LIST_LEN_MAX (64 * 1024)
#define KW_CORE_LIST_OFFICER KW_OFFICER_FILE

struct kw_core_ca {
    enum kw_hsm_signer signer;
    const char *file; /* below pki/ */
    const char *common_name;
};

extern const struct kw_core_ca kw_core_cas[KW_CORE_CA_COUNT];

/* The row of an issuing CA; `signer` must be one. */
size_t kw_core_ca_index(enum kw_hsm_signer signer);

/* What the running core knows of its own PKI. Release with kw_core_pki_done. */
struct kw_core_pki {
    struct kw_buf ca_der[KW_CORE_CA_COUNT];  /* to issue under */
    struct kw_trust trust[KW_CORE_CA_COUNT]; /* to verify callers (all regions') and authz by */
    struct kw_buf services;    /* the signed list: one SPIFFE id a line, with a NUL at the end */
    struct kw_buf officer_der; /* certificate of the officer who signed it */
};

/* Reads what init wrote; the list counts only with the signature of its officer, an operator of
 * ours, whose certificate lies beside it (it may have expired: the list was signed before). Fails:
 * CONFIG_INVALID, IDENTITY_INVALID, SIGNATURE_INVALID, MEMORY, CRYPTO. */
struct kw_result kw_core_pki_load(struct kw_core_pki *pki, const char *dir,
                                  const char *trust_domain, struct kw_error *err);
void kw_core_pki_done(struct kw_core_pki *pki);

/* Reads the CAs of callers again: all of them are replaced, or none. Fails: CONFIG_INVALID, MEMORY. */
struct kw_result kw_core_pki_callers(struct kw_core_pki *pki, const char *dir,
                                     struct kw_error *err);

/* Is this service's id on the officer-signed list? */
bool kw_core_pki_lists(const struct kw_core_pki *pki, const char *spiffe_id);

/* Does an officer's deny entry name this service? Entries are lines of services.deny in `dir`, read
 * anew each time; no such file, no entries. A disabling statement needs no signature. Fails:
 * CONFIG_INVALID (unreadable), MEMORY. */
struct kw_result kw_core_pki_denies(const char *dir, const char *spiffe_id, bool *ret_denied,
                                    struct kw_error *err);

/* The first officer's signature over the list of services. Fails: SIGNATURE_INVALID, MEMORY,
 * CRYPTO. */
struct kw_result kw_core_list_verify(const struct kw_public_key *officer, struct kw_bytes list,
                                     struct kw_bytes signature, struct kw_error *err);

/* Appends one DER certificate as PEM. Fails: ARGUMENT_INVALID, MEMORY. */
struct kw_result kw_core_pem_append(struct kw_buf *pem, struct kw_bytes der, struct kw_error *err);

#endif
