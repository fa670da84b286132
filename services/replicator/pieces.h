/* A frame in pieces: an item of a hop is shorter than a frame may be. Each piece is an item, with one
 * byte before it that says whether more follows:
 *
 *     1 │ KW_PIECE_LEN_MAX bytes      more follows: it is full
 *     0 │ 1 … KW_PIECE_LEN_MAX bytes  the last
 *
 * So a frame is cut in one way only, and into no more pieces than its length takes.
 *
 * Pure.
 */
#ifndef KW_SERVICES_REPLICATOR_PIECES_H
#define KW_SERVICES_REPLICATOR_PIECES_H

#include "common/base/bytes.h"
#include "common/base/limits.h"

#define KW_PIECE_LEN_MAX (KW_BODY_LEN_MAX - 1U)

/* Appends the items of a frame, one behind the other, to `items`, which is empty. Fails: ARGUMENT_INVALID
 * (an empty frame), MEMORY. On failure `items` may hold some of it. */
struct kw_result kw_pieces_cut(struct kw_bytes frame, struct kw_buf *items, struct kw_error *err);

/* The item that begins at `at`, of those that kw_pieces_cut made of one frame. */
struct kw_bytes kw_pieces_item(const struct kw_buf *items, size_t at);

/* A frame that is coming. Zeroed: nothing of it is here. Release `frame` with kw_buf_done. */
struct kw_pieces {
    struct kw_buf frame;
    bool whole;
};

/* Takes an item; what was whole is forgotten by the next. Fails: ENCODING_INVALID (no piece, or not full
 * though more follows), BODY_TOO_LARGE (longer than `len_max`), MEMORY. */
struct kw_result kw_pieces_take(struct kw_pieces *pieces, struct kw_bytes item, size_t len_max,
                                struct kw_error *err);

#endif
