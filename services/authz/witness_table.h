/* Table witness: the last receipt head seen of each chain. Store's threads. */
#ifndef KW_SERVICES_AUTHZ_WITNESS_TABLE_H
#define KW_SERVICES_AUTHZ_WITNESS_TABLE_H

#include "common/audit/capsule.h"
#include "common/store/store.h"

/* A higher number of the same chain replaces a lower one. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_witness_store(struct kw_tx *tx, const struct kw_witness *witness,
                                  uint64_t now_ms, struct kw_error *err);

/* One page: at most `max` chains behind the one of `after` (all zero: from the beginning), in the
 * order of their ids. Fails: STORE_UNAVAILABLE, INTERNAL. */
struct kw_result kw_witness_list(struct kw_tx *tx, const struct kw_witness *after, size_t max,
                                 struct kw_witness *rows, size_t *ret_count, struct kw_error *err);

/* The one stored last; all zero when there is none. Fails: STORE_UNAVAILABLE, INTERNAL. */
struct kw_result kw_witness_load(struct kw_tx *tx, struct kw_witness *ret_witness,
                                 struct kw_error *err);

#endif
