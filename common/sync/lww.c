/* Last-writer-wins registers. */
#include "common/sync/lww.h"

#include "common/sync/order.h"
#include "common/sync/version_vector.h"

bool kw_lww_read(struct kw_bytes encoded, struct kw_lww *ret_lww)
{
    struct kw_reader r = KW_READER(encoded);
    struct kw_lww lww = {0};

    lww.stamp.hlc = kw_get_u64(&r);
    kw_get_copy(&r, lww.stamp.store.bytes, KW_ID_LEN);
    lww.seen = kw_get_raw(&r, (size_t)kw_get_u16(&r) * KW_VECTOR_ENTRY_LEN);
    lww.value = r.rest;
    if (r.failed || lww.stamp.hlc == 0 || kw_id_is_none(lww.stamp.store) ||
        (lww.seen.len > 0 && !kw_vector_valid(lww.seen))) {
        return false;
    }
    *ret_lww = lww;
    return true;
}

struct kw_bytes kw_lww_join(struct kw_bytes a, struct kw_bytes b)
{
    return kw_bytes_higher(a, b);
}

bool kw_lww_concurrent(struct kw_bytes a, struct kw_bytes b)
{
    struct kw_lww later = {0};
    struct kw_lww earlier = {0};

    if (kw_bytes_equal(a, b) || !kw_lww_read(kw_bytes_higher(a, b), &later) ||
        !kw_lww_read(kw_bytes_lower(a, b), &earlier)) {
        return false;
    }
    if (kw_id_equal(later.stamp.store, earlier.stamp.store)) {
        return later.stamp.hlc == earlier.stamp.hlc; /* a store knows its own values */
    }
    return kw_vector_get(later.seen, earlier.stamp.store) < earlier.stamp.hlc;
}

void kw_put_lww(struct kw_writer *w, const struct kw_lww *lww)
{
    kw_put_u64(w, lww->stamp.hlc);
    kw_put_raw(w, kw_id_bytes(&lww->stamp.store));
    kw_put_u16(w, (uint16_t)(lww->seen.len / KW_VECTOR_ENTRY_LEN));
    kw_put_raw(w, lww->seen);
    kw_put_raw(w, lww->value);
}
