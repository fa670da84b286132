/* Place and state, out of a row of `stores`. */
#include "common/feed_service/store_about.h"

static bool is_name(struct kw_bytes name)
{
    return name.len > 0 && name.len < KW_PLACE_NAME_SIZE;
}

static void read_place(const struct kw_record *row, struct kw_store_about *about)
{
    struct kw_bytes region = kw_store_record_region(row);
    struct kw_bytes cell = kw_store_record_cell(row);

    if (is_name(region) && is_name(cell)) {
        kw_copy(about->region, region.data, region.len);
        kw_copy(about->cell, cell.data, cell.len);
    }
}

static struct kw_result read_row(struct kw_tx *tx, struct kw_id store, struct kw_arena *arena,
                                 struct kw_store_about *about, struct kw_error *err)
{
    struct kw_record row;
    bool found = false;
    struct kw_result result =
        kw_feed_find(tx, &kw_store_record, kw_id_bytes(&store), arena, &row, &found, err);

    if (result.reason == KW_E_INTERNAL || (kw_ok(result) && !found)) {
        about->state = KW_STORE_JOINING;
        return KW_OK;
    }
    KW_TRY(result);
    about->state = kw_store_record_state(&row);
    read_place(&row, about);
    return KW_OK;
}

struct kw_result kw_store_about(const struct kw_feed *feed, const struct kw_feed_identity *identity,
                                struct kw_tx *tx, struct kw_id store,
                                struct kw_store_about *ret_about, struct kw_error *err)
{
    const struct kw_spiffe *self = &identity->trust.self;
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_store_about about = {0};
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a store");
    result = read_row(tx, store, arena, &about, err);
    kw_arena_free(arena);
    if (kw_id_equal(store, feed->options.store)) {
        kw_copy(about.region, self->region, strlen(self->region) + 1);
        kw_copy(about.cell, self->cell, strlen(self->cell) + 1);
    }
    *ret_about = about;
    return result;
}
