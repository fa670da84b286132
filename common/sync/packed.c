/* Sorted entries of one length: search, and the merge step of merge sort. */
#include "common/sync/packed.h"

#include "common/sync/order.h"

size_t kw_packed_count(const struct kw_packed_shape *shape, struct kw_bytes map)
{
    return map.len / shape->entry_len;
}

const uint8_t *kw_packed_at(const struct kw_packed_shape *shape, struct kw_bytes map, size_t i)
{
    return map.data + i * shape->entry_len;
}

bool kw_packed_full(const struct kw_packed_shape *shape, struct kw_bytes map)
{
    return kw_packed_count(shape, map) >= shape->count_max;
}

static int order_of(const uint8_t *a, const uint8_t *b)
{
    return kw_bytes_order(KW_BYTES(a, KW_ID_LEN), KW_BYTES(b, KW_ID_LEN));
}

bool kw_packed_valid(const struct kw_packed_shape *shape, struct kw_bytes map)
{
    size_t count = kw_packed_count(shape, map);

    if (count == 0 || count > shape->count_max || map.len % shape->entry_len != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = kw_packed_at(shape, map, i);

        if (i > 0 && order_of(entry - shape->entry_len, entry) >= 0) {
            return false;
        }
        if (!shape->tail_valid(entry + KW_ID_LEN)) {
            return false;
        }
    }
    return true;
}

const uint8_t *kw_packed_find(const struct kw_packed_shape *shape, struct kw_bytes map,
                              struct kw_id id)
{
    size_t low = 0;
    size_t high = kw_packed_count(shape, map);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint8_t *entry = kw_packed_at(shape, map, middle);
        int order = order_of(entry, id.bytes);

        if (order == 0) {
            return entry + KW_ID_LEN;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* Takes the entry at the front of `map`. */
static const uint8_t *take(struct kw_bytes *map, size_t entry_len)
{
    const uint8_t *entry = map->data;

    *map = KW_BYTES(map->data + entry_len, map->len - entry_len);
    return entry;
}

/* Writes the next entry of the union, and takes it from whoever has it. */
static void join_next(const struct kw_packed_shape *shape, struct kw_bytes *a, struct kw_bytes *b,
                      uint8_t *out)
{
    int order = a->len == 0 ? 1 : b->len == 0 ? -1 : order_of(a->data, b->data);

    if (order <= 0) {
        kw_copy(out, take(a, shape->entry_len), shape->entry_len);
    }
    if (order > 0) {
        kw_copy(out, take(b, shape->entry_len), shape->entry_len);
    }
    if (order == 0) {
        shape->tail_join(out + KW_ID_LEN, take(b, shape->entry_len) + KW_ID_LEN);
    }
}

struct kw_result kw_packed_join(const struct kw_packed_shape *shape, struct kw_bytes a,
                                struct kw_bytes b, struct kw_arena *arena, struct kw_bytes *ret_map,
                                struct kw_error *err)
{
    uint8_t *out = kw_arena_alloc(arena, a.len + b.len);
    size_t count = 0;

    KW_ENSURE(out != NULL, err, MEMORY, "a map of %zu bytes", a.len + b.len);
    while (count < shape->count_max && (a.len > 0 || b.len > 0)) {
        join_next(shape, &a, &b, out + count * shape->entry_len);
        count++;
    }
    *ret_map = KW_BYTES(out, count * shape->entry_len);
    return KW_OK;
}
