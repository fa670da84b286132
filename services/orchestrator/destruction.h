/* Destructions as their officers signed them: `KWZ1` (docs/formats.md). A wrapped key is erased, in every
 * cell, by this and by nothing else: no orchestrator can make one up. It is the request as it came, with
 * its caller's signature and certificate, so that whoever has it can tell. */
#ifndef KW_SERVICES_ORCHESTRATOR_DESTRUCTION_H
#define KW_SERVICES_ORCHESTRATOR_DESTRUCTION_H

#include "common/base/id.h"
#include "common/pki/trust.h"

/* Who is an officer of ours. Release with kw_officers_trust_done. */
struct kw_officers_trust {
    char *trust_domain; /* borrowed */
    struct kw_trust cas;
};

/* By kw_officer_cas_load. Blocks; at start-up. Fails: CONFIG_INVALID, MEMORY. */
struct kw_result kw_officers_trust_load(struct kw_officers_trust *officers, const char *pki_dir,
                                        char *trust_domain, struct kw_error *err);
void kw_officers_trust_done(struct kw_officers_trust *officers);

/* Plain data; borrows. */
struct kw_destruction {
    struct kw_bytes body;        /* DestroyKeyRequest, as sent */
    struct kw_bytes signature;   /* keyward-signature-bin */
    struct kw_bytes certificate; /* the caller's leaf, DER */
};

/* Appends the record. Fails: MEMORY. */
struct kw_result kw_destruction_encode(const struct kw_destruction *destruction,
                                       struct kw_buf *record, struct kw_error *err);

/* Did an officer sign that this key is destroyed? When is not looked at, but that the certificate was good
 * at some time of the signature's: it is believed for good. Fails: ENCODING_INVALID (no record, another
 * key, a dry run, not an officer's, not signed), CRYPTO, MEMORY. */
struct kw_result kw_destruction_prove(struct kw_bytes record, struct kw_id key,
                                      const struct kw_officers_trust *officers,
                                      struct kw_error *err);

#endif
