/* Table certificates: which leaf certificates may call, and whose they are. All functions run on
 * the store's threads; what is said is in the feed, and its columns follow. */
#ifndef KW_SERVICES_AUTHZ_CERTIFICATE_TABLE_H
#define KW_SERVICES_AUTHZ_CERTIFICATE_TABLE_H

#include "common/crypto/digest.h"
#include "common/feed/feed.h"
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
    bool revoked; /* or on hold. Read only */
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL. */
struct kw_result kw_certificate_find(struct kw_tx *tx, const uint8_t fingerprint[KW_SHA256_LEN],
                                     struct kw_certificate_row *ret_row, bool *ret_found,
                                     struct kw_error *err);

/* One that is there already stays as it is, revocation included. Fails: as kw_feed_change. */
struct kw_result kw_certificate_insert(const struct kw_feed_tx *feed_tx,
                                       const struct kw_certificate_row *row, struct kw_error *err);

/* For good. Fails: as kw_feed_change. */
struct kw_result kw_certificate_revoke(const struct kw_feed_tx *feed_tx,
                                       const uint8_t fingerprint[KW_SHA256_LEN], uint64_t now_ms,
                                       struct kw_error *err);

/* All there are of an owner, for good; how many were not revoked before. Fails: as kw_feed_change. */
struct kw_result kw_certificate_revoke_all(const struct kw_feed_tx *feed_tx, struct kw_id owner,
                                           uint64_t now_ms, int64_t *ret_count,
                                           struct kw_error *err);

/* Its row of feed_tables.c; see feed.h. */
struct kw_result kw_certificate_check(const struct kw_record *record, struct kw_error *err);
bool kw_certificate_disables(const struct kw_record *change);
struct kw_result kw_certificate_project(struct kw_tx *tx, const struct kw_record *merged,
                                        struct kw_arena *arena, struct kw_error *err);

#endif
