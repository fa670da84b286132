/* What a voucher has to do with a change of `stores`, and with us. Internal. */
#ifndef KW_COMMON_FEED_FEED_VOUCHED_H
#define KW_COMMON_FEED_FEED_VOUCHED_H

#include "common/feed/feed.h"

/* Has this change of `stores` a voucher that says exactly what it says, and is to be believed? It was
 * good when a lane's store said it, `hlc`, which is the same in every cell; 0: now. Fails: as the store,
 * MEMORY, CRYPTO. */
struct kw_result kw_feed_is_vouched(const struct kw_feed *feed, const struct kw_record *change,
                                    uint64_t hlc, uint64_t wall_ms, struct kw_arena *arena,
                                    struct kw_voucher *ret_voucher, bool *ret_vouched,
                                    struct kw_error *err);

/* Of a row of `stores` that another store hands over: what the voucher in it says, if it is to be believed. It was good when
 * it was issued: in a row nobody says when it came, and a store that fell silent a year ago is still a member. In the
 * arena. Fails: MEMORY, CRYPTO. */
struct kw_result kw_feed_vouched_row(const struct kw_feed *feed, const struct kw_record *row,
                                     uint64_t wall_ms, struct kw_arena *arena,
                                     struct kw_voucher *ret_voucher, struct kw_record *ret_row,
                                     bool *ret_vouched, struct kw_error *err);

/* What a good voucher says, `vouched`, which somebody brings: may it be merged into the row of its store here? Of our own
 * only if all its keys are ours, of another if there is room. What may not is told. Fails: as the store, MEMORY,
 * CRYPTO. */
struct kw_result kw_feed_may_vouch(struct kw_feed *feed, struct kw_tx *tx,
                                   const struct kw_voucher *voucher,
                                   const struct kw_record *vouched, uint64_t wall_ms,
                                   struct kw_arena *arena, bool *ret_may, struct kw_error *err);

/* Is it of our store's id, and of a life or a key that is not ours? `row`: of our store, or NULL. Fails:
 * as the store, CRYPTO. */
struct kw_result kw_feed_is_other_self(const struct kw_feed *feed, struct kw_tx *tx,
                                       const struct kw_voucher *voucher,
                                       const struct kw_record *row, bool *ret_is,
                                       struct kw_error *err);

/* Counts the verdict, and logs one that alarms, as often as somebody reads it. */
void kw_feed_tell_voucher(struct kw_feed *feed, const struct kw_voucher *voucher,
                          enum kw_lane_verdict verdict, uint64_t wall_ms);

#endif
