/* Cutting frames, and putting them together. */
#include "services/replicator/pieces.h"

enum {
    LAST = 0,
    MORE = 1,
};

static struct kw_result append(struct kw_buf *items, uint8_t kind, struct kw_bytes piece,
                               struct kw_error *err)
{
    KW_TRY(kw_buf_append(items, KW_BYTES(&kind, 1), err));
    return kw_buf_append(items, piece, err);
}

struct kw_result kw_pieces_cut(struct kw_bytes frame, struct kw_buf *items, struct kw_error *err)
{
    size_t count = (frame.len + KW_PIECE_LEN_MAX - 1) / KW_PIECE_LEN_MAX;
    size_t at = 0;

    KW_ENSURE(frame.len > 0, err, ARGUMENT_INVALID, "link: an empty frame");
    KW_TRY(kw_buf_reserve(items, frame.len + count, err));
    while (frame.len - at > KW_PIECE_LEN_MAX) {
        KW_TRY(append(items, MORE, KW_BYTES(frame.data + at, KW_PIECE_LEN_MAX), err));
        at += KW_PIECE_LEN_MAX;
    }
    return append(items, LAST, KW_BYTES(frame.data + at, frame.len - at), err);
}

struct kw_bytes kw_pieces_item(const struct kw_buf *items, size_t at)
{
    size_t left = items->len - at;

    return KW_BYTES(items->data + at, left < KW_BODY_LEN_MAX ? left : KW_BODY_LEN_MAX);
}

struct kw_result kw_pieces_take(struct kw_pieces *pieces, struct kw_bytes item, size_t len_max,
                                struct kw_error *err)
{
    struct kw_bytes piece;

    KW_ENSURE(item.len > 1 && (item.data[0] == LAST || item.data[0] == MORE), err, ENCODING_INVALID,
              "link: an item of %zu bytes is no piece of a frame", item.len);
    KW_ENSURE(item.data[0] == LAST || item.len == KW_BODY_LEN_MAX, err, ENCODING_INVALID,
              "link: more follows, and the piece is not full");
    if (pieces->whole) {
        kw_buf_clear(&pieces->frame);
        pieces->whole = false;
    }
    piece = KW_BYTES(item.data + 1, item.len - 1);
    KW_ENSURE(piece.len <= len_max - pieces->frame.len, err, BODY_TOO_LARGE,
              "link: a frame of more than %zu bytes", len_max);
    KW_TRY(kw_buf_append(&pieces->frame, piece, err));
    pieces->whole = item.data[0] == LAST;
    return KW_OK;
}
