/* Byte strings in order. */
#include "common/sync/order.h"

int kw_bytes_order(struct kw_bytes a, struct kw_bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    if (order != 0 || a.len == b.len) {
        return order;
    }
    return a.len < b.len ? -1 : 1;
}

struct kw_bytes kw_bytes_lower(struct kw_bytes a, struct kw_bytes b)
{
    return kw_bytes_order(a, b) <= 0 ? a : b;
}

struct kw_bytes kw_bytes_higher(struct kw_bytes a, struct kw_bytes b)
{
    return kw_bytes_order(a, b) >= 0 ? a : b;
}
