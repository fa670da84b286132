/* Place and state, out of a row of `stores`. */
#include "common/feed_service/store_about.h"

/* "region/cell": names have no slash, and are no longer than a name may be. */
static void read_place(struct kw_bytes place, struct kw_store_about *about)
{
    const uint8_t *slash = place.len > 0 ? memchr(place.data, '/', place.len) : NULL;
    size_t region_len = slash != NULL ? (size_t)(slash - place.data) : 0;
    size_t cell_len = slash != NULL ? place.len - region_len - 1 : 0;

    if (region_len > 0 && region_len < KW_PLACE_NAME_SIZE && cell_len > 0 &&
        cell_len < KW_PLACE_NAME_SIZE) {
        kw_copy(about->region, place.data, region_len);
        kw_copy(about->cell, slash + 1, cell_len);
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
    read_place(kw_record_value(&row, KW_STORE_FIELD_PLACE), about);
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
