/* Orphan bundles: what a fenced store said beyond what is honoured of it, as a file. Nobody takes it by its lanes
 * any more; an officer brings it to a cell that lives, where what disables is said again (feed_replay.h).
 *
 *     length u32 ‖ KWY1      whose it is, and from where to where it has each lane, signed by the store
 *     length u32 ‖ KWN1      …  batches, lane by lane, from the first to the last change
 *
 * Each lane's last point is in what is signed, so nothing can be left out, altered or added: who reads the file sees
 * that it is whole, and who takes a batch of it knows whose it is and of which whole it is a part.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_ORPHANS_H
#define KW_COMMON_FEED_ORPHANS_H

#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/feed/lane_batch.h"

/* One lane of the store. Plain data. */
struct kw_orphan_lane {
    struct kw_id incarnation;
    uint32_t writer;
    struct kw_lane_point from; /* before the first change */
    struct kw_lane_point to;   /* after the last: at least one */
};

/* What is signed: record `KWY1` (docs/formats.md). Plain data; `key`, `signature` and `record` borrow. */
struct kw_orphans {
    struct kw_id mesh;
    struct kw_id store;
    uint64_t made_ms;
    struct kw_orphan_lane lanes[KW_ORPHAN_LANES_MAX];
    size_t lane_count;
    struct kw_bytes key;       /* SubjectPublicKeyInfo of who signs, P-256 */
    struct kw_bytes signature; /* DER */
    struct kw_bytes record;    /* KWY1, as it came: of one that was read */
};

/* Signs, over "KEYWARD-ORPHANS-v1" ‖ all fields before the signature, and appends the record. `key`, `signature` and
 * `record` are not read. Fails: ARGUMENT_INVALID (what a reader would refuse; a key on another curve), CRYPTO, MEMORY. */
struct kw_result kw_orphans_sign(const struct kw_orphans *orphans, const struct kw_private_key *key,
                                 struct kw_buf *out, struct kw_error *err);

/* Reads a record strictly; verifies nothing. `ret_orphans` borrows from `record`. Fails: ENCODING_INVALID. */
struct kw_result kw_orphans_decode(struct kw_bytes record, struct kw_orphans *ret_orphans,
                                   struct kw_error *err);

/* Is the signature that of the key in it? Whose key that is, is another question. Fails: SIGNATURE_INVALID, CRYPTO,
 * MEMORY. */
struct kw_result kw_orphans_verify(const struct kw_orphans *orphans, struct kw_error *err);

/* The lane that this batch is a part of, between its two points, or NULL. */
const struct kw_orphan_lane *kw_orphans_lane(const struct kw_orphans *orphans,
                                             const struct kw_lane_batch *batch);

/* --- the file --- */

/* Appends a part: its length, and itself. */
void kw_put_orphan_part(struct kw_writer *w, struct kw_bytes part);

/* One batch of a file. `batch` is read; both live as long as the call. A failure ends the walk. */
typedef struct kw_result kw_orphans_visit(void *context, const struct kw_orphans *orphans,
                                          struct kw_bytes record, const struct kw_lane_batch *batch,
                                          struct kw_error *err);

/* Walks along a file: is it whole, and is all of it signed by the key that it names? That is known before `visit` is
 * called the first time (NULL: nobody is). Fails: ENCODING_INVALID (cut short; a gap; no such file), SIGNATURE_INVALID,
 * CRYPTO, MEMORY; as `visit`. */
struct kw_result kw_orphans_walk(struct kw_bytes file, kw_orphans_visit *visit, void *context,
                                 struct kw_error *err);

#endif
