/* Table requests: what a request id did, written in the transaction of the effect; what is on the feed
 * (request_feed.h), in columns. Of two cells that both did it the earlier one's answer is here. All
 * functions run on the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_REQUEST_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_REQUEST_TABLE_H

#include "common/crypto/digest.h"
#include "common/store/row.h"

struct kw_request_key {
    const char *caller; /* SPIFFE id */
    uint32_t method;
    struct kw_id request;
    uint32_t first; /* first item of the capsule's range: each range is a request of its own */
};

/* Every kw_bytes is in the arena it was read into, or borrowed from whoever filled the struct. */
struct kw_request_row {
    uint8_t content[KW_SHA256_LEN]; /* digest of what the request id stands for */
    struct kw_bytes response;       /* the public answer */
    struct kw_bytes outcome;        /* the Outcome that went with it */
    uint64_t created_ms;
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_request_find(struct kw_tx *tx, const struct kw_request_key *key,
                                 struct kw_arena *arena, struct kw_request_row *ret_row,
                                 bool *ret_found, struct kw_error *err);

/* Writes the columns of one request. */
struct kw_result kw_request_put(struct kw_tx *tx, const struct kw_request_key *key,
                                const struct kw_request_row *row, struct kw_error *err);

#endif
