/* Segments: a run of receipts of one chain, as a cell hands them to another that keeps a copy. Record `KWX1`
 * (docs/formats.md). Nobody signs it by itself: receipts vouch for one another, and heads that are signed for them.
 *
 * Pure.
 */
#ifndef KW_COMMON_AUDIT_SEGMENT_H
#define KW_COMMON_AUDIT_SEGMENT_H

#include "common/audit/chain.h"

/* Plain data; `records` borrows. */
struct kw_segment {
    struct kw_id core;
    struct kw_id stream;
    uint64_t after;          /* number of the receipt before its first */
    uint16_t count;          /* at least one */
    struct kw_bytes records; /* each u32 length ‖ KWR1 */
};

/* What a keeper of the chain makes of it. 0 is none of them. */
enum kw_segment_verdict {
    KW_SEGMENT_GOOD = 1,
    KW_SEGMENT_UNASKED,     /* of another chain, or of another place in it */
    KW_SEGMENT_OTHER_PLACE, /* one of its receipts is of another region or cell */
    KW_SEGMENT_BROKEN,      /* its receipts do not follow one another */
    KW_SEGMENT_FORKED,      /* they do, but not what is kept */
    KW_SEGMENT_VERDICT_END_,
};

/* "forked"; "unknown" for a number that is no verdict. Never NULL. */
const char *kw_segment_verdict_name(enum kw_segment_verdict verdict);

/* Builds `records` in `list` (zero-initialised by the caller), which the segment then borrows. `*ret_added` false: it
 * has no room, which never is said of the first. Fails: MEMORY. */
struct kw_result kw_segment_add(struct kw_segment *segment, struct kw_buf *list,
                                struct kw_bytes receipt, bool *ret_added, struct kw_error *err);

/* Appends the record. Fails: ARGUMENT_INVALID (what a reader would refuse), MEMORY. */
struct kw_result kw_segment_encode(const struct kw_segment *segment, struct kw_buf *out,
                                   struct kw_error *err);

/* Reads a record strictly, but not what its receipts say. `ret_segment` borrows. Fails: ENCODING_INVALID. */
struct kw_result kw_segment_decode(struct kw_bytes record, struct kw_segment *ret_segment,
                                   struct kw_error *err);

/* The next receipt of a decoded segment: begin with KW_READER(segment.records), and call it `count` times. */
struct kw_bytes kw_segment_next(struct kw_reader *records);

/* Whose receipts they are to be. Borrows. */
struct kw_segment_place {
    struct kw_bytes region;
    struct kw_bytes cell;
};

/* Does it continue what is kept, of a chain of that place? `at` is its end, and after KW_SEGMENT_GOOD that of the segment;
 * then `heads`, which has room for `count`, has the head after each receipt. Fails: CRYPTO, MEMORY. */
struct kw_result kw_segment_check(const struct kw_segment *segment,
                                  const struct kw_segment_place *place, struct kw_chain *at,
                                  struct kw_hash *heads, enum kw_segment_verdict *ret_verdict,
                                  struct kw_error *err);

#endif
