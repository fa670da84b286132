/* Version vectors on packed maps. */
#include "common/sync/version_vector.h"

#include "common/base/limits.h"
#include "common/sync/order.h"

static uint64_t count_load(const uint8_t *tail)
{
    struct kw_reader r = KW_READER(KW_BYTES(tail, 8));

    return kw_get_u64(&r);
}

/* An entry that counts nothing would be a second encoding of its absence. */
static bool count_valid(const uint8_t *tail)
{
    return count_load(tail) > 0;
}

static void count_join(uint8_t *tail, const uint8_t *other)
{
    if (kw_bytes_order(KW_BYTES(other, 8), KW_BYTES(tail, 8)) > 0) {
        kw_copy(tail, other, 8);
    }
}

static const struct kw_packed_shape shape = {.entry_len = KW_VECTOR_ENTRY_LEN,
                                             .count_max = KW_VECTOR_STORES_MAX,
                                             .tail_valid = count_valid,
                                             .tail_join = count_join};

bool kw_vector_valid(struct kw_bytes vector)
{
    return kw_packed_valid(&shape, vector);
}

struct kw_result kw_vector_join(struct kw_bytes a, struct kw_bytes b, struct kw_arena *arena,
                                struct kw_bytes *ret_vector, struct kw_error *err)
{
    return kw_packed_join(&shape, a, b, arena, ret_vector, err);
}

uint64_t kw_vector_get(struct kw_bytes vector, struct kw_id store)
{
    const uint8_t *tail = kw_packed_find(&shape, vector, store);

    return tail != NULL ? count_load(tail) : 0;
}

bool kw_vector_covers(struct kw_bytes vector, struct kw_bytes other)
{
    if (kw_packed_full(&shape, vector) || kw_packed_full(&shape, other)) {
        return false;
    }
    for (size_t i = 0; i < kw_packed_count(&shape, other); i++) {
        const uint8_t *entry = kw_packed_at(&shape, other, i);
        struct kw_id store;

        kw_copy(store.bytes, entry, KW_ID_LEN);
        if (kw_vector_get(vector, store) < count_load(entry + KW_ID_LEN)) {
            return false;
        }
    }
    return true;
}

uint64_t kw_vector_sum(struct kw_bytes vector)
{
    uint64_t sum = 0;

    if (kw_packed_full(&shape, vector)) {
        return UINT64_MAX;
    }
    for (size_t i = 0; i < kw_packed_count(&shape, vector); i++) {
        if (__builtin_add_overflow(sum, count_load(kw_packed_at(&shape, vector, i) + KW_ID_LEN),
                                   &sum)) {
            return UINT64_MAX;
        }
    }
    return sum;
}

void kw_put_vector_entry(struct kw_writer *w, struct kw_id store, uint64_t count)
{
    kw_put_raw(w, kw_id_bytes(&store));
    kw_put_u64(w, count);
}
