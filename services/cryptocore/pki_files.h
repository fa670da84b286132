/* The certificate authorities of a region and the files they lie in: what init writes and the core reads. */
#ifndef KW_SERVICES_CRYPTOCORE_PKI_FILES_H
#define KW_SERVICES_CRYPTOCORE_PKI_FILES_H

#include "common/pki/trust.h"
#include "services/cryptocore/hsm/ops.h"

#define KW_CORE_CA_COUNT 4
#define KW_CORE_LIST_LEN_MAX (64 * 1024)

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
    struct kw_buf ca_der[KW_CORE_CA_COUNT];   /* to issue under */
    struct kw_trust trust[KW_CORE_CA_COUNT];  /* to verify callers and authz by */
    struct kw_buf services;                   /* the signed list: one SPIFFE id a line, with a NUL at the end */
};

/* Reads what init wrote. Fails: CONFIG_INVALID, MEMORY. */
struct kw_result kw_core_pki_load(struct kw_core_pki *pki, const char *dir, struct kw_error *err);
void kw_core_pki_done(struct kw_core_pki *pki);

/* Is this service's id on the officer-signed list? */
bool kw_core_pki_lists(const struct kw_core_pki *pki, const char *spiffe_id);

/* Appends one DER certificate as PEM. Fails: ARGUMENT_INVALID, MEMORY. */
struct kw_result kw_core_pem_append(struct kw_buf *pem, struct kw_bytes der, struct kw_error *err);

#endif
