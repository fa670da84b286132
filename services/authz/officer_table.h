/* Table officers: which officers' certificates this cell's directories listed when it last started. Of this
 * cell alone: other cells have directories of their own, and who is missing in ours is no matter of theirs.
 * Store's threads. */
#ifndef KW_SERVICES_AUTHZ_OFFICER_TABLE_H
#define KW_SERVICES_AUTHZ_OFFICER_TABLE_H

#include "common/crypto/digest.h"
#include "common/store/row.h"

/* One that is there already stays. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_officer_insert(struct kw_tx *tx, const uint8_t fingerprint[KW_SHA256_LEN],
                                   struct kw_error *err);

struct kw_result kw_officer_delete(struct kw_tx *tx, const uint8_t fingerprint[KW_SHA256_LEN],
                                   struct kw_error *err);

/* Those behind `after`, at most `max`. Fails: STORE_UNAVAILABLE, INTERNAL. */
struct kw_result kw_officer_list(struct kw_tx *tx, struct kw_bytes after, size_t max,
                                 uint8_t (*fingerprints)[KW_SHA256_LEN], size_t *ret_count,
                                 struct kw_error *err);

#endif
