/* Stores: which cells' databases belong to the mesh. Both owners keep it, since both check who may
 * tell them something. Key: the store's id. A member's lane says of it which lives its own store
 * had, what a voucher says, and what an officer's order says (common/feed/feed_take.c).
 *
 * Being fenced is final: a store that returns does so under a new id. What it wrote before it was
 * fenced, and others have, is honoured; the fence says how far, lane by lane. Two fences that
 * were ordered at once add up to all that either side had. */
#ifndef KW_COMMON_SYNC_STORE_RECORD_H
#define KW_COMMON_SYNC_STORE_RECORD_H

#include "common/base/id.h"
#include "common/sync/record.h"

enum kw_store_field {
    KW_STORE_FIELD_PLACE = 1,    /* region/cell */
    KW_STORE_FIELD_STATE,        /* enum kw_store_state */
    KW_STORE_FIELD_SIGNERS,      /* digests of the public keys it signs with, one after another */
    KW_STORE_FIELD_INCARNATIONS, /* every life of it that could not prove to continue the last */
    KW_STORE_FIELD_FENCE,        /* lane → last number that is honoured */
    KW_STORE_FIELD_VOUCHER,      /* KWV1: the latest by which it became a member */
    KW_STORE_FIELD_FENCE_ORDER,  /* KWO1: the latest by which an officer fenced it */
    KW_STORE_FIELD_DRAIN_ORDER,  /* KWO1: the same, drained */
    KW_STORE_FIELD_SETTLED, /* of its lives those before which nothing is open (common/feed/feed_settle.h) */
    KW_STORE_FIELD_CUT_ORDER, /* KWO1: the latest by which an officer cut it off, to fence it */
    KW_STORE_FIELD_END_,
};

/* A number that is not known, from a later release, is taken as FENCED. DRAINING is nobody's word but an order's,
 * which is about a life (common/feed/order.h), and so is not stored as the row's state. */
enum kw_store_state {
    KW_STORE_JOINING = 1,
    KW_STORE_ACTIVE,
    KW_STORE_DRAINING,
    KW_STORE_FENCED,
};

extern const struct kw_record_kind kw_store_record;

/* Are its key an id, its signers digests and its incarnations ids? Fails: ENCODING_INVALID. */
struct kw_result kw_store_record_check(const struct kw_record *record, struct kw_error *err);

/* Does it say nothing but of its lives? */
bool kw_store_record_is_life(const struct kw_record *record);

/* Is it of an officer's order to cut off or to fence? That disables, so it may go ahead of its lane. */
bool kw_store_record_fences(const struct kw_record *change);

/* Was it cut off or fenced? It says nothing more. */
bool kw_store_record_is_out(const struct kw_record *record);
/* Is nothing open before this life: is it said of it, or its only one? By the values of `incarnations` and `settled`. */
bool kw_store_settled(struct kw_bytes lives, struct kw_bytes settled, struct kw_id incarnation);

/* The value of `place`, appended; names have no slash. And its region, its cell; empty where no place is known.
 * Fails: MEMORY. */
struct kw_result kw_store_record_place(struct kw_bytes region, struct kw_bytes cell,
                                       struct kw_buf *out, struct kw_error *err);
struct kw_bytes kw_store_record_region(const struct kw_record *record);
struct kw_bytes kw_store_record_cell(const struct kw_record *record);

/* JOINING where nothing is said. */
enum kw_store_state kw_store_record_state(const struct kw_record *record);

/* Is it known to be fenced? A state of a later release may be none that ends it: who waits for stores waits for such a
 * one, while who believes them does not (kw_store_record_state). */
bool kw_store_record_known_fenced(const struct kw_record *record);

/* Is number `seq` of this lane of the store honoured? Of a fenced store 0, which says nothing, never. */
bool kw_store_record_honours(const struct kw_record *record, struct kw_id lane, uint64_t seq);

/* Is it taken, where the lane is held up to `held`? Of a store that is cut off nothing more is, until a fence says how
 * much is honoured: so nobody holds more when that is drawn up. */
bool kw_store_record_takes(const struct kw_record *record, struct kw_id lane, uint64_t seq,
                           uint64_t held);

#endif
