/* Table audit: every change made here, with the signed request it was made by, so that anybody can
 * check afterwards that an operator wanted it. Store's threads. */
#ifndef KW_SERVICES_AUTHZ_AUDIT_TABLE_H
#define KW_SERVICES_AUTHZ_AUDIT_TABLE_H

#include "common/store/store.h"

/* Borrowed for the call. */
struct kw_audit_entry {
    uint64_t time_ms;
    const char *caller;          /* SPIFFE id */
    struct kw_bytes certificate; /* the caller's leaf, DER: what checks the signature */
    const char *peer;
    uint32_t method;
    const char *subject;       /* resource name of what changed */
    struct kw_bytes body;      /* the request as sent */
    struct kw_bytes signature; /* value of keyward-signature-bin */
};

/* Fails: STORE_UNAVAILABLE. */
struct kw_result kw_audit_insert(struct kw_tx *tx, const struct kw_audit_entry *entry,
                                 struct kw_error *err);

#endif
