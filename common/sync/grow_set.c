/* Grow-only sets: sorted elements, each behind its length. */
#include "common/sync/grow_set.h"

#include "common/sync/order.h"

bool kw_set_next(struct kw_bytes *set, struct kw_bytes *ret_element)
{
    struct kw_reader r = KW_READER(*set);
    size_t len = kw_get_u8(&r);

    *ret_element = kw_get_raw(&r, len);
    if (r.failed) {
        return false;
    }
    *set = r.rest;
    return true;
}

bool kw_set_valid(struct kw_bytes set, size_t count_max)
{
    struct kw_bytes last = KW_BYTES_NONE;
    struct kw_bytes element;
    size_t count = 0;

    while (kw_set_next(&set, &element)) {
        if (kw_bytes_order(last, element) >= 0) {
            return false;
        }
        last = element;
        count++;
    }
    return set.len == 0 && count > 0 && count <= count_max;
}

size_t kw_set_count(struct kw_bytes set)
{
    struct kw_bytes element;
    size_t count = 0;

    while (kw_set_next(&set, &element)) {
        count++;
    }
    return count;
}

bool kw_set_has(struct kw_bytes set, struct kw_bytes element)
{
    struct kw_bytes found;

    while (kw_set_next(&set, &found)) {
        if (kw_bytes_equal(found, element)) {
            return true;
        }
    }
    return false;
}

/* Takes the lower of both sides' next elements, from whoever has it. */
static struct kw_bytes join_next(struct kw_bytes *a, struct kw_bytes *b)
{
    struct kw_bytes rest_a = *a;
    struct kw_bytes rest_b = *b;
    struct kw_bytes next_a;
    struct kw_bytes next_b;
    bool has_a = kw_set_next(&rest_a, &next_a);
    bool has_b = kw_set_next(&rest_b, &next_b);
    int order = !has_a ? 1 : !has_b ? -1 : kw_bytes_order(next_a, next_b);

    if (order <= 0) {
        *a = rest_a;
    }
    if (order >= 0) {
        *b = rest_b;
    }
    return order <= 0 ? next_a : next_b;
}

struct kw_result kw_set_join(struct kw_bytes a, struct kw_bytes b, size_t count_max,
                             struct kw_arena *arena, struct kw_bytes *ret_set, struct kw_error *err)
{
    uint8_t *out = kw_arena_alloc(arena, a.len + b.len);
    size_t len = 0;

    KW_ENSURE(out != NULL, err, MEMORY, "a set of %zu bytes", a.len + b.len);
    for (size_t count = 0; count < count_max && (a.len > 0 || b.len > 0); count++) {
        struct kw_bytes element = join_next(&a, &b);

        out[len] = (uint8_t)element.len;
        kw_copy(out + len + 1, element.data, element.len);
        len += 1 + element.len;
    }
    *ret_set = KW_BYTES(out, len);
    return KW_OK;
}

void kw_put_set_element(struct kw_writer *w, struct kw_bytes element)
{
    kw_put_u8(w, (uint8_t)element.len);
    kw_put_raw(w, element);
    w->failed |= element.len == 0 || element.len > KW_SET_ELEMENT_LEN_MAX;
}
