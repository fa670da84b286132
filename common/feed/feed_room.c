/* Room in a row, and at a place. One certificate makes as many stores of its place as it likes; so there are not
 * more of them than come of disks that were lost, until some are fenced. */
#include "common/feed/feed_room.h"

#include "common/base/limits.h"
#include "common/feed/record_table.h"
#include "common/sync/grow_set.h"
#include "common/sync/store_record.h"

#define ROWS_AT_ONCE 16

/* --- in a row --- */

static bool has_room_in(const struct kw_record *row, const struct kw_record *change,
                        enum kw_store_field field)
{
    struct kw_bytes had = kw_record_value(row, (uint8_t)field);
    struct kw_bytes said = kw_record_value(change, (uint8_t)field);
    size_t count = kw_set_count(had);
    struct kw_bytes element;

    while (kw_set_next(&said, &element)) {
        count += !kw_set_has(had, element);
    }
    return count <= KW_SET_ELEMENTS_MAX;
}

/* --- at a place --- */

struct counting {
    struct kw_tx *tx;
    struct kw_bytes place;
    size_t count;
    struct kw_buf last; /* behind whom it goes on */
    bool more;
};

static struct kw_result count_row(struct counting *c, const struct kw_record_row *row,
                                  struct kw_error *err)
{
    struct kw_record record;
    struct kw_error why;
    size_t dropped;

    KW_ENSURE(
        kw_ok(kw_record_decode_stored(&kw_store_record, row->record, &record, &dropped, &why)), err,
        INTERNAL, "a stored row is damaged: %s", why.message);
    c->count += kw_bytes_equal(kw_record_value(&record, KW_STORE_FIELD_PLACE), c->place) &&
                !kw_store_record_known_fenced(&record);
    return KW_OK;
}

static struct kw_result count_page(struct counting *c, struct kw_arena *arena, struct kw_error *err)
{
    struct kw_record_row rows[ROWS_AT_ONCE];
    size_t found;

    KW_TRY(kw_record_row_list(c->tx, &kw_store_record, kw_buf_bytes(&c->last), arena, rows,
                              ROWS_AT_ONCE, &found, err));
    for (size_t i = 0; i < found; i++) {
        KW_TRY(count_row(c, &rows[i], err));
    }
    c->more = found == ROWS_AT_ONCE;
    if (!c->more) {
        return KW_OK;
    }
    kw_buf_clear(&c->last);
    return kw_buf_append(&c->last, rows[found - 1].key, err);
}

/* A page's memory is let go with the page. */
static struct kw_result count_some(struct counting *c, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result counted;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for stores");
    counted = count_page(c, arena, err);
    kw_arena_free(arena);
    return counted;
}

static struct kw_result has_place(struct kw_tx *tx, struct kw_bytes place, bool *ret_has,
                                  struct kw_error *err)
{
    struct counting c = {.tx = tx, .place = place, .more = true};
    struct kw_result counted = KW_OK;

    while (c.more && kw_ok(counted)) {
        counted = count_some(&c, err);
    }
    kw_buf_done(&c.last);
    *ret_has = c.count < KW_FEED_PLACE_STORES_MAX;
    return counted;
}

/* A store without a voucher is no member yet. */
struct kw_result kw_feed_has_room(struct kw_tx *tx, const struct kw_record *change,
                                  const struct kw_record *row, bool *ret_has, struct kw_error *err)
{
    if (row == NULL || !kw_record_has(row, KW_STORE_FIELD_VOUCHER)) {
        return has_place(tx, kw_record_value(change, KW_STORE_FIELD_PLACE), ret_has, err);
    }
    *ret_has = has_room_in(row, change, KW_STORE_FIELD_SIGNERS) &&
               has_room_in(row, change, KW_STORE_FIELD_INCARNATIONS);
    return KW_OK;
}
