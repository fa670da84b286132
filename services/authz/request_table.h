/* Table requests: what a request id did, written in the transaction of the effect. All functions
 * run on the store's threads; what is said is in the feed, and its columns follow.
 *
 * One that was done in two cells has the earlier one's answer, in both; that there were two is told by the
 * feed, as a conflict. */
#ifndef KW_SERVICES_AUTHZ_REQUEST_TABLE_H
#define KW_SERVICES_AUTHZ_REQUEST_TABLE_H

#include "common/crypto/digest.h"
#include "common/feed/feed.h"
#include "common/store/row.h"

struct kw_request_key {
    struct kw_id caller;
    uint32_t method;
    struct kw_id request;
};

struct kw_request_row {
    uint8_t body_hash[KW_SHA256_LEN];
    struct kw_bytes response; /* the public answer */
    uint64_t created_ms;
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_request_find(struct kw_tx *tx, const struct kw_request_key *key,
                                 struct kw_arena *arena, struct kw_request_row *ret_row,
                                 bool *ret_found, struct kw_error *err);

/* It was done here, now; it had not been found done. Fails: STORE_CONFLICT (another instance has done it
 * meanwhile; then nothing of this one may stay), and as kw_feed_change. */
struct kw_result kw_request_insert(const struct kw_feed_tx *feed_tx,
                                   const struct kw_request_key *key,
                                   const struct kw_request_row *row, struct kw_error *err);

/* Its row of feed_tables.c; see feed.h. */
struct kw_result kw_request_check(const struct kw_record *record, struct kw_error *err);
struct kw_result kw_request_project(struct kw_tx *tx, const struct kw_record *merged,
                                    struct kw_arena *arena, struct kw_error *err);

#endif
