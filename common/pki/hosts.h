/* The DNS names and addresses a leaf was issued for, beside its SPIFFE id: what a renewal must
 * carry over. */
#ifndef KW_COMMON_PKI_HOSTS_H
#define KW_COMMON_PKI_HOSTS_H

#include "common/base/arena.h"
#include "common/pki/certificate.h"

/* Is it a DNS name such as we issue: letters, digits, dots and hyphens, at most 253 of them? */
bool kw_host_is_dns(const char *host);

/* As texts in the arena, in the form kw_leaf_plan takes. Fails: ARGUMENT_INVALID (more than
 * KW_LEAF_HOSTS_MAX, or a name we would not issue), MEMORY. */
struct kw_result kw_certificate_hosts(const struct kw_certificate *certificate,
                                      struct kw_arena *arena, const char *const **ret_hosts,
                                      size_t *ret_count, struct kw_error *err);

#endif
