/* Table feed_acks: how far other stores hold each lane durably. */
#ifndef KW_COMMON_FEED_ACK_TABLE_H
#define KW_COMMON_FEED_ACK_TABLE_H

#include "common/base/id.h"
#include "common/store/store.h"

/* Raises it; it never falls. Fails: as the store. */
struct kw_result kw_ack_raise(struct kw_tx *tx, struct kw_id lane, struct kw_id peer, uint64_t seq,
                              struct kw_error *err);

/* 0: nothing was ever acknowledged. Fails: as the store. */
struct kw_result kw_ack_find(struct kw_tx *tx, struct kw_id lane, struct kw_id peer,
                             uint64_t *ret_seq, struct kw_error *err);

/* What a peer says of a lane that we ended, whether we hold so much of it or not: it never falls, until it is
 * forgotten. 0: nothing was said since. Fail: as the store. */
struct kw_result kw_ack_tell(struct kw_tx *tx, struct kw_id lane, struct kw_id peer, uint64_t seq,
                             struct kw_error *err);
struct kw_result kw_ack_told(struct kw_tx *tx, struct kw_id lane, struct kw_id peer,
                             uint64_t *ret_seq, struct kw_error *err);
struct kw_result kw_ack_forget_told(struct kw_tx *tx, struct kw_error *err);

#endif
