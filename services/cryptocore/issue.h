/* Certificates for callers: what invite.c and enroll.c share. */
#ifndef KW_SERVICES_CRYPTOCORE_ISSUE_H
#define KW_SERVICES_CRYPTOCORE_ISSUE_H

#include "services/cryptocore/call.h"

/* Fills a request for a leaf of `role` and `id` with the key of a PKCS#10 request, whose signature
 * is checked here. Everything is in the call's arena. Fails: ARGUMENT_INVALID, SIGNATURE_INVALID
 * (the request), MEMORY, CRYPTO. */
struct kw_result kw_issue_plan(struct kw_core_call *call, enum kw_hsm_signer issuer,
                               enum kw_role role, struct kw_id id, struct kw_bytes csr,
                               uint64_t life_ms, unsigned usage, struct kw_hsm_issue *ret_issue,
                               struct kw_error *err);

/* Puts the certificate and its issuer into the reply as its next chain. Fails: MEMORY,
 * LIMIT_REACHED. */
struct kw_result kw_issue_chain(struct kw_core_call *call, enum kw_hsm_signer issuer,
                                struct kw_bytes certificate, struct kw_error *err);

/* Hashes a delivered certificate into the item's result, after what is there. Fails: CRYPTO,
 * MEMORY. */
struct kw_result kw_issue_result(struct kw_core_item *item, struct kw_bytes certificate,
                                 struct kw_error *err);

#endif
