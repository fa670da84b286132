/* Last-writer-wins registers: the value of one field group, with its stamp.
 *
 * The later stamp wins, then the higher store; then, should one store have given one stamp twice,
 * the higher bytes: so any two different values have a winner, and all cells find the same one.
 * (The bytes themselves, not a digest of them: as total, and nothing to compute or to collide.)
 * Only a group of fields that belong together is merged so, never a whole row, and never anything
 * that protects: a clock must not decide whether a revocation is lost.
 *
 * A register also says what its writer had seen: for each store, the stamp of its last value. So
 * when a value loses, it can be told apart whether it was replaced or overwritten unread.
 */
#ifndef KW_COMMON_SYNC_LWW_H
#define KW_COMMON_SYNC_LWW_H

#include "common/base/codec.h"
#include "common/sync/stamp.h"

/* A register, taken apart; `seen` and `value` borrow. Encoded: hlc u64 ‖ store (16) ‖ seen, with
 * the number of its entries as u16 before it ‖ value, which makes its order that of its bytes. */
struct kw_lww {
    struct kw_stamp stamp;
    struct kw_bytes seen; /* version vector: store → hlc; may be empty */
    struct kw_bytes value;
};

/* False: it is none, and `ret_lww` is untouched. */
bool kw_lww_read(struct kw_bytes encoded, struct kw_lww *ret_lww);

/* The winner of two valid registers. */
struct kw_bytes kw_lww_join(struct kw_bytes a, struct kw_bytes b);

/* Are they different values of which the later was written without knowledge of the other? */
bool kw_lww_concurrent(struct kw_bytes a, struct kw_bytes b);

void kw_put_lww(struct kw_writer *w, const struct kw_lww *lww);

#endif
