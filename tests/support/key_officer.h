/* The officer who has keys destroyed in tests of the orchestrator, and the CA that certified it: one in a whole process, so
 * that all cells of a test have the same. */
#ifndef KW_TESTS_SUPPORT_KEY_OFFICER_H
#define KW_TESTS_SUPPORT_KEY_OFFICER_H

#include "common/rpc/methods.h"
#include "services/orchestrator/destruction.h"

#define KEY_OFFICER_DOMAIN "test"

/* Writes ca-operators.pem below `pki_dir`. */
void key_officer_pki(const char *pki_dir);

/* The officer's signature over a request as it is sent, and its certificate, DER. Replaced by the next
 * call. */
struct kw_destruction key_officer_signs(enum kw_method_id method, struct kw_bytes body,
                                        struct kw_id request_id);

/* KWZ1: the officer has this key destroyed. */
void key_officer_destroys(struct kw_id device, struct kw_id key, struct kw_buf *record);

/* From now on it is a caller of this role and trust domain, by the same CA, whose certificate was good until `ended_ms`. */
void key_officer_is(enum kw_role role, const char *trust_domain, uint64_t ended_ms);

/* From now on it is one of another CA, as if there had been none. */
void key_officer_forget(void);

/* Whoever believes that CA. Release with kw_officers_trust_done. */
void key_officer_trust(struct kw_officers_trust *officers);

#endif
