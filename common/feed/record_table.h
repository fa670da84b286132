/* Table feed_records: the merged record of every row, with its digest. Storing a row counts it in the
 * sum of its bucket (digest_table.h), here and nowhere else. */
#ifndef KW_COMMON_FEED_RECORD_TABLE_H
#define KW_COMMON_FEED_RECORD_TABLE_H

#include "common/base/arena.h"
#include "common/crypto/digest.h"
#include "common/store/store.h"
#include "common/sync/record_kind.h"

/* Plain data; key and record borrow. */
struct kw_record_row {
    struct kw_bytes key;
    struct kw_bytes record;
    uint8_t digest[KW_SHA256_LEN]; /* SHA-256 of the record; zeros: known to be damaged */
    bool damaged;                  /* the record is not the one whose digest that is */
};

/* All of these fail as the store does, and with CRYPTO. */

/* In the arena. Fails also: MEMORY, INTERNAL (it is damaged). */
struct kw_result kw_record_row_find(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes key, struct kw_arena *arena,
                                    struct kw_record_row *ret_row, bool *ret_found,
                                    struct kw_error *err);

/* The same, also of one that is damaged. */
struct kw_result kw_record_row_look(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes key, struct kw_arena *arena,
                                    struct kw_record_row *ret_row, bool *ret_found,
                                    struct kw_error *err);

/* Inserts it (`old` NULL), or puts it in the place of `old`. `*ret_done` false: somebody else
 * changed the row meanwhile, and it is to be read and merged again. */
struct kw_result kw_record_row_store(struct kw_tx *tx, uint32_t writer,
                                     const struct kw_record_kind *kind, struct kw_bytes key,
                                     const struct kw_record_row *old, struct kw_bytes record,
                                     bool *ret_done, struct kw_error *err);

/* Takes away a row that is damaged, for another to come in its place. */
struct kw_result kw_record_row_delete(struct kw_tx *tx, uint32_t writer,
                                      const struct kw_record_kind *kind,
                                      const struct kw_record_row *row, struct kw_error *err);

/* From now on everybody sees that it is damaged. Its bucket's sum is the caller's. */
struct kw_result kw_record_row_mark(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes key, struct kw_error *err);

/* A walk by key, over at most `max` of a table, after `after`; or over all of one bucket. `after` stays until its end.
 * One at a time. */
struct kw_result kw_record_row_walk(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes after, size_t max, struct kw_stmt **ret_walk,
                                    struct kw_error *err);
struct kw_result kw_record_row_walk_bucket(struct kw_tx *tx, const struct kw_record_kind *kind,
                                           uint16_t bucket, struct kw_bytes after, size_t max,
                                           struct kw_stmt **ret_walk, struct kw_error *err);

/* Its next row, damaged or not, in the arena. `*ret_any` false: the end. Fails also: MEMORY. */
struct kw_result kw_record_row_next(struct kw_stmt *walk, struct kw_arena *arena,
                                    struct kw_record_row *ret_row, bool *ret_any,
                                    struct kw_error *err);

/* By key, those after `after`, in the arena. Fails also: MEMORY, INTERNAL (one is damaged). */
struct kw_result kw_record_row_list(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes after, struct kw_arena *arena,
                                    struct kw_record_row *rows, size_t max, size_t *ret_count,
                                    struct kw_error *err);

#endif
