/* Table feed_lanes: every lane that something is held of. */
#ifndef KW_COMMON_FEED_LANE_TABLE_H
#define KW_COMMON_FEED_LANE_TABLE_H

#include "common/feed/lane.h"
#include "common/store/store.h"

enum kw_lane_role {
    KW_LANE_ROLE_FOREIGN = 1, /* another store's */
    KW_LANE_ROLE_PRESENT,     /* ours, and written */
    KW_LANE_ROLE_PAST,        /* ours, of an earlier life */
};

struct kw_lane_row {
    struct kw_id id;
    struct kw_id store;
    struct kw_id incarnation;
    uint32_t writer;
    enum kw_lane_role role;
    struct kw_lane_point point;
    struct kw_lane_point floor;
    uint64_t closed;
    uint64_t heard_ms; /* by our clock, when that promise came here; 0: of our own lanes */
    bool forked;
};

/* All of these fail as the store does, INTERNAL included where what is stored has a wrong length. */

struct kw_result kw_lane_row_find(struct kw_tx *tx, struct kw_id lane, struct kw_lane_row *ret_row,
                                  bool *ret_found, struct kw_error *err);

/* The same, and nobody else changes it before the transaction ends. */
struct kw_result kw_lane_row_lock(struct kw_tx *tx, struct kw_id lane, struct kw_lane_row *ret_row,
                                  bool *ret_found, struct kw_error *err);

/* Locks the present lane of one of our writers. */
struct kw_result kw_lane_row_lock_present(struct kw_tx *tx, struct kw_id store, uint32_t writer,
                                          struct kw_lane_row *ret_row, bool *ret_found,
                                          struct kw_error *err);

/* The incarnation of our store's present lanes. */
struct kw_result kw_lane_row_incarnation(struct kw_tx *tx, struct kw_id store,
                                         struct kw_id *ret_incarnation, bool *ret_found,
                                         struct kw_error *err);

/* The promise of each of our present lanes that is older than `before` becomes `closed`. */
struct kw_result kw_lane_row_close(struct kw_tx *tx, struct kw_id store, uint64_t before,
                                   uint64_t closed, struct kw_error *err);

/* Locks all lanes of a store. */
struct kw_result kw_lane_row_lock_all(struct kw_tx *tx, struct kw_id store, struct kw_error *err);

/* Is there a lane of this life of the store? */
struct kw_result kw_lane_row_has_life(struct kw_tx *tx, struct kw_id store,
                                      struct kw_id incarnation, bool *ret_has,
                                      struct kw_error *err);

/* Is anything held of any lane of this store? */
struct kw_result kw_lane_row_heard(struct kw_tx *tx, struct kw_id store, bool *ret_heard,
                                   struct kw_error *err);

/* `origin`: the place of its store, or the store's id where that is not known; what is bounded by origin is
 * bounded by who has one place's certificate. Fails also: STORE_UNAVAILABLE (somebody else just began it: to be
 * tried again). */
struct kw_result kw_lane_row_insert(struct kw_tx *tx, const struct kw_lane_row *row,
                                    struct kw_bytes origin, struct kw_error *err);

/* Moves the lane's point, and what it promises; a promise that is no newer was heard when it was. */
struct kw_result kw_lane_row_move(struct kw_tx *tx, struct kw_id lane,
                                  const struct kw_lane_point *point, uint64_t closed,
                                  uint64_t heard_ms, struct kw_error *err);

struct kw_result kw_lane_row_set_floor(struct kw_tx *tx, struct kw_id lane,
                                       const struct kw_lane_point *floor, struct kw_error *err);
struct kw_result kw_lane_row_set_head(struct kw_tx *tx, struct kw_id lane, struct kw_bytes head,
                                      struct kw_error *err);

/* The first one stays. */
struct kw_result kw_lane_row_set_rival(struct kw_tx *tx, struct kw_id lane, struct kw_bytes head,
                                       struct kw_error *err);

/* How many lanes are held of this origin, and of all of them. */
struct kw_result kw_lane_row_count(struct kw_tx *tx, struct kw_bytes origin, uint64_t *ret_of,
                                   uint64_t *ret_all, struct kw_error *err);

/* The lanes of our store become past. */
struct kw_result kw_lane_row_end_all(struct kw_tx *tx, struct kw_id store, struct kw_error *err);

/* By id, those after `after`. */
struct kw_result kw_lane_row_list(struct kw_tx *tx, struct kw_id after, struct kw_lane_row *rows,
                                  size_t max, size_t *ret_count, struct kw_error *err);

/* The last signed head, appended. */
struct kw_result kw_lane_row_head(struct kw_tx *tx, struct kw_id lane, struct kw_buf *out,
                                  bool *ret_any, struct kw_error *err);

#endif
