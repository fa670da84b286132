/* Certificates the core has issued, as messages. Their names and their owners' state are authz's,
 * which fills them in: it knows certificates by their fingerprints. */
#ifndef KW_SERVICES_ORCHESTRATOR_CERTIFICATES_H
#define KW_SERVICES_ORCHESTRATOR_CERTIFICATES_H

#include "services/orchestrator/call.h"

/* Chain `index` of the core's reply, and whom its leaf names. Fails: INTERNAL (there is no such
 * chain), ARGUMENT_INVALID, IDENTITY_INVALID (what came is no certificate of ours). */
struct kw_result kw_issued_certificate(struct kw_call *call, size_t index,
                                       Keyward__V1__IssuedCertificate **ret_certificate,
                                       struct kw_spiffe *ret_identity, struct kw_error *err);

#endif
