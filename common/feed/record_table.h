/* Table feed_records: the merged record of every row. */
#ifndef KW_COMMON_FEED_RECORD_TABLE_H
#define KW_COMMON_FEED_RECORD_TABLE_H

#include "common/base/arena.h"
#include "common/store/store.h"
#include "common/sync/record_kind.h"

/* All of these fail as the store does. */

/* The encoded record, in the arena. Fails also: MEMORY. */
struct kw_result kw_record_row_find(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes key, struct kw_arena *arena,
                                    struct kw_bytes *ret_record, bool *ret_found,
                                    struct kw_error *err);

/* Inserts it (`old` empty), or puts it in the place of `old`. `*ret_done` false: somebody else
 * changed the row meanwhile, and it is to be read and merged again. */
struct kw_result kw_record_row_store(struct kw_tx *tx, const struct kw_record_kind *kind,
                                     struct kw_bytes key, struct kw_bytes old,
                                     struct kw_bytes record, bool *ret_done, struct kw_error *err);

/* By key, those after `after`: key and record, in the arena. Fails also: MEMORY. */
struct kw_record_row {
    struct kw_bytes key;
    struct kw_bytes record;
};
struct kw_result kw_record_row_list(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes after, struct kw_arena *arena,
                                    struct kw_record_row *rows, size_t max, size_t *ret_count,
                                    struct kw_error *err);

#endif
