/* First-writer-wins registers. */
#include "common/sync/first.h"

bool kw_first_read(struct kw_bytes encoded, struct kw_first *ret_first)
{
    struct kw_reader r = KW_READER(encoded);
    struct kw_first first = {0};

    first.time_ms = kw_get_u64(&r);
    kw_get_copy(&r, first.store.bytes, KW_ID_LEN);
    first.detail = r.rest;
    if (r.failed || kw_id_is_none(first.store)) {
        return false;
    }
    *ret_first = first;
    return true;
}

void kw_put_first(struct kw_writer *w, const struct kw_first *first)
{
    kw_put_u64(w, first->time_ms);
    kw_put_raw(w, kw_id_bytes(&first->store));
    kw_put_raw(w, first->detail);
}
