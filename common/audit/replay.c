/* A hash set with chains over a ring of entries in the order they came. Capsules live alike long,
 * so the oldest entry is the first to end, give or take a lifetime: forgetting from the ring's tail
 * alone is enough. */
#include "common/audit/replay.h"

#include "common/base/limits.h"
#include "common/base/random.h"

#include <stdlib.h>

#define NONE 0U /* links are an entry's place + 1 */

struct entry {
    struct kw_id id;
    uint64_t expires_ms;
    uint32_t next; /* in the same slot */
};

struct kw_replay {
    uint64_t over_ms; /* what ends no later is over, whatever the clock says now */
    uint64_t seed[2];
    size_t capacity;
    size_t oldest;
    size_t count;
    size_t slot_count; /* a power of two */
    struct entry *entries;
    uint32_t *slots;
};

static size_t slots_for(size_t capacity)
{
    size_t slots = 1;

    while (slots < capacity) {
        slots *= 2;
    }
    return slots;
}

struct kw_result kw_replay_new(size_t capacity, struct kw_replay **ret_replay, struct kw_error *err)
{
    struct kw_replay *replay;
    struct kw_result result;

    KW_ENSURE(capacity >= 1 && capacity <= KW_REPLAY_IDS_MAX, err, ARGUMENT_INVALID,
              "replay window of %zu", capacity);
    replay = calloc(1, sizeof(*replay));
    KW_ENSURE(replay != NULL, err, MEMORY, "replay window");
    replay->capacity = capacity;
    replay->slot_count = slots_for(capacity);
    replay->entries = calloc(capacity, sizeof(*replay->entries));
    replay->slots = calloc(replay->slot_count, sizeof(*replay->slots));
    result = replay->entries != NULL && replay->slots != NULL
                 ? kw_random(replay->seed, sizeof(replay->seed), err)
                 : KW_MAKE(err, MEMORY, "replay window of %zu", capacity);
    if (!kw_ok(result)) {
        kw_replay_free(replay);
        return result;
    }
    *ret_replay = replay;
    return KW_OK;
}

void kw_replay_free(struct kw_replay *replay)
{
    if (replay == NULL) {
        return;
    }
    free(replay->entries);
    free(replay->slots);
    free(replay);
}

size_t kw_replay_count(const struct kw_replay *replay)
{
    return replay->count;
}

/* Seeded, so that whoever chooses ids cannot choose where they meet. */
static uint32_t *slot_of(struct kw_replay *replay, struct kw_id id)
{
    uint64_t half[2];
    uint64_t mixed;

    memcpy(half, id.bytes, sizeof(half));
    mixed = (half[0] ^ replay->seed[0]) * UINT64_C(0x9E3779B97F4A7C15);
    mixed = ((mixed ^ mixed >> 32) + (half[1] ^ replay->seed[1])) * UINT64_C(0xD6E8FEB86659FD93);
    mixed ^= mixed >> 32;
    return &replay->slots[mixed & (replay->slot_count - 1)];
}

static bool contains(struct kw_replay *replay, struct kw_id id)
{
    for (uint32_t link = *slot_of(replay, id); link != NONE;
         link = replay->entries[link - 1].next) {
        if (kw_id_equal(replay->entries[link - 1].id, id)) {
            return true;
        }
    }
    return false;
}

static void forget_oldest(struct kw_replay *replay)
{
    struct entry *entry = &replay->entries[replay->oldest];
    uint32_t link = (uint32_t)replay->oldest + 1;
    uint32_t *at = slot_of(replay, entry->id);

    while (*at != link) {
        at = &replay->entries[*at - 1].next;
    }
    *at = entry->next;
    if (entry->expires_ms > replay->over_ms) {
        replay->over_ms = entry->expires_ms;
    }
    replay->oldest = (replay->oldest + 1) % replay->capacity;
    replay->count--;
}

static void remember(struct kw_replay *replay, struct kw_id id, uint64_t expires_ms)
{
    size_t place = (replay->oldest + replay->count) % replay->capacity;
    uint32_t *slot = slot_of(replay, id);

    replay->entries[place] = (struct entry){.id = id, .expires_ms = expires_ms, .next = *slot};
    *slot = (uint32_t)place + 1;
    replay->count++;
}

struct kw_result kw_replay_take(struct kw_replay *replay, struct kw_id id, uint64_t expires_ms,
                                uint64_t now_ms, struct kw_error *err)
{
    while (replay->count > 0 && replay->entries[replay->oldest].expires_ms < now_ms) {
        forget_oldest(replay);
    }
    KW_ENSURE(expires_ms >= now_ms && expires_ms > replay->over_ms, err, CAPSULE_EXPIRED,
              "its time is over");
    KW_ENSURE(!contains(replay, id), err, CAPSULE_REPLAYED, "its id was used before");
    KW_ENSURE(replay->count < replay->capacity, err, LIMIT_REACHED,
              "%zu capsules within their lifetime", replay->count);
    remember(replay, id, expires_ms);
    return KW_OK;
}
