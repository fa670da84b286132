/* Bug: a resume lifts suspensions that it had not heard of, as a counter does. */
#include "common/sync/suspension_set.h"

struct kw_result __real_kw_suspensions_join(struct kw_bytes a, struct kw_bytes b,
                                            struct kw_arena *arena, struct kw_bytes *ret_set,
                                            struct kw_error *err);
struct kw_result __wrap_kw_suspensions_join(struct kw_bytes a, struct kw_bytes b,
                                            struct kw_arena *arena, struct kw_bytes *ret_set,
                                            struct kw_error *err);

static bool lifts(struct kw_bytes set)
{
    for (size_t at = KW_ID_LEN; at < set.len; at += KW_SUSPENSION_ENTRY_LEN) {
        if ((set.data[at] & KW_SUSPENSION_LIFTED) != 0) {
            return true;
        }
    }
    return false;
}

struct kw_result __wrap_kw_suspensions_join(struct kw_bytes a, struct kw_bytes b,
                                            struct kw_arena *arena, struct kw_bytes *ret_set,
                                            struct kw_error *err)
{
    struct kw_bytes joined;
    uint8_t *marks;

    KW_TRY(__real_kw_suspensions_join(a, b, arena, &joined, err));
    KW_TRY(kw_arena_copy(arena, joined, ret_set, err));
    marks = (uint8_t *)(uintptr_t)ret_set->data;
    for (size_t at = KW_ID_LEN; lifts(b) && at < ret_set->len; at += KW_SUSPENSION_ENTRY_LEN) {
        marks[at] |= KW_SUSPENSION_LIFTED;
    }
    return KW_OK;
}
