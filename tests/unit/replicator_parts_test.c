/* Frames in pieces, and the list of cells. */
#include "services/replicator/cells.h"
#include "services/replicator/pieces.h"
#include "tests/support/must.h"

#include <stdlib.h>

/* --- pieces --- */

enum {
    FRAME_LEN_MAX = 4 * KW_PIECE_LEN_MAX + 5
};

static struct kw_bytes frame_of(size_t len)
{
    uint8_t *bytes = malloc(len + 1);

    REQUIRE(bytes != NULL, "memory");
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    }
    return KW_BYTES(bytes, len);
}

static void frame_done(struct kw_bytes frame)
{
    free((void *)(uintptr_t)frame.data);
}

static void assert_goes_through(struct kw_pieces *pieces, size_t len)
{
    struct kw_bytes frame = frame_of(len);
    struct kw_buf items = {0};
    size_t count = 0;

    MUST(kw_pieces_cut(frame, &items, err));
    for (size_t at = 0; at < items.len; at += KW_BODY_LEN_MAX) {
        struct kw_bytes item = kw_pieces_item(&items, at);

        cr_assert_leq(item.len, KW_BODY_LEN_MAX);
        MUST(kw_pieces_take(pieces, item, FRAME_LEN_MAX, err));
        count++;
        cr_assert_eq(pieces->whole, at + item.len == items.len, "%zu", len);
    }
    cr_assert_eq(count, (len + KW_PIECE_LEN_MAX - 1) / KW_PIECE_LEN_MAX);
    cr_assert(kw_bytes_equal(kw_buf_bytes(&pieces->frame), frame), "%zu", len);
    kw_buf_done(&items);
    frame_done(frame);
}

Test(replicator_pieces, a_frame_of_any_length_is_put_together_again)
{
    static const size_t lens[] = {1,
                                  2,
                                  KW_PIECE_LEN_MAX - 1,
                                  KW_PIECE_LEN_MAX,
                                  KW_PIECE_LEN_MAX + 1,
                                  2 * KW_PIECE_LEN_MAX,
                                  FRAME_LEN_MAX};
    struct kw_pieces pieces = {0};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        assert_goes_through(&pieces,
                            lens[i]); /* one after the other: what was whole is forgotten */
    }
    kw_buf_done(&pieces.frame);
}

Test(replicator_pieces, an_empty_frame_is_not_cut)
{
    struct kw_buf items = {0};

    cr_assert_eq(kw_pieces_cut(KW_BYTES_NONE, &items, NULL).reason, KW_E_ARGUMENT_INVALID);
}

Test(replicator_pieces, what_is_no_piece_is_refused)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {{"", 0}, {"\0", 1}, {"\1", 1}, {"\2x", 2}, {"\377x", 2}, {"\1x", 2}};
    uint8_t *almost = calloc(1, KW_BODY_LEN_MAX);
    struct kw_pieces pieces = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(
            kw_pieces_take(&pieces, KW_BYTES(rows[i].bytes, rows[i].len), SIZE_MAX, NULL).reason,
            KW_E_ENCODING_INVALID, "row %zu", i);
    }
    REQUIRE(almost != NULL, "memory");
    almost[0] = 1;
    cr_assert_eq(
        kw_pieces_take(&pieces, KW_BYTES(almost, KW_BODY_LEN_MAX - 1), SIZE_MAX, NULL).reason,
        KW_E_ENCODING_INVALID, "more follows, and it is not full");
    cr_assert_eq(pieces.frame.len, 0);
    free(almost);
}

Test(replicator_pieces, a_frame_that_is_too_long_is_refused_as_soon_as_it_is)
{
    struct kw_bytes frame = frame_of(3 * KW_PIECE_LEN_MAX);
    struct kw_buf items = {0};
    struct kw_pieces pieces = {0};

    MUST(kw_pieces_cut(frame, &items, err));
    MUST(kw_pieces_take(&pieces, kw_pieces_item(&items, 0), 2 * KW_PIECE_LEN_MAX - 1, err));
    cr_assert_eq(kw_pieces_take(&pieces, kw_pieces_item(&items, KW_BODY_LEN_MAX),
                                2 * KW_PIECE_LEN_MAX - 1, NULL)
                     .reason,
                 KW_E_BODY_TOO_LARGE);
    cr_assert_leq(pieces.frame.len, 2 * KW_PIECE_LEN_MAX - 1);
    kw_buf_done(&items);
    kw_buf_done(&pieces.frame);
    frame_done(frame);
}

/* --- cells --- */

#define TEXTS(...)                                                                                 \
    ((struct kw_strings){(char *[]){__VA_ARGS__}, sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)})

Test(replicator_cells, are_read_and_put_in_one_order)
{
    struct kw_strings texts = TEXTS("us/a=h3:3", "eu/b=h2:2", "eu/a=h1:1");
    struct kw_cells cells;

    MUST(kw_cells_read(&texts, "eu", "b", &cells, err));
    cr_assert_eq(cells.count, 3);
    cr_assert_str_eq(cells.places[0].cell, "a");
    cr_assert_str_eq(cells.places[1].cell, "b");
    cr_assert_str_eq(cells.places[2].region, "us");
    cr_assert_str_eq(kw_cells_address(&cells, &(struct kw_place){"us", "a"}), "h3:3");
    cr_assert_str_eq(kw_cells_address(&cells, &cells.us), "h2:2");
    cr_assert_null(kw_cells_address(&cells, &(struct kw_place){"us", "b"}));
    kw_cells_done(&cells);
}

Test(replicator_cells, a_list_that_is_wrong_is_refused)
{
    const struct kw_strings rows[] = {
        TEXTS("eu/a"),
        TEXTS("eu/a="),
        TEXTS("eu=h:1"),
        TEXTS("=h:1", "eu/a=h:1"),
        TEXTS("/a=h:1", "eu/a=h:1"),
        TEXTS("eu/=h:1", "eu/a=h:1"),
        TEXTS("eu/A=h:1", "eu/a=h:1"),
        TEXTS("e u/b=h:1", "eu/a=h:1"),
        TEXTS("eu/a=h:1", "eu/b=h:1", "eu/a=h:2"),
        TEXTS("eu/b=h:1"),
        TEXTS("eu/a=h:1", "123456789012345678901234567890123/a=h:1"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kw_cells cells;

        cr_assert_eq(kw_cells_read(&rows[i], "eu", "a", &cells, NULL).reason, KW_E_CONFIG_INVALID,
                     "row %zu", i);
        kw_cells_done(&cells);
    }
}

Test(replicator_cells, more_peers_than_there_may_be_are_refused)
{
    static char texts[KW_PEERS_MAX + 2][16];
    char *list[KW_PEERS_MAX + 2];
    struct kw_cells cells;

    for (unsigned i = 0; i < KW_PEERS_MAX + 2; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "eu/c%02u=h:1", i);
        list[i] = texts[i];
    }
    MUST(kw_cells_read(&(struct kw_strings){list, KW_PEERS_MAX + 1}, "eu", "c00", &cells, err));
    kw_cells_done(&cells);
    cr_assert_eq(
        kw_cells_read(&(struct kw_strings){list, KW_PEERS_MAX + 2}, "eu", "c00", &cells, NULL)
            .reason,
        KW_E_CONFIG_INVALID);
    kw_cells_done(&cells);
}

Test(replicator_cells, one_of_two_calls)
{
    static const struct kw_place places[] = {{"eu", "a"}, {"eu", "b"}, {"us", "a"}};

    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            cr_assert_eq(kw_place_calls(&places[i], &places[j]), i < j);
        }
    }
}
