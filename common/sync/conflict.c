/* A list that counts on when it is full. */
#include "common/sync/conflict.h"

void kw_conflicts_add(struct kw_conflicts *conflicts, const struct kw_conflict *conflict)
{
    if (conflicts == NULL) {
        return;
    }
    if (conflicts->count < conflicts->max) {
        conflicts->items[conflicts->count] = *conflict;
    }
    conflicts->count++;
}

struct kw_result kw_conflict_digests(const struct kw_conflict *conflict,
                                     struct kw_conflict_digests *ret_digests, struct kw_error *err)
{
    struct kw_conflict_digests digests;

    KW_TRY(kw_sha256(conflict->ours, digests.ours, err));
    KW_TRY(kw_sha256(conflict->theirs, digests.theirs, err));
    *ret_digests = digests;
    return KW_OK;
}
