/* The first officer: who signs the lists of services and the orders about stores. Its certificate lies in pki_dir, where
 * `init` and `complete` put it, in every region the same; nothing that comes over a network replaces it. */
#ifndef KW_COMMON_PKI_OFFICER_H
#define KW_COMMON_PKI_OFFICER_H

#include "common/pki/trust.h"

#define KW_OFFICER_FILE "services.list.pem" /* below pki_dir: certificate of who signed the list */

/* Is it of an operator, by these CAs? Good at the time it began: it may have ended since, and what was signed stays
 * signed. Fails: IDENTITY_INVALID, ARGUMENT_INVALID, MEMORY, CRYPTO. */
struct kw_result kw_officer_check(const struct kw_certificate *certificate,
                                  const struct kw_trust *operators, const char *trust_domain,
                                  struct kw_error *err);

/* The CAs of operators below `pki_dir`. Blocks. Fails: CONFIG_INVALID, MEMORY. */
struct kw_result kw_officer_cas_load(const char *pki_dir, struct kw_trust *ret_operators,
                                     struct kw_error *err);

/* The first officer's key, by the CAs of operators in pki_dir. Blocks. `ret_key` is made here. Fails: CONFIG_INVALID (what
 * is in the files, or not), MEMORY, CRYPTO. */
struct kw_result kw_officer_load(const char *pki_dir, const char *trust_domain,
                                 struct kw_public_key *ret_key, struct kw_error *err);

#endif
