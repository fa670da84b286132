/* Orders: what an officer says of stores. Record `KWO1` (docs/formats.md).
 *
 *     drain   this life of these stores is to end: nobody counts on them any more. They come back by a new life
 *     cut     these stores are to be fenced: of their lanes nobody takes more than he has, until it is known how much that is
 *     fence   these stores are out, for good; of each of their lanes this much is honoured
 *
 * Members can't say either of one another, and a store can't of itself: what an order says is believed
 * because the first officer signed it, by the key in a file of each owner (common/pki/officer.h), which no
 * member's lane reaches. An order is as good in a lane, in a snapshot or from anybody's hands.
 *
 * One order names the stores of a cell, of both owners, so that one signature fences it. Of two of a
 * kind the later counts, by the time in them.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_ORDER_H
#define KW_COMMON_FEED_ORDER_H

#include "common/base/limits.h"
#include "common/crypto/sign.h"
#include "common/feed/lane_check.h"

#define KW_ORDER_LABEL "KEYWARD-ORDER-v1"

enum kw_order_action {
    KW_ORDER_DRAIN = 1,
    KW_ORDER_FENCE,
    KW_ORDER_CUT,
    KW_ORDER_ACTION_END_,
};

/* One of the stores. Plain data; `fence` borrows. */
struct kw_order_store {
    struct kw_id store;
    struct kw_id life; /* DRAIN: which incarnation of it */
    struct kw_bytes
        fence; /* FENCE: version vector, lane → last number that is honoured; may be empty */
};

/* Plain data; everything borrows. */
struct kw_order {
    struct kw_id mesh;
    enum kw_order_action action;
    uint64_t issued_ms;
    struct kw_order_store stores[KW_ORDER_STORES_MAX]; /* ascending */
    size_t store_count;
    struct kw_bytes signature;
    struct kw_bytes record; /* KWO1, as it came: of one that was read */
};

/* Whom an owner believes. */
struct kw_order_trust {
    struct kw_public_key officer;
};

/* Appends what is to be signed, over "KEYWARD-ORDER-v1" ‖ this: the record but for its signature. Fails:
 * ARGUMENT_INVALID (what a reader would refuse), MEMORY. */
struct kw_result kw_order_encode(const struct kw_order *order, struct kw_buf *out,
                                 struct kw_error *err);

/* Appends the record: what was signed, and its signature. Fails: ARGUMENT_INVALID (the same), MEMORY. */
struct kw_result kw_order_seal(struct kw_bytes content, struct kw_bytes signature,
                               struct kw_buf *out, struct kw_error *err);

/* Reads a record strictly; verifies nothing. Fails: ENCODING_INVALID. */
struct kw_result kw_order_decode(struct kw_bytes record, struct kw_order *ret_order,
                                 struct kw_error *err);

/* Reads one, and is it to be believed? NEWS: yes. Else BROKEN, OTHER_MESH or UNSIGNED (by anybody but the
 * officer). Fails: CRYPTO, MEMORY. */
struct kw_result kw_order_read(struct kw_bytes record, struct kw_id mesh,
                               const struct kw_order_trust *trust, struct kw_order *ret_order,
                               enum kw_lane_verdict *ret_verdict, struct kw_error *err);

/* What it says of this store, or NULL: nothing. */
const struct kw_order_store *kw_order_of(const struct kw_order *order, struct kw_id store);

/* The field of `stores` that an order of this kind is in. */
uint8_t kw_order_field(enum kw_order_action action);

/* How much of each lane of a store that is fenced is waited for, by its row: what the latest order honours, though an earlier
 * one honoured more: who had that may be lost. What was honoured once stays it. */
struct kw_bytes kw_order_honours(const struct kw_record *row);

/* The order of this kind in a row of `stores`, or in a change of one; empty: there is none. */
struct kw_bytes kw_order_in(const struct kw_record *row, enum kw_order_action action);

/* Was this life of the store drained, as its row has it? No life: any. */
bool kw_order_drains(const struct kw_record *row, struct kw_id life);

#endif
