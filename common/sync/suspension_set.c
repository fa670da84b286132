/* Suspension sets on packed maps. */
#include "common/sync/suspension_set.h"

#include "common/base/limits.h"

#define MARKS_ALL (KW_SUSPENSION_SET | KW_SUSPENSION_LIFTED)

static bool marks_valid(const uint8_t *tail)
{
    return *tail > 0 && *tail <= MARKS_ALL;
}

static void marks_join(uint8_t *tail, const uint8_t *other)
{
    *tail |= *other;
}

static const struct kw_packed_shape shape = {.entry_len = KW_SUSPENSION_ENTRY_LEN,
                                             .count_max = KW_SUSPENSIONS_MAX,
                                             .tail_valid = marks_valid,
                                             .tail_join = marks_join};

bool kw_suspensions_valid(struct kw_bytes set)
{
    return kw_packed_valid(&shape, set);
}

struct kw_result kw_suspensions_join(struct kw_bytes a, struct kw_bytes b, struct kw_arena *arena,
                                     struct kw_bytes *ret_set, struct kw_error *err)
{
    return kw_packed_join(&shape, a, b, arena, ret_set, err);
}

bool kw_suspensions_in_force(struct kw_bytes set)
{
    if (kw_packed_full(&shape, set)) {
        return true;
    }
    for (size_t i = 0; i < kw_packed_count(&shape, set); i++) {
        if (kw_packed_at(&shape, set, i)[KW_ID_LEN] == KW_SUSPENSION_SET) {
            return true;
        }
    }
    return false;
}

bool kw_suspensions_has(struct kw_bytes set, struct kw_id suspension)
{
    return kw_packed_find(&shape, set, suspension) != NULL;
}

/* Those that are in force, with this mark. */
static void put_in_force(struct kw_writer *w, struct kw_bytes set, uint8_t mark)
{
    for (size_t i = 0; i < kw_packed_count(&shape, set); i++) {
        const uint8_t *entry = kw_packed_at(&shape, set, i);

        if (entry[KW_ID_LEN] == KW_SUSPENSION_SET) {
            kw_put_raw(w, KW_BYTES(entry, KW_ID_LEN));
            kw_put_u8(w, mark);
        }
    }
}

void kw_put_lifted(struct kw_writer *w, struct kw_bytes set)
{
    put_in_force(w, set, KW_SUSPENSION_LIFTED);
}

void kw_put_in_force(struct kw_writer *w, struct kw_bytes set)
{
    put_in_force(w, set, KW_SUSPENSION_SET);
}

void kw_put_suspension(struct kw_writer *w, struct kw_id suspension, unsigned marks)
{
    kw_put_raw(w, kw_id_bytes(&suspension));
    kw_put_u8(w, (uint8_t)marks);
}
