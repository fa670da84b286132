/* Admission: whether this call may use keys at all. Everything here happens before the HSM is asked
 * anything. */
#ifndef KW_SERVICES_CRYPTOCORE_ADMIT_H
#define KW_SERVICES_CRYPTOCORE_ADMIT_H

#include "services/cryptocore/call.h"

/* Verifies the capsule against the request (signature by the own cell's authz, freshness, body,
 * method, operation, not used before), that it is no dry run, the receipts' lag, and, where the
 * method row says so, the caller's own signature. Fills the call's capsule, actor and receipt id.
 * Fails: CAPSULE_INVALID, CAPSULE_EXPIRED, CAPSULE_REPLAYED, RECEIPT_LAG, SIGNATURE_INVALID,
 * IDENTITY_INVALID, LIMIT_REACHED, MEMORY, CRYPTO, SYSTEM. */
struct kw_result kw_core_admit(struct kw_core_call *call, struct kw_error *err);

/* The CA whose certificates a caller of this role has. Fails: IDENTITY_INVALID (no caller). */
struct kw_result kw_core_caller_ca(enum kw_role role, enum kw_hsm_signer *ret_ca,
                                   struct kw_error *err);

/* Verifies `der` as a caller's leaf certificate now: chain to the CA of its own role, and exactly
 * one id of ours. `ret_certificate` is made here. Fails: IDENTITY_INVALID, ARGUMENT_INVALID,
 * MEMORY, CRYPTO. */
struct kw_result kw_core_caller_verify(struct kw_core *core, struct kw_bytes der, uint64_t at_ms,
                                       struct kw_certificate *ret_certificate,
                                       struct kw_spiffe *ret_id, struct kw_error *err);

#endif
