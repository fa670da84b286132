/* Table certificates: which leaf certificates may call, and whose they are. All functions run on
 * the store's threads. */
#ifndef KW_SERVICES_AUTHZ_CERTIFICATE_TABLE_H
#define KW_SERVICES_AUTHZ_CERTIFICATE_TABLE_H

#include "common/crypto/digest.h"
#include "common/rpc/methods.h"
#include "common/store/row.h"

struct kw_certificate_row {
    uint8_t fingerprint[KW_SHA256_LEN];
    const char *name; /* as the caller was told; "" where it has none. Written, not read back */
    enum kw_caller_role role;
    struct kw_id owner; /* partner, station, operator or invitation */
    uint64_t start_ms;
    uint64_t expire_ms;
    uint64_t created_ms;
    bool revoked; /* read only */
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL. */
struct kw_result kw_certificate_find(struct kw_tx *tx, const uint8_t fingerprint[KW_SHA256_LEN],
                                     struct kw_certificate_row *ret_row, bool *ret_found,
                                     struct kw_error *err);

/* One that is there already stays as it is, revocation included. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_certificate_insert(struct kw_tx *tx, const struct kw_certificate_row *row,
                                       struct kw_error *err);

/* For good. One that is revoked, or unknown, stays as it is. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_certificate_revoke(struct kw_tx *tx, const uint8_t fingerprint[KW_SHA256_LEN],
                                       uint64_t now_ms, struct kw_error *err);

/* All there are of an owner, for good; how many were not revoked before. Fails: STORE_UNAVAILABLE.
 */
struct kw_result kw_certificate_revoke_all(struct kw_tx *tx, struct kw_id owner, uint64_t now_ms,
                                           int64_t *ret_count, struct kw_error *err);

/* The fingerprints of all unrevoked certificates of a role behind `after`, at most `max`. Fails:
 * STORE_UNAVAILABLE, INTERNAL. */
struct kw_result kw_certificate_list(struct kw_tx *tx, enum kw_caller_role role,
                                     struct kw_bytes after, size_t max,
                                     uint8_t (*fingerprints)[KW_SHA256_LEN], size_t *ret_count,
                                     struct kw_error *err);

#endif
