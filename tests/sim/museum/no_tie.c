/* Bug: of two edits with one stamp each cell keeps its own. */
#include "common/sync/lww.h"

struct kw_bytes __wrap_kw_lww_join(struct kw_bytes a, struct kw_bytes b);

struct kw_bytes __wrap_kw_lww_join(struct kw_bytes a, struct kw_bytes b)
{
    struct kw_lww ours = {0}, theirs = {0};

    (void)kw_lww_read(a, &ours);
    (void)kw_lww_read(b, &theirs);
    return theirs.stamp.hlc > ours.stamp.hlc ? b : a;
}
