/* What is left of the disk. The store's threads look, beside the work they do; the loop thread reads
 * what they saw. */
#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "common/store/store_internal.h"

#include <sys/statvfs.h>

/* Only one thread looks at a time: the one that moves the clock on. */
static bool is_due(struct kw_store_room *room)
{
    uint_fast64_t looked = atomic_load(&room->looked_ns);
    uint64_t now = kw_clock_mono_ns();

    return now - looked >= KW_STORE_ROOM_CHECK_MS * KW_NS_PER_MS &&
           atomic_compare_exchange_strong(&room->looked_ns, &looked, now);
}

static void set(struct kw_store_room *room, bool none)
{
    atomic_store(&room->none, none);
    kw_metric_set(KW_M_STORE_FULL, NULL, none ? 1 : 0);
}

void kw_store_room_look(struct kw_store_room *room, int fd)
{
    struct statvfs fs;

    if (!is_due(room)) {
        return;
    }
    if (fd < 0) {
        set(room, false);
        return;
    }
    if (fstatvfs(fd, &fs) != 0) {
        return;
    }
    set(room, fs.f_bavail * fs.f_frsize < KW_STORE_RESERVE_BYTES);
}

void kw_store_room_refused(struct kw_store_room *room)
{
    atomic_store(&room->looked_ns, kw_clock_mono_ns());
    set(room, true);
}

/* Once there is none, whoever asks looks too: perhaps nobody is let in who would work. */
struct kw_result kw_store_room(struct kw_store *store, struct kw_error *err)
{
    if (atomic_load(&store->room.none)) {
        kw_store_room_look(&store->room, store->lock_fd);
    }
    KW_ENSURE(!atomic_load(&store->room.none), err, STORE_FULL, "less than %u bytes are free",
              KW_STORE_RESERVE_BYTES);
    return KW_OK;
}
